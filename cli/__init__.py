"""The command line ``model-lifecycle``: the core's answers as tables for people, JSON for programs.

No module here imports MLflow, pandas or SQLAlchemy at its top, so that ``--help`` is quick.
"""
