"""Metrics and their per-row losses."""
