"""What the operators share at run time."""
