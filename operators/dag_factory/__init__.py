"""Whole lifecycle DAGs from Python or YAML."""
