"""The registry over HTTP: one app factory, for a server of its own and for Airflow's.

Same core, no rule of its own. ``create_app`` is imported lazily, so that Airflow's other
processes, which import the plugin, do not load FastAPI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .app import create_app
    from .auth.caller import Caller, NotAuthenticated
    from .settings import ApiSettings

__all__ = ["ApiSettings", "Caller", "NotAuthenticated", "create_app"]

_HOMES = {
    "ApiSettings": "settings",
    "Caller": "auth.caller",
    "NotAuthenticated": "auth.caller",
    "create_app": "app",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
