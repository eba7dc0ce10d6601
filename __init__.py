"""The life of machine-learning models on Airflow and MLflow.

Nothing reaches production without proof; exactly one version is there; anyone can see why, and
undo it in one call.
"""

__version__ = "0.1.0"
