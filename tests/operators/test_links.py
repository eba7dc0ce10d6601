from __future__ import annotations

import json

import pytest

from model_lifecycle.operators import GateReportLink, ModelVersionLink


@pytest.fixture
def hook(no_registry, monkeypatch):
    from model_lifecycle.operators import ModelRegistryHook

    extra = {
        "tracking_uri": "https://mlflow.example.com/",
        "artifact_ui_url": "https://files.example.com/models/",
    }
    connection = {"conn_type": "model_registry", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT", json.dumps(connection))
    return ModelRegistryHook()


@pytest.fixture
def ctx(context):
    from airflow.sdk import BaseOperator

    return context(BaseOperator(task_id="task"))


def _link(link, ctx):
    """What the link says at the end of the task, in its own process."""
    return link.get_link(ctx["task"], ti_key=ctx["ti"])


def test_version_link_leads_to_mlflow(hook, ctx):
    """The button opens the version's page under its name in MLflow."""
    ModelVersionLink.publish(ctx, hook, "acme", "churn.eu", {"version": 3})

    expected = "https://mlflow.example.com/#/models/acme.churn.eu/versions/3"

    assert _link(ModelVersionLink(), ctx) == expected


def test_report_link_leads_to_the_artifact_site(hook, ctx):
    """The button opens the report where people reach the artifact root."""
    GateReportLink.publish(ctx, hook, "acme/reports/churn/1/shadow-7/report.html")

    expected = "https://files.example.com/models/acme/reports/churn/1/shadow-7/report.html"

    assert _link(GateReportLink(), ctx) == expected


@pytest.mark.parametrize("link", [ModelVersionLink(), GateReportLink()])
def test_link_of_a_task_that_published_nothing_is_empty(link, ctx):
    """A worker asks for links in every state; without data the answer is empty, and XCom, which
    would log an error, is not asked."""
    assert _link(link, ctx) == ""


def test_embedded_tracking_has_no_link(no_registry, ctx, monkeypatch, tmp_path):
    """There is no page to open for MLflow in a file."""
    from model_lifecycle.operators import ModelRegistryHook

    monkeypatch.setenv("MODEL_LIFECYCLE_HOME", str(tmp_path))
    ModelVersionLink.publish(ctx, ModelRegistryHook(), "acme", "churn", {"version": 3})

    assert ctx["ti"].pushed == {}
