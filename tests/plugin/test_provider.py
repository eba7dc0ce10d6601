from __future__ import annotations

import json
from functools import cached_property
from importlib import import_module
from importlib.metadata import distribution, entry_points
from importlib.resources import files

import pytest

from model_lifecycle.plugin.provider import get_provider_info

_BY_CLASS = ("extra-links", "notifications")
_DISTRIBUTION = "airflow-provider-model-lifecycle"


def test_provider_info_is_valid() -> None:
    """The description fits the schema by which Airflow checks every provider at its start."""
    import jsonschema

    schema = json.loads((files("airflow") / "provider_info.schema.json").read_text())

    jsonschema.validate(get_provider_info(), schema)


def test_package_name_is_the_distribution_name() -> None:
    """Airflow stops the discovery of all providers where the two differ."""
    assert get_provider_info()["package-name"] == distribution(_DISTRIBUTION).name == _DISTRIBUTION


@pytest.mark.parametrize("kind", ["hooks", "operators", "sensors", "triggers"])
def test_listed_modules_import(kind: str) -> None:
    """Every module that the description lists exists."""
    modules = [name for item in get_provider_info()[kind] for name in item["python-modules"]]

    assert [import_module(name).__name__ for name in modules] == modules


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        ("operators", "airflow.sdk.BaseOperator"),
        ("sensors", "airflow.sdk.BaseSensorOperator"),
        ("triggers", "airflow.triggers.base.BaseTrigger"),
        ("notifications", "airflow.sdk.BaseNotifier"),
        ("extra-links", "airflow.sdk.BaseOperatorLink"),
    ],
)
def test_nothing_of_ours_is_missing_from_the_lists(kind: str, base: str) -> None:
    """Every public class of the kind is in the description; so is nothing that does not exist."""
    from airflow.sdk._shared.module_loading import import_string

    import model_lifecycle.operators as operators

    listed = {
        name
        for item in get_provider_info().get(kind, ())
        for name in ([item] if isinstance(item, str) else item["python-modules"])
    }
    public = [getattr(operators, name) for name in operators.__all__]
    ours = [
        item for item in public if isinstance(item, type) and issubclass(item, import_string(base))
    ]
    homes = {
        f"{item.__module__}.{item.__name__}" if kind in _BY_CLASS else item.__module__
        for item in ours
    }
    elsewhere = _listed_elsewhere() if kind == "operators" else set()

    assert homes - listed - elsewhere == set()


def _listed_elsewhere() -> set[str]:
    """Sensors are operators too, and have a list of their own."""
    return {name for item in get_provider_info()["sensors"] for name in item["python-modules"]}


def test_listed_classes_import() -> None:
    """Every class that the description names exists, and the hook fits its connection type."""
    from airflow.sdk._shared.module_loading import import_string

    info = get_provider_info()
    (connection,) = info["connection-types"]
    hook = import_string(connection["hook-class-name"])

    assert [import_string(path).__name__ for path in info["extra-links"]]
    assert (hook.conn_type, hook.hook_name) == (
        connection["connection-type"],
        connection["hook-name"],
    )


def test_form_has_every_field_that_the_hook_reads() -> None:
    """The form has exactly the fields that the hook reads."""
    from model_lifecycle.operators.hooks.connection import FIELDS

    (connection,) = get_provider_info()["connection-types"]

    assert set(connection["conn-fields"]) == FIELDS - {"allow_pickle"}


def test_every_field_of_the_form_may_stay_empty() -> None:
    """The environment fills what the form leaves open."""
    (connection,) = get_provider_info()["connection-types"]

    assert all("null" in field["schema"]["type"] for field in connection["conn-fields"].values())


def test_airflow_lists_provider_and_connection_type() -> None:
    """Airflow finds the installed package by its entry point, and its UI gets the form."""
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
    from airflow.providers_manager import ProvidersManager

    forms = {item.connection_type: item for item in HookMetaService.hook_meta_data()}
    (declared,) = get_provider_info()["connection-types"]

    assert _DISTRIBUTION in ProvidersManager().providers
    assert forms["model_registry"].hook_name == "Model registry"
    assert set(forms["model_registry"].extra_fields or {}) == set(declared["conn-fields"])


def test_airflow_loads_the_plugin() -> None:
    """The entry point leads to a plugin that Airflow accepts; the API is built on demand only."""
    from airflow.plugins_manager import AirflowPlugin

    (point,) = entry_points(group="airflow.plugins", name="model_lifecycle")
    plugin = point.load()

    assert issubclass(plugin, AirflowPlugin)
    assert (plugin.name, plugin.external_views) == ("model_lifecycle", [])
    assert isinstance(vars(plugin)["fastapi_apps"], cached_property)
