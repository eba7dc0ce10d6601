"""The main job on real flights, in four acts: ``python -m model_lifecycle.dags.flights.demo``.

Airflow executes the DAGs of this package, in one process, with everything embedded in one folder
(``MODEL_LIFECYCLE_HOME``, by default ``./.model-lifecycle``). Run again, it removes the home that
it made and starts afresh. Exit code 0 if all DAG runs succeeded, whatever the gates said; else 1.
"""

from __future__ import annotations

import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from model_lifecycle.dags.flights.console import DemoConsole
from model_lifecycle.dags.flights.output_capture import quiet
from model_lifecycle.dags.flights.scenario import ACTS, Run
from model_lifecycle.dags.flights.tables import history_table, report_lines, versions_table
from model_lifecycle.dags.flights.workspace import HomeOccupied, enter, prepare_home, where

if TYPE_CHECKING:
    from airflow.sdk import DAG


class DemoFailed(Exception):
    """A DAG run did not succeed."""


def main() -> int:
    try:
        home, replaced = prepare_home()
    except HomeOccupied as error:
        sys.stderr.write(f"{error}\n")
        return 1
    enter(home)
    log = home / "demo.log"
    with quiet(log) as quieted:
        teller = DemoConsole(quieted.out)
        quieted.overhear = teller.overhear
        teller.say(f"Home: {home}{', in place of the last demo' if replaced else ''}")
        teller.say(f"Log:  {log}")
        try:
            _play(teller, home)
        except KeyboardInterrupt:
            teller.interrupted("Stopped.")
            return 130
        except DemoFailed as error:
            teller.interrupted(f"The demo failed: {error}\nThe log has more: {log}")
            return 1
        except Exception as error:
            traceback.print_exc()
            reason = f"{type(error).__name__}: {error}"
            teller.interrupted(f"The demo failed: {reason}\nThe log has more: {log}")
            return 1
    return 0


def _play(teller: DemoConsole, home: Path) -> None:
    began = time.monotonic()
    teller.started("airflow")
    dags = _airflow(teller)
    teller.finished("[green]✓[/green]", f"new database, {len(dags)} DAGs")
    for number, act in enumerate(ACTS, start=1):
        teller.act(number, len(ACTS), act)
        for run in act.runs:
            _execute(dags[run.dag_id], run)
    _show_state(teller)
    teller.say(f"\nDone in {time.monotonic() - began:.0f} s. Look further with")
    teller.say(f"  {where(home)}model-lifecycle history flight-delay --tenant demo")


def _airflow(teller: DemoConsole) -> dict[str, DAG]:
    """Airflow's database set up, and the DAGs, whose tasks tell what they do."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    initdb()
    folder = Path(__file__).resolve().parent.parent
    bag = DagBag(dag_folder=str(folder), bundle_name="dags-folder", bundle_path=folder)
    if bag.import_errors:
        raise DemoFailed("; ".join(f"{file}: {why}" for file, why in bag.import_errors.items()))
    for dag in bag.dags.values():
        for task in dag.tasks:
            task.retries = 0
            for name, callback in teller.callbacks().items():
                setattr(task, name, [callback])
    return dict(bag.dags)


def _execute(dag: DAG, run: Run) -> None:
    from airflow.sdk import DagRunState

    done = dag.test(run_conf=run.conf)
    if done.state != DagRunState.SUCCESS:
        failed = sorted(ti.task_id for ti in done.get_task_instances() if ti.state == "failed")
        raise DemoFailed(f"run {done.run_id} of {run.dag_id} is {done.state}; failed: {failed}")


def _show_state(teller: DemoConsole) -> None:
    from model_lifecycle.dags.flights.tasks import MODEL, TENANT
    from model_lifecycle.registry.factory import open_registry
    from model_lifecycle.registry.settings import Settings
    from model_lifecycle.registry.sync import run_sync

    async def read() -> None:
        async with open_registry(Settings()) as registry:
            versions = await registry.list_versions(TENANT, MODEL)
            evidence = [
                item
                for version in versions
                for item in await registry.list_evidence(TENANT, MODEL, version.version)
            ]
            teller.show(versions_table(versions))
            teller.show(history_table(await registry.history(TENANT, MODEL)))
            teller.listing("Gate reports", report_lines(evidence))

    run_sync(read())


if __name__ == "__main__":
    sys.exit(main())
