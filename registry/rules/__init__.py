"""Pure rules: standard library and ``rfc8785`` only, no I/O, no clock. Everything else may import them."""
