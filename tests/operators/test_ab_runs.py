"""An A/B test as its users have it: a serving system that splits traffic, and a DAG that judges."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from support.task_fixtures import CallRegistry, Judge, ModelNames, Promote, Register

from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.stages import Gate

if TYPE_CHECKING:
    from model_lifecycle.registry.model_registry import ModelRegistry


pytestmark = pytest.mark.timeout(600)

DAYS, PER_DAY, SALT, SHARE = 8, 900, "heart-2013", 0.3
START = datetime(2013, 7, 1, tzinfo=UTC)


class Serve(Protocol):
    """Writes traffic in which each version helps so large a share of its patients."""

    def __call__(self, champion: float, challenger: float) -> None: ...


@pytest.fixture
def versions(
    in_production: Register,
    register: Register,
    judge: Judge,
    promote: Promote,
    ask: CallRegistry,
    model: ModelNames,
) -> tuple[int, int]:
    """A champion in production, and a version in staging that passed validation. The policy asks
    for an A/B test, and for nothing else."""
    from model_lifecycle.gates.policy.promotion import (
        ABPolicy,
        Limit,
        OutcomeDemand,
        ValidationPolicy,
        promotion_policy,
    )

    champion = in_production()
    policy = promotion_policy(
        validation=ValidationPolicy(limits=(Limit("accuracy", minimum=0.6),)),
        ab_test=ABPolicy(
            outcomes=(OutcomeDemand("recovered", margin=0.02),),
            unit="patient",
            share=SHARE,
            salt=SALT,
            min_units=300,
            expected_units=3000,
        ),
    )
    ask(lambda registry: registry.set_policy(**model, policy=policy, actor="somebody"))
    version = register()
    judge(version, Gate.VALIDATION)
    promote(version, "staging", run_id="staged")
    return champion, version


def challenged(patient: str) -> bool:
    """The serving system's own lines, written from the documentation: nothing of ours."""
    digest = hashlib.sha256(f"{SALT}:{patient}".encode()).hexdigest()[:16]
    return int(digest, 16) < SHARE * 2**64


@pytest.fixture
def serve(ask: CallRegistry, model: ModelNames, versions: tuple[int, int]) -> Serve:
    """Days of traffic, split by the patient; each version helps as many as it is set to."""
    import numpy as np
    import pandas as pd

    def call(champion: float, challenger: float) -> None:
        rng = np.random.default_rng(3)

        async def write(registry: ModelRegistry) -> None:
            from model_lifecycle.gates.data.traffic_writer import write_traffic

            for day in range(DAYS):
                at = START + timedelta(days=day, hours=9)
                patients = [f"p{number}" for number in rng.integers(0, 20_000, PER_DAY)]
                treated = np.array([challenged(patient) for patient in patients])
                helped = rng.random(PER_DAY) < np.where(treated, challenger, champion)
                frame = pd.DataFrame(
                    {
                        "pressure": rng.normal(20, 5, PER_DAY),
                        "patient": patients,
                        "request_id": [f"{day}-{number}" for number in range(PER_DAY)],
                        "requested_at": at,
                        "version": np.where(treated, versions[1], versions[0]),
                        "role": np.where(treated, "challenger", "champion"),
                        "prediction": True,
                        "recovered": helped.astype(int),
                    }
                )
                await write_traffic(registry.artifacts, **model, hour=at, frame=frame)

        ask(write)

    return call


@pytest.fixture
def run(
    airflow_database: None, versions: tuple[int, int], tenant: str
) -> Callable[[], dict[str, str]]:
    """The DAG of this tenant, run by Airflow."""

    def call() -> dict[str, str]:
        from airflow.configuration import conf
        from airflow.dag_processing.dagbag import DagBag

        folder = conf.get("core", "dags_folder")
        bag = DagBag(dag_folder=folder, bundle_name="dags-folder", bundle_path=Path(folder))
        dag = bag.dags[tenant.replace("-", "_")]
        done = dag.test(run_conf={"version": versions[1]})
        return {ti.task_id: ti.state for ti in done.get_task_instances()}

    return call


@pytest.mark.parametrize("tenant", ["ab-better"])
def test_better_outcomes_promote(
    versions: tuple[int, int],
    serve: Serve,
    run: Callable[[], dict[str, str]],
    ask: CallRegistry,
    model: ModelNames,
) -> None:
    """Evidence of the A/B test alone brings the version into production, by the ledger's rules."""
    serve(champion=0.3, challenger=0.45)

    states = run()

    metadata = ask(lambda registry: registry.get_model(**model))
    evidence = ask(lambda registry: registry.list_evidence(**model, version=versions[1]))
    judged = [item for item in evidence if item.gate is Gate.AB_TEST]
    assert states == dict.fromkeys(("follow", "judge", "promote"), "success")
    assert metadata is not None
    assert metadata.production_version == versions[1]
    assert [item.verdict for item in judged] == [Verdict.PASS, Verdict.PASS]
    assert {item.baseline for item in judged} == {versions[0]}
    assert ask(lambda registry: registry.verify_ledger(**model)) > 0


@pytest.mark.parametrize("tenant", ["ab-worse"])
def test_worse_outcomes_hold(
    versions: tuple[int, int],
    serve: Serve,
    run: Callable[[], dict[str, str]],
    ask: CallRegistry,
    model: ModelNames,
) -> None:
    """A version with worse outcomes stays where it is, and the run succeeds."""
    serve(champion=0.45, challenger=0.3)

    states = run()

    metadata = ask(lambda registry: registry.get_model(**model))
    assert states == {"follow": "success", "judge": "success", "promote": "skipped"}
    assert metadata is not None
    assert metadata.production_version == versions[0]
