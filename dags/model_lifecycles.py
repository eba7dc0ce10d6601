"""Airflow DAGs: one for each model that a YAML file in ``lifecycles/`` describes."""

from __future__ import annotations

from pathlib import Path

from model_lifecycle.operators import lifecycles_from

globals().update(lifecycles_from(Path(__file__).parent / "lifecycles"))
