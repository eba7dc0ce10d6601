"""The validation gate on data and models that are not as they should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from support.model_fixture import ModelFixture
from support.present import present

from model_lifecycle.gates.data.datasets import read_dataset
from model_lifecycle.gates.evaluation.recompute import recompute
from model_lifecycle.gates.policy.promotion import Comparison, Limit, ValidationPolicy
from model_lifecycle.gates.report import Check, GateReport
from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.evidence import Verdict

FEATURES = ["recent", "older"]
BRIER = ValidationPolicy(comparisons=(Comparison("brier", 0.01),))


async def _register(
    world: ModelFixture,
    model: Any,
    example: pd.DataFrame,
    model_type: str = "classification",
    **more: Any,
) -> int:
    registration = await world.registry.register_model(
        world.tenant,
        world.model,
        model,
        "sklearn",
        {},
        {},
        model_type=model_type,
        input_example=example.head(),
        created_by="tests",
        **more,
    )
    return max(registration.versions)


async def _validate(world: ModelFixture, version: int, frame: pd.DataFrame | str) -> GateReport:
    data = frame if isinstance(frame, str) else world.held_out(frame)
    return await world.validate(version, data)


def _check(report: GateReport, name: str) -> Check:
    (check,) = [check for check in report.checks if check.name == name]
    return check


async def test_one_row_that_the_challenger_cannot_take(
    world: ModelFixture, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """A challenger that raises on one row fails with evidence, and the row counts alone."""
    train, rows = make_requests(1000, 1), make_requests(600, 9)
    imputing = make_pipeline(SimpleImputer(), LogisticRegression())
    champion = await _register(
        world, imputing.fit(train[FEATURES], train["label"]), train[FEATURES]
    )
    await world.promote(champion)
    await world.policy(BRIER)
    version = await _register(
        world, LogisticRegression().fit(train[FEATURES], train["label"]), train[FEATURES]
    )
    rows.loc[3, "older"] = np.nan

    report = await _validate(world, version, rows)

    assert report.verdict is Verdict.FAIL
    assert "1 of 600 rows" in report.sentence
    assert "contains NaN" in report.sentence
    assert report.counts["usable_rows"] == 599
    (evidence,) = await world.registry.list_evidence(world.tenant, world.model, version)
    assert evidence.verdict is Verdict.FAIL


async def test_errors_as_a_limit(
    world: ModelFixture, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """Where the policy limits errors, it decides how many rows a version may fail on."""
    train, rows = make_requests(1000, 1), make_requests(2000, 9)
    model = LogisticRegression().fit(train[FEATURES], train["label"])
    version = await _register(world, model, train[FEATURES])
    rows.loc[:2, "older"] = np.nan
    await world.policy(ValidationPolicy(limits=(Limit("errors", maximum=0.01),)))
    tolerated = await _validate(world, version, rows)
    await world.policy(ValidationPolicy(limits=(Limit("errors", maximum=0.0001),)))
    refused = await _validate(world, version, rows)

    assert (tolerated.verdict, refused.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert tolerated.metrics[0].challenger == pytest.approx(3 / 2000)


async def test_trained_on_the_data(
    world: ModelFixture, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """Equal digests of training and held-out data are INVALID; what nobody can tell is not
    checked, which a policy may refuse."""
    rows = make_requests(600, 9)
    path = world.held_out(rows)
    digest = (await read_dataset(world.registry.artifacts, path)).digest
    model = LogisticRegression().fit(rows[FEATURES], rows["label"])
    version = await _register(world, model, rows[FEATURES], dataset={"digest": digest})
    await world.policy(ValidationPolicy(limits=(Limit("brier", maximum=0.4),)))
    trained = await _validate(world, version, path)
    other = await _register(world, model, rows[FEATURES])
    unknown = await _validate(world, other, path)
    await world.policy(
        ValidationPolicy(limits=(Limit("brier", maximum=0.4),), require_training_check=True)
    )
    required = await _validate(world, other, path)

    assert trained.verdict is Verdict.INVALID
    assert "was trained on this data set" in trained.sentence
    assert unknown.verdict is Verdict.PASS
    assert _check(unknown, "challenger training digest").state == "not checked"
    assert "challenger training digest" in unknown.summary()["not_checked"]
    page = (await world.file(unknown.report_uri, "report.html")).decode()
    assert "(not checked)" in page
    assert required.verdict is Verdict.INVALID
    assert "the policy requires this check" in required.sentence


async def test_repeated_rows_prove_nothing(
    world: ModelFixture, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """The same 250 rows 40 times each are as inconclusive as once, and the report counts them."""
    near = make_requests(300, 1)
    first = await world.register("good")
    await world.promote(first)
    await world.policy(ValidationPolicy(comparisons=(Comparison("accuracy", 0.02),)))
    version = await _register(
        world, LogisticRegression().fit(near[FEATURES], near["label"]), near[FEATURES]
    )
    rows = make_requests(250, 6)

    once = await _validate(world, version, rows)
    often = await _validate(world, version, pd.concat([rows] * 40, ignore_index=True))

    assert once.metrics[0].lower == pytest.approx(often.metrics[0].lower, abs=0.01)
    assert present(often.metrics[0].lower) <= present(once.metrics[0].lower)
    assert once.verdict is often.verdict
    assert often.counts["identical_rows"] == 9750
    assert "250 of them different" in often.metrics[0].sentence
    assert recompute(json.loads(json.dumps(often.document()))).agrees


async def test_attempts_do_not_start_again(
    world: ModelFixture, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """An unused column, another order, another name of the file and deleted versions do not reset
    the number of attempts; other rows do."""
    rows = make_requests(500, 20)
    first = await world.register("good")
    await world.policy(ValidationPolicy(limits=(Limit("brier", maximum=0.4),)))
    attempts = [(await _validate(world, first, rows)).attempts]
    second = await world.register("good")
    await world.registry.delete_model(
        world.tenant, world.model, first, actor="tests", reason="test"
    )
    for frame in (rows.assign(extra=1), rows.sample(frac=1, random_state=0)):
        attempts.append((await _validate(world, second, frame)).attempts)
    other = await _validate(world, await world.register("good"), make_requests(500, 21))

    assert attempts == [1, 2, 3]
    assert other.attempts == 1


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (lambda label: label.where(label.index > 3, 2), "4 of 500 labels that are no class"),
        (lambda label: label.map({0: "no", 1: "yes"}), "one is text, the other a number"),
        (lambda label: label.astype(float).where(label.index > 1, np.inf), "2 rows with an inf"),
    ],
)
async def test_labels_that_cannot_be(
    world: ModelFixture,
    make_requests: Callable[..., pd.DataFrame],
    labels: Callable[[pd.Series], pd.Series],
    problem: str,
) -> None:
    """Labels that are no class or not finite are INVALID: column, number and example are named."""
    rows = make_requests(500, 5)
    version = await world.register("good")
    await world.policy(ValidationPolicy(limits=(Limit("brier", maximum=0.4),)))

    report = await _validate(world, version, rows.assign(label=labels(rows["label"])))

    assert report.verdict is Verdict.INVALID
    assert problem in report.sentence
    assert "column label" in report.sentence


async def test_text_labels(world: ModelFixture, make_requests: Callable[..., pd.DataFrame]) -> None:
    """Brier score of labels yes and no, by the model's classes, equals that of 0 and 1; a positive
    label that is no class is refused."""
    train, rows = make_requests(1000, 1), make_requests(600, 9)
    words = np.array(["no", "yes"])
    version = await _register(
        world,
        LogisticRegression().fit(train[FEATURES], words[train["label"]]),
        train[FEATURES],
    )
    model = LogisticRegression().fit(train[FEATURES], train["label"])
    expected = ((model.predict_proba(rows[FEATURES])[:, 1] - rows["label"]) ** 2).mean()
    for positive in (None, "yes", "no"):
        await world.policy(
            ValidationPolicy(limits=(Limit("brier", maximum=0.4),), positive_label=positive)
        )
        report = await _validate(world, version, rows.assign(label=words[rows["label"]]))
        assert report.verdict is Verdict.PASS
        assert report.metrics[0].challenger == pytest.approx(expected, abs=1e-9)
    await world.policy(
        ValidationPolicy(limits=(Limit("brier", maximum=0.4),), positive_label="maybe")
    )
    with pytest.raises(InvalidInput, match="is no class of the models"):
        await _validate(world, version, rows.assign(label=words[rows["label"]]))


async def test_margin_as_large_as_the_loss(
    world: ModelFixture, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """A margin above the champion's own loss is warned of."""
    first = await world.register("good")
    await world.promote(first)
    await world.policy(ValidationPolicy(comparisons=(Comparison("brier", 0.9),)))

    report = await _validate(world, await world.register("good"), make_requests(600, 9))

    assert _check(report, "margin").state == "warning"
    assert report.verdict is Verdict.PASS


def _points(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Three clusters, and which one each row is of."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(3, rows, p=[0.5, 0.3, 0.2])
    at = np.array([[0, 0], [6, 0], [0, 6]])[kind] + rng.normal(size=(rows, 2))
    return pd.DataFrame(at, columns=FEATURES), kind


CLUSTERED = ValidationPolicy(
    comparisons=(Comparison("silhouette", 0.1), Comparison("inertia", 0.5)),
    limits=(
        Limit("smallest_cluster", minimum=0.1),
        Limit("largest_cluster", maximum=0.7),
        Limit("silhouette", minimum=0.3),
        Limit("cluster_agreement", minimum=0.9),
        Limit("adjusted_rand", minimum=0.8),
        Limit("adjusted_mutual_info", minimum=0.8),
    ),
)


async def test_clustering(world: ModelFixture) -> None:
    """A clustering passes by what clusterings show; the numbers are scikit-learn's."""
    train, _ = _points(1000, 0)
    rows, kind = _points(2000, 1)
    models = [KMeans(3, n_init=3, random_state=seed).fit(_points(1000, seed)[0]) for seed in (0, 7)]
    first = await _register(world, models[0], train, "clustering")
    await world.promote(first)
    await world.policy(CLUSTERED)
    version = await _register(world, models[1], train, "clustering")

    report = await _validate(world, version, rows.assign(label=kind))

    assert report.verdict is Verdict.PASS, report.sentence
    by_name = {(row.name, row.kind): row for row in report.metrics}
    old, new = (model.predict(rows) for model in models)
    shares = np.bincount(new) / 2000
    expected = {
        ("smallest_cluster", "limit"): shares.min(),
        ("largest_cluster", "limit"): shares.max(),
        ("silhouette", "limit"): silhouette_score(rows, new),
        ("cluster_agreement", "limit"): adjusted_rand_score(old, new),
        ("adjusted_rand", "limit"): adjusted_rand_score(kind, new),
    }
    for key, value in expected.items():
        assert by_name[key].estimate == pytest.approx(value, abs=1e-6), key
    inertia = by_name["inertia", "comparison"]
    assert inertia.challenger == pytest.approx(-models[1].score(rows) / 2000, abs=1e-6)
    assert inertia.champion == pytest.approx(-models[0].score(rows) / 2000, abs=1e-6)
    assert recompute(json.loads(json.dumps(report.document()))).agrees


async def test_clustering_that_lost_a_cluster(world: ModelFixture) -> None:
    """A cluster that no row falls into has a share of 0, and fails."""
    train, _ = _points(1000, 0)
    model = KMeans(4, n_init=3, random_state=0).fit(
        pd.concat([train, pd.DataFrame([[500.0, 500.0]] * 5, columns=FEATURES)])
    )
    version = await _register(world, model, train, "clustering")
    await world.policy(ValidationPolicy(limits=(Limit("smallest_cluster", minimum=0.05),)))

    report = await _validate(world, version, _points(1000, 1)[0])

    assert report.verdict is Verdict.FAIL
    assert report.metrics[0].estimate == 0


async def test_mixture(world: ModelFixture) -> None:
    """A mixture is judged by its log-likelihood; inertia, which it has not, names what to use."""
    train, _ = _points(1000, 0)
    rows, _ = _points(1000, 1)
    model = GaussianMixture(3, random_state=0).fit(train)
    version = await _register(world, model, train, "clustering")
    await world.policy(ValidationPolicy(limits=(Limit("log_likelihood", minimum=-5.0),)))
    report = await _validate(world, version, rows)
    await world.policy(ValidationPolicy(limits=(Limit("inertia", maximum=5.0),)))

    assert report.verdict is Verdict.PASS
    assert report.metrics[0].challenger == pytest.approx(model.score(rows), abs=1e-6)
    with pytest.raises(InvalidInput, match="use log_likelihood for a mixture"):
        await _validate(world, version, rows)
