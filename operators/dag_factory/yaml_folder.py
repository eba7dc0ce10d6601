"""The lifecycles of many tenants and models from a folder of YAML files, one DAG each.

A DAG file of three lines loads them, and another one of three lines tells what is wrong with those
that did not load. They are two, because Airflow hides every DAG of a file with an import error.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .lifecycle import retrain_and_promote
from .schema import DURATIONS, TASK_SETTINGS
from .yaml_file import InvalidLifecycle, Lifecycle, Problem, read_lifecycle

if TYPE_CHECKING:
    from airflow.sdk import DAG

log = logging.getLogger(__name__)

_GIVEN = (
    *("tenant_id", "model_id", "description", "schedule", "train_kwargs", "validation_kwargs"),
    *("traffic_kwargs", "params", "tags", "model_registry_conn_id", "catchup", "max_active_runs"),
)


class InvalidLifecycles(Exception):
    """Mistakes in the files of a folder, each with file, line and column."""


@dataclass(frozen=True)
class Named:
    """A function by its name, ``package.module:function``, imported when it is called: a DAG file
    must not pay for what only a task needs."""

    name: str

    def __str__(self) -> str:
        return self.name

    def __call__(self, **arguments: Any) -> Any:
        module, _, function = self.name.partition(":")
        return getattr(import_module(module), function)(**arguments)


def lifecycles_from(folder: str | Path) -> dict[str, DAG]:
    """The DAG of each ``*.yaml`` below the folder, by id, for ``globals().update(…)``.

    A file that is wrong has no DAG and does not keep the others from loading; the log says what
    is wrong, and :func:`check_lifecycles` makes it an import error. Raises
    :class:`InvalidLifecycles` if there is no such folder.
    """
    dags = {}
    for result in _read(Path(folder)):
        if isinstance(result, InvalidLifecycle):
            log.error("No DAG for this file:\n%s", result)
        else:
            dags[result.dag_id] = result
    return dags


def check_lifecycles(folder: str | Path) -> None:
    """Raise :class:`InvalidLifecycles` if any file below the folder is wrong. For a DAG file of its
    own, without DAGs."""
    wrong = [str(result) for result in _read(Path(folder)) if isinstance(result, InvalidLifecycle)]
    if wrong:
        raise InvalidLifecycles("\n" + "\n".join(wrong))


def _read(folder: Path) -> Iterator[DAG | InvalidLifecycle]:
    if not folder.is_dir():
        raise InvalidLifecycles(f"there is no folder {folder}")
    files: dict[str, Path] = {}
    for file in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]):
        try:
            lifecycle = read_lifecycle(file)
        except InvalidLifecycle as error:
            yield error
            continue
        other = files.setdefault(lifecycle.dag_id, file)
        try:
            if other is not file:
                raise ValueError(f"that is the DAG of {other}; give this one a 'dag_id'")
            dag = _dag(lifecycle)
            dag.validate()
            yield dag
        except Exception as error:
            # Airflow checks ids, parameters and schedules when it makes or validates a DAG.
            message = f"no DAG {lifecycle.dag_id!r} can be made: {error}"
            yield InvalidLifecycle(file, [Problem(1, 1, message)])


def _dag(lifecycle: Lifecycle) -> DAG:
    document = lifecycle.document
    given: dict[str, Any] = {name: document[name] for name in _GIVEN if name in document}
    if "record_traffic" in document:
        given["record_traffic"] = Named(document["record_traffic"])
    if "approval" in document:
        given["approval"] = _approval(document["approval"])
    if "start_date" in document:
        given["start_date"] = _midnight(document["start_date"], document.get("timezone", "UTC"))
    data = document.get("validation_data") or Named(document["validation_function"])
    return retrain_and_promote(
        dag_id=lifecycle.dag_id,
        train=Named(document["train"]),
        validation_data=data,
        shadow_window=(document["shadow_window"]["start"], document["shadow_window"]["end"]),
        policy=lifecycle.policy,
        default_args=_task_settings(document),
        **given,
    )


def _midnight(day: str, zone: str) -> datetime:
    """The day's first instant in a zone; the schedule goes by the same zone."""
    import pendulum

    return datetime.fromisoformat(day).replace(tzinfo=pendulum.timezone(zone))


def _task_settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """Airflow's default arguments of the DAG's tasks."""
    settings = {name: document[name] for name in TASK_SETTINGS if name in document}
    settings |= document.get("default_args", {})
    for name in DURATIONS & settings.keys():
        settings[name] = timedelta(seconds=settings[name])
    return settings


def _approval(document: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: document[name] for name in ("assigned_users", "body") if name in document}
    if "response_hours" in document:
        given["response_timeout"] = timedelta(hours=document["response_hours"])
    return given
