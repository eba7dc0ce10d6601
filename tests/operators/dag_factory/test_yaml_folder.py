from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

GOOD = """
tenant_id: acme
model_id: churn
schedule: "@monthly"
start_date: 2026-01-01
train: acme.churn:train
train_kwargs:
  until: "{{ params.until }}"
validation_data: s3://acme/held-out.parquet
shadow_window:
  start: "{{ params.start }}"
  end: 2026-02-01
policy:
  validation:
    comparisons:
      - metric: brier
        margin: 0.01
  shadow:
    comparisons:
      - metric: brier
        margin: 0.005
  require_approval: true
approval:
  assigned_users:
    - {id: "7", name: ann}
  response_hours: 4
params:
  until: "2026-01-01"
  start: "2026-01-01"
tags: [customers]
owner: ml-team
retries: 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder of files by name; each is the good lifecycle with one piece of text replaced."""

    def make(**files: str) -> Path:
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(dedent(text))
        return tmp_path

    return make


def _other(model_id: str) -> str:
    return GOOD.replace("model_id: churn", f"model_id: {model_id}")


def _wrong(folder: Callable[..., Path], old: str, new: str) -> list[str]:
    """The problems that the check finds in a folder with one file in which ``old`` was replaced."""
    from model_lifecycle.operators.dag_factory.yaml_folder import (
        InvalidLifecycles,
        check_lifecycles,
    )

    assert old in GOOD
    made = folder(churn=GOOD.replace(old, new))
    with pytest.raises(InvalidLifecycles) as error:
        check_lifecycles(made)
    return str(error.value).replace(f"{made}/", "").strip().splitlines()


def test_a_file_is_a_whole_lifecycle(folder: Callable[..., Path]) -> None:
    """Everything that the file says arrives in the DAG."""
    from model_lifecycle.operators import lifecycles_from

    (dag,) = lifecycles_from(folder(churn=GOOD)).values()
    tasks: dict[str, Any] = dag.task_dict
    approve = tasks["approve"]

    assert (dag.dag_id, dag.max_active_runs) == ("acme.churn", 1)
    assert str(dag.schedule) == "@monthly"
    assert dag.start_date is not None
    assert dag.start_date.isoformat() == "2026-01-01T00:00:00+00:00"
    assert {"customers", "acme", "churn"} <= dag.tags
    assert tasks["shadow_test"].end == "2026-02-01"
    assert (tasks["train"].retries, tasks["train"].owner) == (5, "ml-team")
    assert tasks["set_policy"].policy["require_approval"] is True
    assert approve.assigned_users == [{"id": "7", "name": "ann"}]
    assert approve.response_timeout.total_seconds() == 4 * 3600


def test_many_models_are_one_dag_each(folder: Callable[..., Path]) -> None:
    """Folders within the folder count as well; the ids are those of tenant and model."""
    from model_lifecycle.operators import lifecycles_from

    made = folder(a=_other("churn"), b=_other("fraud"))
    (made / "eu").mkdir()
    (made / "eu" / "c.yml").write_text(_other("churn").replace("acme\n", "acme-eu\n", 1))

    assert sorted(lifecycles_from(made)) == ["acme-eu.churn", "acme.churn", "acme.fraud"]


def test_functions_are_imported_when_the_task_runs(folder: Callable[..., Path]) -> None:
    """A function that does not exist yet hurts nobody but its own task."""
    from model_lifecycle.operators import lifecycles_from

    text = GOOD.replace("acme.churn:train", "json:loads")
    (dag,) = lifecycles_from(folder(churn=text)).values()
    (other,) = lifecycles_from(folder(churn=GOOD)).values()

    tasks: dict[str, Any] = dag.task_dict
    others: dict[str, Any] = other.task_dict

    assert tasks["train"].train(s="[1]") == [1]
    with pytest.raises(ModuleNotFoundError):
        others["train"].train()


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        ("schedule:", "shedule:", "shedule", "unknown key 'shedule'; did you mean 'schedule'?"),
        ("model_id: churn\n", "", "tenant_id", "a lifecycle needs 'model_id'"),
        ("acme.churn:train", "acme.churn", "train:", "train: 'acme.churn' does not match"),
        ("retries: 5", "retries: many", "retries", "retries: 'many' is not of type 'integer'"),
        ("end: 2026", "ende: 2026", "ende", "unknown key 'ende'; did you mean 'end'?"),
        ("model_id: churn", "model_id: a/b", "model_id", "model"),
        ("margin: 0.01\n", "margin: -1\n", "margin: -1", "comparison brier.margin must be a"),
        ("margin: 0.01\n", "margni: 1\n", "margni", "validation.comparisons has no field"),
        (
            "brier\n        margin: 0.01",
            "b\n        margin: 0.01",
            "metric: b\n",
            "comparison.metr",
        ),
        ("require_approval: true", "require_approval: false", "approval:\n", "approval is asked"),
        ("require_approval: true", "evidence_max_age_days: 9999", "evidence_", "policy.evidence_"),
        ("tags: [customers]", "tags: [customers", ": ml-team", "expected ',' or ']'"),
        (
            "owner: ml-team",
            "tenant_id: acme",
            "tenant_id: acme\nretries",
            "'tenant_id' is there twice",
        ),
        ('"@monthly"', '"61 * * * *"', "\n", "no DAG 'acme.churn' can be made: "),
        ("params:\n", "params: 7\nx:\n", "x:", "unknown key 'x'; keys here are approval"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    folder: Callable[..., Path], old: str, new: str, where: str, message: str
) -> None:
    """File, line and column of what is wrong, and what would be right."""
    problems = _wrong(folder, old, new)
    before, position, _ = GOOD.replace(old, new).partition(where)
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1

    assert position
    assert [item for item in problems if item.startswith(f"churn.yaml:{line}:{column}: {message}")]


def test_all_mistakes_of_a_file_are_told_at_once(folder: Callable[..., Path]) -> None:
    """Nobody has to load a file five times to mend five mistakes."""
    problems = _wrong(folder, "tags: [customers]\nowner: ml-team", "tag: 1\nowner: 7\nretires: 2")
    first = GOOD.partition("tags:")[0].count("\n") + 1

    assert [int(line.split(":")[1]) for line in problems[:3]] == [first, first + 1, first + 2]


def test_two_files_for_one_dag_are_a_mistake(folder: Callable[..., Path]) -> None:
    """The second of two files with the same id is named, with the first."""
    from model_lifecycle.operators.dag_factory.yaml_folder import (
        InvalidLifecycles,
        check_lifecycles,
    )

    with pytest.raises(InvalidLifecycles, match=r"b\.yaml:1:1: .*a\.yaml; give this one a"):
        check_lifecycles(folder(a=GOOD, b=GOOD))


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A misspelt path is not an empty folder."""
    from model_lifecycle.operators import lifecycles_from
    from model_lifecycle.operators.dag_factory.yaml_folder import InvalidLifecycles

    with pytest.raises(InvalidLifecycles, match="there is no folder"):
        lifecycles_from(tmp_path / "x")


def test_a_broken_file_does_not_hide_the_others(
    folder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory, airflow_database: None
) -> None:
    """Airflow loads the good DAGs, and its import error names the broken file and line."""
    from airflow.dag_processing.dagbag import DagBag

    made = folder(good=GOOD, broken=_other("fraud").replace("retries: 5", "retries: many"))
    dags = tmp_path_factory.mktemp("dags")
    for name in ("lifecycles_from", "check_lifecycles"):
        (dags / f"{name}.py").write_text(
            f'"""airflow dags"""\nfrom model_lifecycle.operators import {name}\n'
            f"globals().update({name}({str(made)!r}) or {{}})\n"
        )
    bag = DagBag(dag_folder=str(dags), bundle_name="tests", bundle_path=dags)

    line = GOOD.partition("retries:")[0].count("\n") + 1

    assert f"broken.yaml:{line}:1: retries: 'many'" in bag.import_errors["check_lifecycles.py"]
    assert (list(bag.dags), list(bag.import_errors)) == (["acme.churn"], ["check_lifecycles.py"])


@pytest.mark.timeout(240)
def test_a_hundred_lifecycles_cost_little(folder: Callable[..., Path]) -> None:
    """Reading, checking and making a DAG costs at most 30 ms of processor time a file, and imports
    nothing heavy."""
    made = folder(**{f"m{number}": _other(f"model-{number}") for number in range(100)})
    script = (
        "import json, sys, time\nfrom airflow.sdk import DAG\n"
        "from model_lifecycle.operators import lifecycles_from\n"
        f"start = time.process_time()\ndags = lifecycles_from({str(made)!r})\n"
        "spent = time.process_time() - start\n"
        "print(json.dumps([len(dags), spent, sorted(sys.modules)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    count, seconds, modules = json.loads(done.stdout.splitlines()[-1])

    assert {"mlflow", "numpy", "pandas", "scipy", "boto3"} & {*modules} == set()
    assert count == 100
    assert seconds / count <= 0.03, f"{1000 * seconds / count:.0f} ms a file"


_LIFECYCLE = GOOD.replace("retries: 5\n", "")
_PLATFORM = """
pool: gpu
queue: fast
execution_timeout: 3600
catchup: true
max_active_runs: 2
timezone: Europe/Berlin
default_args: {retries: 1, retry_delay: 60, pool_slots: 2}
"""


def test_settings_of_a_platform_reach_dag_and_tasks(tmp_path: Path) -> None:
    """Pool, queue and time limits are every task's; the schedule goes by the file's time zone."""
    from datetime import timedelta

    from model_lifecycle.operators import lifecycles_from

    (tmp_path / "churn.yaml").write_text(_LIFECYCLE + _PLATFORM)
    (dag,) = lifecycles_from(tmp_path).values()
    tasks = {
        (
            *(task.pool, task.queue, task.pool_slots, task.retries),
            *(task.execution_timeout, task.retry_delay),
        )
        for task in dag.tasks
    }

    assert tasks == {("gpu", "fast", 2, 1, timedelta(hours=1), timedelta(minutes=1))}
    assert (dag.catchup, dag.max_active_runs, dag.timezone.name) == (True, 2, "Europe/Berlin")
    assert dag.start_date is not None
    assert dag.start_date.isoformat() == "2025-12-31T23:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pool: 5", r"pool: 5 is not of type 'string'"),
        ("queue: ''", r"queue: '' should be non-empty"),
        ("execution_timeout: soon", r"execution_timeout: .*a number of seconds"),
        ("execution_timeout: 0", r"execution_timeout: .*a number of seconds"),
        ("catchup: often", r"catchup: 'often' is not of type 'boolean'"),
        ("max_active_runs: 0", r"max_active_runs: 0 is less than the minimum of 1"),
        ("timezone: Europe/Berln", r"timezone: 'Europe/Berln' .*did you mean 'Europe/Berlin'"),
        ("timezone: ../etc", r"timezone: '../etc' is not a name of a time zone"),
        ("default_args: [retries]", r"default_args: .* is not of type 'object'"),
        ("default_args: {retrys: 1}", r"unknown key 'retrys'; did you mean 'retries'"),
        ("default_args: {retry_delay: -1}", r"default_args.retry_delay: .*a number of seconds"),
        ("pool: a\ndefault_args: {pool: b}", r"default_args.pool and pool say the same"),
        ("pol: gpu", r"unknown key 'pol'; did you mean 'pool'"),
    ],
)
def test_wrong_setting_of_a_platform_is_refused_by_name(
    tmp_path: Path, text: str, message: str
) -> None:
    """The mistake has the key's name, and what is allowed there."""
    from model_lifecycle.operators import check_lifecycles
    from model_lifecycle.operators.dag_factory.yaml_folder import InvalidLifecycles

    (tmp_path / "churn.yaml").write_text(f"{_LIFECYCLE}{text}\n")

    with pytest.raises(InvalidLifecycles, match=message):
        check_lifecycles(tmp_path)


@pytest.mark.parametrize("text", ["timezone: Europe/Berlin", "catchup: true"])
def test_setting_that_needs_a_start_date_says_so(tmp_path: Path, text: str) -> None:
    """Neither means anything without one."""
    without = _LIFECYCLE.replace("start_date: 2026-01-01\n", "")

    from model_lifecycle.operators import check_lifecycles
    from model_lifecycle.operators.dag_factory.yaml_folder import InvalidLifecycles

    (tmp_path / "churn.yaml").write_text(f"{without}{text}\n")

    with pytest.raises(InvalidLifecycles, match="needs a 'start_date'"):
        check_lifecycles(tmp_path)
