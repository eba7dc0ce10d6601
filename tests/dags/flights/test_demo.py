from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model_lifecycle.dags.flights.console import outcome
from model_lifecycle.dags.flights.workspace import HomeOccupied, enter, prepare_home

_QUIET = """
import os, sys
from pathlib import Path
from model_lifecycle.dags.flights.output_capture import quiet
heard = []
with quiet(Path(sys.argv[1])) as quieted:
    quieted.overhear = heard.append
    print("stray")
    os.system("echo native")
    quieted.out.write("meant\\n")
print("after", heard)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home"
    monkeypatch.setenv("MODEL_LIFECYCLE_HOME", str(path))
    return path


def test_an_empty_home_is_taken(home: Path) -> None:
    """A folder that does not exist yet becomes the demo's own."""
    prepared = prepare_home()

    assert (prepared, home.is_dir()) == ((home, False), True)


def test_the_home_of_an_earlier_demo_is_replaced(home: Path) -> None:
    """Running the demo twice works: the second starts in an empty home."""
    prepare_home()
    (home / "ledger.db").write_text("of the first demo")
    prepared = prepare_home()

    assert (prepared, (home / "ledger.db").exists()) == ((home, True), False)


def test_a_registry_that_the_demo_did_not_make_is_not_touched(home: Path) -> None:
    """A real registry in the default folder survives the demo."""
    home.mkdir()
    (home / "ledger.db").write_text("of somebody")

    with pytest.raises(HomeOccupied, match="did not make"):
        prepare_home()
    assert (home / "ledger.db").read_text() == "of somebody"


def test_the_demo_forgets_where_a_real_registry_is(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses of a registry or an Airflow in service do not reach the demo."""
    environment = dict(os.environ)
    monkeypatch.setattr(os, "environ", environment)
    environment |= {
        "MODEL_LIFECYCLE_DATABASE_URL": "postgresql+asyncpg://service/ledger",
        "AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT": "{}",
        "MLFLOW_TRACKING_URI": "http://service",
    }
    prepare_home()
    enter(home)
    names = sorted(name for name in environment if name.startswith(("MODEL_LIFECYCLE_", "MLFLOW_")))

    assert (names, "AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT" in environment) == (
        ["MODEL_LIFECYCLE_HOME"],
        False,
    )


def test_only_what_is_meant_is_printed(tmp_path: Path) -> None:
    """Stray output, that of native code too, goes to the log; what is meant goes out."""
    log = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-c", _QUIET, str(log)], capture_output=True, text=True, check=True
    )

    assert (done.stdout, done.stderr, log.read_text()) == (
        "meant\nafter ['stray\\n', 'native\\n']\n",
        "",
        "stray\nnative\n",
    )


@pytest.mark.parametrize(
    ("task", "result", "text"),
    [
        ("validate", {"verdict": "PASS", "sentence": "well: PASS"}, "well: PASS"),
        (
            "promote_to_production",
            {"version": 1, "previous_production": None},
            "version 1 is in production; it was empty",
        ),
        (
            "rollback",
            {"version": 1, "previous_production": 2},
            "version 1 is in production; it was version 2",
        ),
        ("validation_data", "file:///home/held-out.parquet", "held-out.parquet"),
        ("something", None, ""),
    ],
)
def test_a_task_is_told_in_one_line(task: str, result: object, text: str) -> None:
    """The demo says what came out of a task, also of one that it does not know."""
    assert outcome(task, result) == text
