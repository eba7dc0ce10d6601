"""MLflow adapter: runs, LoggedModels, registered models, versions and aliases."""
