"""The command line as a process: quick, quiet, and at home in pipes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.command_line import Installation, Run

_HEAVY = ("mlflow", "pandas", "numpy", "sqlalchemy", "alembic", "boto3", "sklearn", "airflow")


def _run(
    installation: Installation, *arguments: str, **options: Any
) -> subprocess.CompletedProcess[str]:
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith("MODEL_LIFECYCLE")
    }
    environ["MODEL_LIFECYCLE_HOME"] = str(installation.settings.home)
    return subprocess.run(
        [str(Path(sys.executable).with_name("model-lifecycle")), *arguments],
        capture_output=True,
        text=True,
        env={**environ, **options.pop("env", {})},
        timeout=90,
        **options,
    )


def test_help_imports_nothing_heavy() -> None:
    """Nobody waits for what is not needed."""
    program = (
        "import sys; from model_lifecycle.cli.main import main\n"
        "sys.argv[1:] = ['--help']\n"
        "try: main()\n"
        f"finally: print([name for name in {_HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stderr.splitlines()[-1] == "[]"


def test_a_promotion_says_one_document_and_nothing_else(
    installation: Installation, model: str
) -> None:
    """MLflow and Alembic are heard neither on standard output nor on standard error."""
    installation.step(lambda world: world.staged(model))
    installation.step(lambda world: world.judged(model, 1))

    done = _run(installation, "promote", model, "1", "--tenant", "demo", "--json")

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["entry"]["production"] == 1


def test_an_ascii_terminal_gets_its_table(installation: Installation, model: str) -> None:
    """An arrow that cannot be shown is no reason to fail."""
    installation.step(lambda world: world.version(model))

    done = _run(
        installation,
        "history",
        model,
        "--tenant",
        "demo",
        env={"PYTHONIOENCODING": "ascii", "COLUMNS": "90"},
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "development" in done.stdout


def test_a_closed_pipe_is_no_traceback(installation: Installation, model: str) -> None:
    """As in `model-lifecycle history … | head -1`."""
    installation.step(lambda world: world.version(model))
    program = Path(sys.executable).with_name("model-lifecycle")

    done = subprocess.run(
        ["bash", "-c", f"{program} history {model} --tenant demo --json | true"],
        capture_output=True,
        text=True,
        env={**os.environ, "MODEL_LIFECYCLE_HOME": str(installation.settings.home)},
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_looking_in_one_process_harms_no_writer_in_another(
    installation: Installation, run: Run, model: str
) -> None:
    """SQLite's locks of a registry that is open here survive a command that looks at it here, so
    a command elsewhere does not take itself for the last one and remove the log of writes."""
    installation.step(lambda world: world.version(model))
    log = installation.settings.home / "ledger.db-wal"
    before = log.stat().st_ino
    run("models")

    _run(installation, "history", model, "--tenant", "demo")

    assert before == log.stat().st_ino


def test_a_thread_that_waits_for_a_store_holds_up_no_exit() -> None:
    """The answer and its exit code are given at once; the thread would wait for minutes."""
    program = (
        "import sys, threading, time\n"
        "from model_lifecycle.cli.main import main\n"
        "threading.Thread(target=time.sleep, args=(300,)).start()\n"
        "sys.argv[1:] = [sys.argv[1]]\n"
        "main()\n"
    )
    ended = [
        subprocess.run(
            [sys.executable, "-c", program, argument], capture_output=True, text=True, timeout=60
        )
        for argument in ("--version", "--no-such-option")
    ]

    assert [item.returncode for item in ended] == [0, 2]
    assert ended[0].stdout.startswith("model-lifecycle ")
    assert "no-such-option" in ended[1].stderr
