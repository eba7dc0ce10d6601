"""Sensors that wait for a model's stage, version or verdict."""
