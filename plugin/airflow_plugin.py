"""The plugin that Airflow loads, in every one of its processes: it must cost nothing to import."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class ModelLifecyclePlugin(AirflowPlugin):
    """Names this distribution in Airflow's list of plugins."""

    name = "model_lifecycle"
