"""Pure functions over numbers: one method a file, each with its source and reference values."""
