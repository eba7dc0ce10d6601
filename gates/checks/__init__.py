"""Checks of data and assumptions that a verdict rests on."""
