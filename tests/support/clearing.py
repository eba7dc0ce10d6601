"""Airflow's own clear, followed by the run that it asks for, in this process."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def clear_and_run(dag: Any, run: Any, task_ids: Collection[str]) -> None:
    """Clear tasks of a run that ``dag.test()`` finished, and run them as it runs tasks."""
    from airflow.models.dagbag import DBDagBag
    from airflow.models.taskinstance import clear_task_instances
    from airflow.sdk.definitions.dag import _run_task
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, TaskInstanceState

    with create_session(scoped=False) as session:
        run = session.merge(run)
        tasks = [ti for ti in run.get_task_instances(session=session) if ti.task_id in task_ids]
        clear_task_instances(tasks, session)
        run.dag = DBDagBag(load_op_links=False).get_dag_for_run(run, session=session)
        run.state = DagRunState.RUNNING
        session.commit()
        while run.state == DagRunState.RUNNING:
            session.expire_all()
            ready, _ = run.update_state(session=session)
            for ti in ready:
                ti.try_number += 1
                ti.state = TaskInstanceState.SCHEDULED
            session.commit()
            for ti in ready:
                _run_task(ti=ti, task=dag.task_dict[ti.task_id])
