from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.task_fixtures import MakeContext, TaskContext

from model_lifecycle.operators import GateReportLink, ModelVersionLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink

    from model_lifecycle.operators import ModelRegistryHook


@pytest.fixture
def hook(no_registry: None, monkeypatch: pytest.MonkeyPatch) -> ModelRegistryHook:
    from model_lifecycle.operators import ModelRegistryHook

    extra = {
        "tracking_uri": "https://mlflow.example.com/",
        "artifact_ui_url": "https://files.example.com/models/",
    }
    connection = {"conn_type": "model_registry", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT", json.dumps(connection))
    return ModelRegistryHook()


@pytest.fixture
def ctx(context: MakeContext) -> TaskContext:
    from airflow.sdk import BaseOperator

    return context(BaseOperator(task_id="task"))


def _link(link: BaseOperatorLink, ctx: TaskContext) -> str:
    """The link at the end of the task, in its own process."""
    return link.get_link(ctx["task"], ti_key=ctx["ti"])


def test_version_link_leads_to_mlflow(hook: ModelRegistryHook, ctx: TaskContext) -> None:
    """The button opens the version's page under its name in MLflow."""
    ModelVersionLink.publish(ctx, hook, "acme", "churn.eu", {"version": 3})

    expected = "https://mlflow.example.com/#/models/acme.churn.eu/versions/3"

    assert _link(ModelVersionLink(), ctx) == expected


def test_report_link_leads_to_the_artifact_site(hook: ModelRegistryHook, ctx: TaskContext) -> None:
    """The button opens the report where people reach the artifact root."""
    GateReportLink.publish(ctx, hook, "acme/reports/churn/1/shadow-7/report.html")

    expected = "https://files.example.com/models/acme/reports/churn/1/shadow-7/report.html"

    assert _link(GateReportLink(), ctx) == expected


@pytest.mark.parametrize("link", [ModelVersionLink(), GateReportLink()])
def test_link_of_a_task_that_published_nothing_is_empty(
    link: BaseOperatorLink, ctx: TaskContext
) -> None:
    """A worker asks for links in every state; without data the answer is empty, and XCom, which
    would log an error, is not asked."""
    assert _link(link, ctx) == ""


def test_embedded_tracking_has_no_link(
    no_registry: None, ctx: TaskContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There is no page to open for MLflow in a file."""
    from model_lifecycle.operators import ModelRegistryHook

    monkeypatch.setenv("MODEL_LIFECYCLE_HOME", str(tmp_path))
    ModelVersionLink.publish(ctx, ModelRegistryHook(), "acme", "churn", {"version": 3})

    assert ctx["ti"].pushed == {}


def test_report_link_needs_no_setting(
    no_registry: None, ctx: TaskContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The button opens the report in the API that Airflow serves itself."""
    from model_lifecycle.operators import ModelRegistryHook

    monkeypatch.setenv("MODEL_LIFECYCLE_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/team/")
    report = {"model_id": "churn.eu", "version": 3, "evidence_id": "e 1"}
    GateReportLink.publish(ctx, ModelRegistryHook(), "acme/reports/x/report.html", report)

    assert _link(GateReportLink(), ctx) == (
        "https://airflow.example.com/team/model-lifecycle"
        "/api/v1/models/churn.eu/versions/3/evidence/e%201/report"
    )


def test_report_link_leads_to_a_route_of_the_api() -> None:
    """The address that operators link is one that the API answers."""

    from fastapi.routing import APIRoute

    from model_lifecycle.api.routers import documents
    from model_lifecycle.operators.links import report_address
    from model_lifecycle.operators.runtime.api_mount import URL_PREFIX

    report = {"model_id": "churn", "version": 3, "evidence_id": "e1"}
    path = report_address(report).partition(URL_PREFIX)[2]
    routes = {route.name: route for route in documents.router.routes if isinstance(route, APIRoute)}
    names = {name: str(value) for name, value in report.items()}

    assert path.endswith(routes["read_report"].url_path_for("read_report", **names))


def test_approval_form_links_reports_and_shows_no_bucket() -> None:
    """Addresses that a person cannot open are not on the form."""
    from model_lifecycle.operators.approval_rules import Question, approval_body
    from model_lifecycle.registry.domain.evidence import Evidence, Verdict
    from model_lifecycle.registry.domain.stages import Gate

    question = Question("acme", "churn", 3, "sha256:1", None, "f", "kim")
    bound: dict[str, Any] = {
        "bundle_digest": "sha256:1",
        "baseline": None,
        "policy_fingerprint": "f",
    }
    own, foreign = (
        Evidence(evidence_id=gate, gate=gate, verdict=Verdict.PASS, report_uri=uri, **bound)
        for gate, uri in (
            (Gate.SHADOW, "s3://lifecycle/acme/reports/1"),
            (Gate.VALIDATION, "https://lab/1"),
        )
    )
    body = approval_body(question, [own, foreign], {Gate.SHADOW: "https://airflow/report"})

    assert "s3://" not in body
    assert "[report](https://airflow/report)" in body
    assert "[report](https://lab/1)" in body
