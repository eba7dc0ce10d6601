"""The plugin that Airflow loads, in every one of its processes: it must cost nothing to import."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from model_lifecycle.operators.runtime.api_mount import URL_PREFIX


class ModelLifecyclePlugin(AirflowPlugin):
    """Names this distribution in Airflow's list of plugins, and mounts the HTTP API."""

    name = "model_lifecycle"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # read as a value
        """The API server alone reads this, so the app is created only there. Without the extra
        ``api`` there is none."""
        try:
            from .mounting import mounted_app
        except ImportError as error:
            logging.getLogger(__name__).warning("the API is not mounted: %s", error)
            return []
        return [{"app": mounted_app(), "url_prefix": URL_PREFIX, "name": "Model lifecycle API"}]
