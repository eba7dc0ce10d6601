"""Airflow connections to the registry and to AWS."""
