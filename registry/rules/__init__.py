"""Pure rules: standard library only, no I/O, no clock. Everything else may import them."""
