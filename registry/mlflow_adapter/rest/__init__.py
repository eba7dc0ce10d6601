"""MLflow's REST API, called without MLflow's client."""
