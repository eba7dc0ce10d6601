"""Keras models as reviewed archives."""
