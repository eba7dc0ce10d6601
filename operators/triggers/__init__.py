"""Triggers of deferred operators, sensors and assets."""
