"""Airflow's entry points: the provider's description, and the plugin."""
