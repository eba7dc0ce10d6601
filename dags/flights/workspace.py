"""The demo's home: one folder for the registry, and within it Airflow's own.

The registry goes where the command line looks by default (``./.model-lifecycle``), so that
``model-lifecycle history flight-delay --tenant demo`` works right after the demo.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from model_lifecycle.registry.settings import PREFIX, Settings

_MARK = "demo.json"
_DAGS = Path(__file__).resolve().parent.parent


class HomeOccupied(Exception):
    """The folder holds something that the demo did not make."""


def prepare_home() -> tuple[Path, bool]:
    """An empty home, and whether an earlier demo was removed from it.

    Only a folder that an earlier demo marked as its own is emptied. Raises :class:`HomeOccupied`
    for any other folder that is not empty.
    """
    home = Settings().home.resolve()
    used = home.exists() and any(home.iterdir())
    if used and not (home / _MARK).is_file():
        raise HomeOccupied(
            f"{home} holds a registry that the demo did not make. Nothing was touched; "
            f"move it away, or set {PREFIX}HOME to another folder."
        )
    if used:
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    (home / _MARK).write_text(json.dumps({"what": "made by the demo, which may remove it"}))
    return home, used


def enter(home: Path) -> None:
    """Point this process's registry and Airflow at ``home``, and nowhere else.

    Settings of a real registry or a real Airflow in the environment are dropped: the demo must
    not write there. Call it before the first import of Airflow.
    """
    for name in list(os.environ):
        if name.startswith((PREFIX, "AIRFLOW_", "MLFLOW_")):
            del os.environ[name]
    # The replay predicts a few dozen rows at a time: OpenMP threads would only wait for each other
    # there, and where other processes share the cores they make it ten times slower (measured).
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    airflow = home / "airflow"
    airflow.mkdir()
    os.environ.update(
        {
            f"{PREFIX}HOME": str(home),
            "AIRFLOW_HOME": str(airflow),
            "AIRFLOW__CORE__DAGS_FOLDER": str(_DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        }
    )


def where(home: Path) -> str:
    """The prefix with which a command typed in this folder finds the registry in ``home``."""
    by_default = Settings({}).home.resolve()
    return "" if home == by_default else f"{PREFIX}HOME={home} "
