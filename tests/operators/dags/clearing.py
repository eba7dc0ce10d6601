"""An Airflow DAG whose training code is corrected after its first run, and then cleared."""

from __future__ import annotations

import os

from airflow.sdk import DAG
from support.task_fixtures import ModelNames

from model_lifecycle.operators import RegisterModelOperator, TrainModelOperator
from model_lifecycle.registry.domain.models import TrainedModel

#: Stands for the code: a test corrects it between two runs of the same task.
CODE = "TEST_TRAINING_CODE"
MODEL: ModelNames = {"tenant_id": "cleared", "model_id": "heart"}


def train() -> TrainedModel:
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    strength = float(os.environ[CODE])
    frame = pd.DataFrame({"pressure": [float(n) for n in range(40)]})
    model = LogisticRegression(C=strength).fit(frame, frame["pressure"] > 20)
    parameters = {"C": strength}
    return TrainedModel(model, "sklearn", {}, parameters, input_example=frame.head(3))


with DAG(dag_id="clearing", schedule=None, default_args={"retries": 1}):
    trained = TrainModelOperator(task_id="train", train=train, **MODEL)
    source = "{{ ti.xcom_pull(task_ids='train')['model_uri'] }}"
    trained >> RegisterModelOperator(task_id="register", source=source, **MODEL)
