"""A running server of the API over an embedded registry, two tenants, and keys to it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.http import LIMITS, Api, Tenant, furnished, served
from support.signing_keys import make_key

from model_lifecycle.api import create_app
from model_lifecycle.registry.settings import Settings
from model_lifecycle.registry.sync import run_sync

_HERE = Path(__file__).parent
#: Warnings about MLflow's code: how it looks at columns, and how it loads registered models.
_OF_OTHERS = (
    "Operation with range is deprecated",
    "The ``noload`` loader strategy is deprecated",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            for warning in _OF_OTHERS:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:{warning}"))


@pytest.fixture(scope="session")
def mlflow_imported() -> None:
    """MLflow warns about its own code while it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc
        import mlflow.sklearn  # noqa: F401


@pytest.fixture(scope="session")
def api_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """With a key for proofs, so that every route can answer."""
    home = tmp_path_factory.mktemp("api")
    return Settings({}, home=home, ledger_key=str(make_key(home, "ledger").private))


@pytest.fixture(scope="session")
def tenants(api_settings: Settings, mlflow_imported: None) -> list[Tenant]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run_sync(furnished(api_settings, "acme", "globex"))


@pytest.fixture(scope="session")
def api(api_settings: Settings, tenants: list[Tenant]) -> Iterator[Api]:
    app = create_app(api_settings, api=LIMITS)
    with served(app) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield Api(url, api_settings, tenants[0], tenants[1], client)
