"""The API as Airflow's API server mounts it: the registry of the connection, Airflow's login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_lifecycle.api.app import create_app
from model_lifecycle.api.settings import ApiSettings

from .auth import AirflowAccess, AirflowLogin

if TYPE_CHECKING:
    from fastapi import FastAPI

    from model_lifecycle.registry.settings import Settings


def mounted_app() -> FastAPI:
    """The app; nothing is opened, and no connection read, before the server starts."""
    api = ApiSettings()
    access = AirflowAccess.from_setting(api.airflow_access)
    return create_app(_settings, auth=AirflowLogin(access), api=api)


def _settings() -> Settings:
    from model_lifecycle.operators.hooks.model_registry import ModelRegistryHook

    return ModelRegistryHook().complete_settings()
