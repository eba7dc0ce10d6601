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
    """What is wrong in a folder: file, line and column of every mistake."""


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
    for found in _read(Path(folder)):
        if isinstance(found, InvalidLifecycle):
            log.error("No DAG for this file:\n%s", found)
        else:
            dags[found.dag_id] = found
    return dags


def check_lifecycles(folder: str | Path) -> None:
    """Raise :class:`InvalidLifecycles` if any file below the folder is wrong. For a DAG file of its
    own, without DAGs."""
    wrong = [str(found) for found in _read(Path(folder)) if isinstance(found, InvalidLifecycle)]
    if wrong:
        raise InvalidLifecycles("\n" + "\n".join(wrong))


def _read(folder: Path) -> Iterator[DAG | InvalidLifecycle]:
    if not folder.is_dir():
        raise InvalidLifecycles(f"there is no folder {folder}")
    files: dict[str, Path] = {}
    for file in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]):
        try:
            found = read_lifecycle(file)
        except InvalidLifecycle as error:
            yield error
            continue
        other = files.setdefault(found.dag_id, file)
        try:
            if other is not file:
                raise ValueError(f"that is the DAG of {other}; give this one a 'dag_id'")
            dag = _dag(found)
            dag.validate()
            yield dag
        except Exception as error:
            # Airflow checks ids, parameters and schedules when it makes or validates a DAG.
            message = f"no DAG {found.dag_id!r} can be made: {error}"
            yield InvalidLifecycle(file, [Problem(1, 1, message)])


def _dag(lifecycle: Lifecycle) -> DAG:
    said = lifecycle.said
    given: dict[str, Any] = {name: said[name] for name in _GIVEN if name in said}
    if "record_traffic" in said:
        given["record_traffic"] = Named(said["record_traffic"])
    if "approval" in said:
        given["approval"] = _approval(said["approval"])
    if "start_date" in said:
        given["start_date"] = _midnight(said["start_date"], said.get("timezone", "UTC"))
    data = said.get("validation_data") or Named(said["validation_function"])
    return retrain_and_promote(
        dag_id=lifecycle.dag_id,
        train=Named(said["train"]),
        validation_data=data,
        shadow_window=(said["shadow_window"]["start"], said["shadow_window"]["end"]),
        policy=lifecycle.policy,
        default_args=_task_settings(said),
        **given,
    )


def _midnight(day: str, zone: str) -> datetime:
    """The day's first instant in a zone; the schedule goes by the same zone."""
    import pendulum

    return datetime.fromisoformat(day).replace(tzinfo=pendulum.timezone(zone))


def _task_settings(said: Mapping[str, Any]) -> dict[str, Any]:
    """Airflow's default arguments of the DAG's tasks."""
    settings = {name: said[name] for name in TASK_SETTINGS if name in said}
    settings |= said.get("default_args", {})
    for name in DURATIONS & settings.keys():
        settings[name] = timedelta(seconds=settings[name])
    return settings


def _approval(said: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: said[name] for name in ("assigned_users", "body") if name in said}
    if "response_hours" in said:
        given["response_timeout"] = timedelta(hours=said["response_hours"])
    return given
