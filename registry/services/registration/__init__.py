"""Register models and create versions, from a fitted model or from MLflow."""
