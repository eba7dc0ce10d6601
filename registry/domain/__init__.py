"""Pure rules: no I/O and no clock; the standard library and ``rfc8785`` only.

Everything else may import them.
"""
