"""An Airflow of the tests' own: a home in a temporary folder, set before Airflow is imported."""

from __future__ import annotations

import itertools
import json
import os
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from support.airflow_home import prepare
from support.approvals import ANN, answer_event, parked
from support.task_fixtures import (
    CallRegistry,
    Fitted,
    History,
    Judge,
    MakeContext,
    ModelNames,
    Promote,
    Register,
    TaskContext,
)

from model_lifecycle.registry.domain.evidence import Evidence, Verdict
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stages import Gate

if TYPE_CHECKING:
    from model_lifecycle.registry.model_registry import ModelRegistry

T = TypeVar("T")
_numbers = itertools.count(1)
_DAGS = Path(__file__).parent / "dags"

prepare()


#: Where the core works beside Airflow, third parties warn of each other by the hundred: skops looks
#: for names in every module there is, also in Airflow's deprecated ones; MLflow is of SQLAlchemy
#: 2.0 and pandas 3.0. What comes from our own modules stays an error.
_OURS_ONLY = pytest.mark.filterwarnings("ignore", "error:::model_lifecycle")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "registry_home" in getattr(item, "fixturenames", ()):
            item.add_marker(_OURS_ONLY)


class TaskInstance(SimpleNamespace):
    """The part of a task instance that operators use; keeps what is pushed to XCom."""

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


@dataclass
class TaskStateStore:
    """The state that a task keeps between its tries, as plain JSON."""

    stored: dict[str, Any]

    def get(self, key: str, default: Any = None) -> Any:
        return self.stored.get(key, default)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self.stored[key] = json.loads(json.dumps(value))


@pytest.fixture
def context() -> MakeContext:
    """A context for a task, as a worker would give it."""

    def make(
        task: Any,
        *,
        dag_id: str = "lifecycle",
        run_id: str = "manual__2013-07-01T00:00:00+00:00",
        try_number: int = 1,
        map_index: int = -1,
        cleared_after: int = 0,
        user: str | None = "kim",
        stored: dict[str, Any] | None = None,
    ) -> TaskContext:
        from airflow.sdk.execution_time.context import OutletEventAccessors

        ti = TaskInstance(
            dag_id=dag_id,
            run_id=run_id,
            task_id=task.task_id,
            id=uuid.uuid4(),
            map_index=map_index,
            try_number=try_number,
            max_tries=task.retries + cleared_after,
            task=task,
            pushed={},
        )
        return {
            "ti": ti,
            "task_instance": ti,
            "task_state_store": TaskStateStore({} if stored is None else stored),
            "task": task,
            "dag_run": SimpleNamespace(triggering_user_name=user),
            "outlet_events": OutletEventAccessors(),
        }

    return make


@pytest.fixture
def no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which nothing says where the registry is."""
    for name in list(os.environ):
        if name.startswith(("MODEL_LIFECYCLE_", "AIRFLOW_CONN_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's own tables, created once."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture(scope="session")
def registry_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of one embedded registry for all tests: a tenant each keeps them apart."""
    return tmp_path_factory.mktemp("registry")


@pytest.fixture
def ask(registry_home: Path, no_registry: None, monkeypatch: pytest.MonkeyPatch) -> CallRegistry:
    """Ask the real registry, the one that operators reach through the environment."""
    from model_lifecycle.registry.factory import open_registry
    from model_lifecycle.registry.sync import run_sync

    monkeypatch.setenv("MODEL_LIFECYCLE_HOME", str(registry_home))

    def call(question: Callable[[ModelRegistry], Awaitable[T]]) -> T:
        async def within() -> T:
            async with open_registry() as registry:
                return await question(registry)

        return run_sync(within())

    return call


@pytest.fixture
def tenant() -> str:
    """A tenant of the test's own."""
    return f"t-{next(_numbers)}"


@pytest.fixture(scope="session")
def fitted() -> Fitted:
    """A model and a frame from which its signature is read."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    frame = pd.DataFrame({"pressure": [float(n) for n in range(40)]})
    return LogisticRegression().fit(frame, frame["pressure"] > 20), frame.head(3)


@pytest.fixture
def model(tenant: str) -> ModelNames:
    """The names of the test's model, as operators take them."""
    return {"tenant_id": tenant, "model_id": "heart"}


@pytest.fixture
def register(ask: CallRegistry, model: ModelNames, fitted: Fitted) -> Register:
    """Register the next version, as somebody outside Airflow would."""

    def call() -> int:
        classifier, example = fitted
        metadata = ask(
            lambda registry: registry.register_model(
                model["tenant_id"],
                model["model_id"],
                classifier,
                "sklearn",
                {},
                {},
                input_example=example,
                created_by="x",
            )
        )
        return metadata.versions[-1]

    return call


@pytest.fixture
def judge(ask: CallRegistry, model: ModelNames) -> Judge:
    """Record what a gate said about a version, against the production of the moment."""

    def call(version: int, gate: Gate, verdict: Verdict = Verdict.PASS) -> None:
        async def record(registry: ModelRegistry) -> None:
            metadata = await registry.get_model(**model)
            assert metadata is not None
            subject = await registry.get_version(**model, version=version)
            assert subject is not None
            policy = await registry.get_policy(**model)
            evidence = Evidence(
                evidence_id=uuid.uuid4().hex,
                gate=gate,
                verdict=verdict,
                bundle_digest=subject.bundle_digest,
                baseline=metadata.production_version,
                policy_fingerprint=policy.fingerprint,
                summary={"sentence": f"accuracy 0.95: {verdict}"},
            )
            await registry.record_evidence(
                **model, version=version, evidence=evidence, actor="judge"
            )

        ask(record)

    return call


@pytest.fixture
def promote(context: MakeContext, model: ModelNames) -> Promote:
    """Run a promotion task; gives its result and its context."""
    from model_lifecycle.operators import PromoteModelOperator

    def call(
        version: int | str, stage: str = "production", **given: Any
    ) -> tuple[dict[str, Any], TaskContext]:
        names = ("run_id", "try_number", "stored")
        extra = {name: value for name, value in given.items() if name not in names}
        task = PromoteModelOperator(
            task_id=f"promote_to_{stage}", version=version, target_stage=stage, **model, **extra
        )
        ctx = context(task, **{name: given[name] for name in names if name in given})
        return task.execute(ctx), ctx

    return call


@pytest.fixture
def in_production(register: Register, judge: Judge, promote: Promote) -> Register:
    """Bring the next version all the way."""

    def call() -> int:
        version = register()
        judge(version, Gate.VALIDATION)
        promote(version, "staging", run_id=f"r{version}")
        judge(version, Gate.SHADOW)
        promote(version, run_id=f"r{version}")
        return version

    return call


@pytest.fixture
def history(ask: CallRegistry, model: ModelNames) -> History:
    """The model's entries in the ledger, read at each call."""
    return lambda: ask(lambda registry: registry.history(**model))


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """The questions that Airflow was given to show to people."""
    forms = []
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail",
        lambda **detail: forms.append(SimpleNamespace(**detail)),
    )
    return forms


@pytest.fixture
def staged(
    register: Register, judge: Judge, promote: Promote, ask: CallRegistry, model: ModelNames
) -> Callable[..., int]:
    """A version in staging that passed the shadow test, of a model that asks for approval."""

    def call(verdict: Verdict = Verdict.PASS) -> int:
        version = register()
        ask(
            lambda registry: registry.set_policy(
                **model, policy=PromotionPolicy(require_approval=True), actor="lead"
            )
        )
        judge(version, Gate.VALIDATION)
        promote(version, "staging", run_id=f"r{version}")
        judge(version, Gate.SHADOW, verdict)
        return version

    return call


@pytest.fixture
def approve(
    context: MakeContext, model: ModelNames, questions: list[SimpleNamespace]
) -> Callable[..., tuple[dict[str, Any], TaskContext]]:
    """Run an approval task as Airflow does: park it, and resume it with the answer."""
    from model_lifecycle.operators import ApproveModelOperator

    def call(
        version: int,
        choice: str = "Approve",
        user: dict[str, str] | None = ANN,
        comment: str = "",
        **given: Any,
    ) -> tuple[dict[str, Any], TaskContext]:
        task = ApproveModelOperator(task_id="approve", version=str(version), **model)
        kwargs = parked(task, context(task, **given))
        resumed = ApproveModelOperator(task_id="approve", version=str(version), **model)
        ctx = context(resumed, **given)
        return resumed.execute_complete(ctx, answer_event(choice, user, comment), **kwargs), ctx

    return call


@pytest.fixture
def approvals(ask: CallRegistry, model: ModelNames) -> Callable[[int], list[Evidence]]:
    """The evidence of the gate ``approval``, read at each call."""

    def read(version: int) -> list[Evidence]:
        evidence = ask(lambda registry: registry.list_evidence(**model, version=version))
        return [item for item in evidence if item.gate is Gate.APPROVAL]

    return read
