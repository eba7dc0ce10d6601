"""Sufficient statistics that add up over partitions of the data."""
