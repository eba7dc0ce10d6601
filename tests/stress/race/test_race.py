"""Eight processes, one model: of those that expect the same, exactly one wins."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stress.crash.figures import figure
from stress.race.processes import Promoters, promoters
from stress.race.promoter import MODEL, TENANT
from stress.race.rounds import next_rivals, outcome, prepare
from support.histories import problems
from support.servers.service import Service

from model_lifecycle.registry.ledger.migrate import upgrade
from model_lifecycle.registry.sync import run_sync

PROCESSES = 8


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """A ledger on each database, and a folder."""
    place = {"home": str(tmp_path_factory.mktemp("race")), "database_url": ""}
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        place["database_url"] = server.url("asyncpg", server.create_database())
        run_sync(upgrade(place["database_url"]))
    return place


@pytest.fixture(scope="module")
def crowd(place: dict[str, Any]) -> Iterator[Promoters]:
    """The processes, which take seconds to start: once for all tests of a database."""
    run_sync(prepare(place, PROCESSES + 1))
    with promoters(PROCESSES, place) as crowd:
        yield crowd


ROUNDS = pytest.mark.parametrize(
    "rounds",
    [
        pytest.param(8, id="some"),
        pytest.param(200, id="many", marks=[pytest.mark.stress, pytest.mark.timeout(1800)]),
    ],
)


@ROUNDS
def test_one_promoter_wins_each_round(place: dict[str, Any], crowd: Promoters, rounds: int) -> None:
    """The other seven get the error that production is not what they expected any more."""
    outcomes: list[list[str]] = []
    attempts: list[dict[str, Any]] = []
    in_production: list[int] = []
    for _ in range(rounds):
        rivals, production = run_sync(next_rivals(place))
        answers = crowd.promote(rivals, production)
        attempts += answers
        outcomes.append(sorted(answer["outcome"] for answer in answers))
        _, stages = run_sync(outcome(place))
        in_production.append(list(stages.values()).count("production"))
    entries, _ = run_sync(outcome(place))
    if rounds > 100:
        figure(
            "Eight processes promote at once",
            f"{'PostgreSQL' if place['database_url'] else 'SQLite'}, the ledger alone",
            rounds=rounds,
            one_winner=sum(item.count("done") == 1 for item in outcomes),
            conflicts=sum(item.count("stale_production") for item in outcomes),
            not_one_in_production=rounds - in_production.count(1),
            alias_elsewhere="-",
        )

    assert in_production == [1] * rounds
    assert outcomes == [["done"] + ["stale_production"] * (PROCESSES - 1)] * rounds
    assert problems(entries, attempts) == []


@pytest.mark.parametrize(
    "attempts",
    [
        pytest.param(12, id="some"),
        pytest.param(300, id="many", marks=[pytest.mark.stress, pytest.mark.timeout(1800)]),
    ],
)
def test_changes_at_once_are_as_if_one_after_the_other(
    place: dict[str, Any], crowd: Promoters, attempts: int
) -> None:
    """Promotions, demotions and rollbacks of eight processes leave one chain, whose every step
    began where its writer expected it to, in an order that agrees with the clock."""
    tried = crowd.roam(attempts)
    entries, stages = run_sync(outcome(place))
    unexpected = {item["outcome"] for item in tried} - {
        "done",
        "stale_production",
        "invalid_transition",
        "no_earlier_production",
    }

    assert unexpected == set()
    assert list(stages.values()).count("production") <= 1
    assert sum(item["outcome"] == "done" for item in tried) > attempts
    assert problems(entries, tried) == []


@pytest.mark.service
@pytest.mark.parametrize(
    ("count", "rounds"),
    [
        pytest.param(2, 3, id="some"),
        pytest.param(
            PROCESSES, 200, id="many", marks=[pytest.mark.stress, pytest.mark.timeout(3600)]
        ),
    ],
)
def test_the_alias_points_to_the_winner(
    service: Service, tmp_path: Path, count: int, rounds: int
) -> None:
    """PostgreSQL and an MLflow server over HTTP: once a round is quiet, MLflow shows the version
    that the ledger has in production."""
    from mlflow import MlflowClient

    database = service.postgres.url("asyncpg", service.postgres.create_database())
    run_sync(upgrade(database))
    place = {"home": str(tmp_path), "database_url": database}
    bucket = service.seaweed.create_bucket(f"race-{uuid.uuid4().hex[:8]}")
    served = {
        **place,
        "tracking_uri": service.mlflow_url,
        "artifact_root": bucket,
        "s3_endpoint_url": service.seaweed.url,
        "call_timeout": 60,
    }
    run_sync(prepare(served, count + 1))
    name = f"{TENANT}.{MODEL}"
    client = MlflowClient(tracking_uri=service.mlflow_url, registry_uri=service.mlflow_url)
    client.create_registered_model(name)
    for version in range(1, count + 2):
        client.create_model_version(name, source=f"{bucket}/{TENANT}/models/{MODEL}/{version}")
    outcomes: list[list[str]] = []
    in_production: list[int] = []
    astray: list[tuple[int, int]] = []
    with promoters(count, served) as crowd:
        for number in range(rounds):
            rivals, production = run_sync(next_rivals(place))
            answers = crowd.promote(rivals, production)
            outcomes.append(sorted(item["outcome"] for item in answers))
            _, stages = run_sync(outcome(place))
            in_production.append(list(stages.values()).count("production"))
            alias = int(client.get_model_version_by_alias(name, "production").version)
            if stages[alias] != "production":
                astray.append((number, alias))
    if rounds > 100:
        figure(
            "Eight processes promote at once",
            "PostgreSQL and MLflow over HTTP",
            rounds=rounds,
            one_winner=sum(item.count("done") == 1 for item in outcomes),
            conflicts=sum(item.count("stale_production") for item in outcomes),
            not_one_in_production=rounds - in_production.count(1),
            alias_elsewhere=len(astray),
        )

    assert astray == []
    assert in_production == [1] * rounds
    assert outcomes == [["done"] + ["stale_production"] * (count - 1)] * rounds
