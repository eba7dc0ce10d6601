"""Uploaded models: to disk within limits, looked at, never loaded."""
