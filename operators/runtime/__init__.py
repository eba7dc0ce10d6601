"""Helpers of the operators at run time."""
