"""Airflow DAGs that start when a model is promoted: this one, any, and each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import DAG, BaseOperator, PartitionedAssetTimetable

from model_lifecycle.operators import any_model_asset, each_model_asset, production_asset

if TYPE_CHECKING:
    from airflow.sdk import Context


class Tell(BaseOperator):
    """Nothing to do: that it was started is the point."""

    def execute(self, context: Context) -> None:
        return None


_SCHEDULES = {
    "after_heart": [production_asset("clinic", "heart")],
    "after_any_model": [any_model_asset()],
    "after_each_model": PartitionedAssetTimetable(assets=each_model_asset()),
    "after_another_model": [production_asset("clinic", "lung")],
}

for dag_id, schedule in _SCHEDULES.items():
    with DAG(dag_id=dag_id, schedule=schedule, is_paused_upon_creation=False):
        Tell(task_id="tell")
