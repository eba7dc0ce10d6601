"""Let MLflow show what the ledger says, and compare the two."""
