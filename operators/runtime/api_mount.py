"""Path of the HTTP API within Airflow. Imports nothing: the plugin loads it everywhere."""

from __future__ import annotations

#: Path of the mounted API below the address of Airflow's API server.
URL_PREFIX = "/model-lifecycle"
