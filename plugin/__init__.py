"""Where Airflow finds us: the provider's description, and the plugin."""
