from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model_lifecycle.gates.checks.common import (
    answers_check,
    required,
    same_data_check,
    signature_check,
    training_check,
)
from model_lifecycle.gates.data.columns import check_columns, check_rows, finite
from model_lifecycle.gates.metrics.losses import Answers
from model_lifecycle.registry.domain.errors import InvalidDataset
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.frameworks.protocol import Column

SIGNATURE = (
    Column("distance", "double"),
    Column("stops", "long"),
    Column("carrier", "string"),
    Column("weekend", "boolean"),
    Column("at", "datetime"),
    Column("note", "string", required=False),
)


def _frame(**values: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "distance": [1.0, 2.0],
            "stops": [0, 1],
            "carrier": ["AA", "UA"],
            "weekend": [True, False],
            "at": pd.to_datetime(["2024-03-01", "2024-03-02"]),
            "more": [1, 2],
        }
    ).assign(**values)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"distance": [1, 2]},
        {"carrier": pd.Categorical(["AA", "UA"])},
        {"carrier": np.array(["AA", None], dtype=object)},
        {"distance": [1.0, np.nan]},
        {"stops": [2.0, np.nan]},
        {"stops": np.array([None, None], dtype=object)},
        {"weekend": pd.array([True, None], dtype="boolean")},
        {"at": pd.to_datetime(["2024-03-01", "2024-03-02"], utc=True)},
    ],
)
def test_fitting_columns(values: dict[str, Any]) -> None:
    """Columns of their types fit, also wider ones, further ones, and without optional ones."""
    check_columns(_frame(**values), SIGNATURE, "the data set")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"distance": ["1", "2"]}, "distance is str, not double"),
        ({"stops": [0.5, np.nan]}, "stops is float64, not long: 1 values are no whole numbers"),
        ({"carrier": [1, 2]}, "carrier is int64, not string"),
        ({"weekend": [0, 2]}, "weekend is int64, not boolean: 1 values are neither 0 nor 1"),
        ({"at": ["2024", "2025"]}, "at is str, not datetime"),
        ({"note": [1, 2]}, "note is int64, not string"),
    ],
)
def test_columns_of_other_types(values: dict[str, Any], problem: str) -> None:
    """A column of another type is an error that names it, with what it is and should be."""
    with pytest.raises(InvalidDataset, match=problem):
        check_columns(_frame(**values), SIGNATURE, "the data set")


def test_all_problems_at_once() -> None:
    """All missing columns are named together, and the signature with them."""
    with pytest.raises(
        InvalidDataset, match=r"distance is missing, carrier is missing.*stops long"
    ):
        check_columns(_frame().drop(columns=["distance", "carrier"]), SIGNATURE, "the data set")


def test_without_signature() -> None:
    """A model without a signature takes what comes."""
    check_columns(_frame(), None, "the data set")


def test_rows() -> None:
    """No rows, and a column twice, cannot be judged."""
    with pytest.raises(InvalidDataset, match="no rows"):
        check_rows(_frame()[:0], "the data set")
    with pytest.raises(InvalidDataset, match="'stops' twice"):
        check_rows(pd.concat([_frame(), _frame()[["stops"]]], axis=1), "the data set")


@pytest.mark.parametrize(
    ("prediction", "score", "expected"),
    [
        ([1.0, np.nan, np.inf], None, [True, False, False]),
        ([1, 0, 1], [0.5, np.nan, 1.2], [True, False, False]),
        ([1, 0, 1], [-0.1, 0.0, 1.0], [False, True, True]),
    ],
)
def test_usable_answers(
    prediction: list[float], score: list[float] | None, expected: list[bool]
) -> None:
    """Only finite predictions and scores within 0 and 1 are answers."""
    answers = Answers(np.array(prediction), None if score is None else np.array(score))

    assert expected == finite(answers).tolist()


@pytest.mark.parametrize(
    ("declared", "start", "state"),
    [
        ({"dataset.end": "2024-03-01"}, datetime(2024, 3, 1, tzinfo=UTC), "ok"),
        ({"dataset.end": "2024-03-01T01:00"}, datetime(2024, 3, 1, tzinfo=UTC), "failed"),
        ({"dataset.end": "2024-03-01T01:00+02:00"}, datetime(2024, 3, 1, tzinfo=UTC), "ok"),
        ({"dataset.end": "last week"}, datetime(2024, 3, 1, tzinfo=UTC), "not checked"),
        ({}, datetime(2024, 3, 1, tzinfo=UTC), "not checked"),
        ({"dataset.end": "2024-03-02"}, None, "not checked"),
    ],
)
def test_training_data(declared: dict[str, str], start: datetime | None, state: str) -> None:
    """Training data that reaches into the window is found; what cannot be checked is not ok."""
    assert state == training_check("challenger", declared, start).state


@pytest.mark.parametrize(
    ("declared", "state"),
    [
        ({"dataset.digest": "sha256:a"}, "failed"),
        ({"dataset.digest": "sha256:b"}, "ok"),
        ({}, "not checked"),
    ],
)
def test_training_digest(declared: dict[str, str], state: str) -> None:
    """A model that declares the digest of the rows judged was trained on them."""
    assert state == same_data_check("challenger", declared, "sha256:a").state


def test_required_checks() -> None:
    """Where the policy requires it, a check that could not be made is INVALID, unless another one
    of the same model's training data could."""
    none = [training_check("challenger", {}, None), same_data_check("challenger", {}, "x")]
    one = [none[0], same_data_check("challenger", {"dataset.digest": "y"}, "x")]

    assert [check.state for check in required(none, "required")] == ["failed", "failed"]
    assert [check.state for check in required(one, "required")] == ["not checked", "ok"]


@pytest.mark.parametrize(
    ("who", "bad", "otherwise"),
    [
        ("challenger", 1, Verdict.FAIL),
        ("champion", 10, None),
        ("champion", 11, Verdict.INVALID),
    ],
)
def test_missing_answers(who: str, bad: int, otherwise: Verdict | None) -> None:
    """One missing answer fails the challenger; of the champion's, more than 1 % are too many."""
    check = answers_check(bad, 1000, who)

    assert (check.ok, check.otherwise) == (False, otherwise)
    assert answers_check(0, 1000, who).ok


@pytest.mark.parametrize(
    ("challenger", "problem"),
    [
        ((Column("distance", "double"),), "stops is gone"),
        ((Column("distance", "string"), Column("stops", "long")), "distance is string, was double"),
        ((Column("distance", "float"), Column("stops", "long")), "distance is float, was double"),
        ((Column("distance", "double"), Column("stops", "boolean")), "stops is boolean, was long"),
    ],
)
def test_signatures_that_do_not_fit(
    challenger: tuple[Column] | tuple[Column, Column], problem: str
) -> None:
    """A column that is gone, or that no longer holds the champion's values, is INVALID."""
    champion = (Column("distance", "double"), Column("stops", "long"))
    check = signature_check(challenger, champion, may_drop=False)

    assert (check.ok, check.otherwise) == (False, Verdict.INVALID)
    assert problem in check.message


@pytest.mark.parametrize(
    ("challenger", "may_drop"),
    [
        ((Column("distance", "double"), Column("stops", "long"), Column("new", "long")), False),
        ((Column("stops", "double"), Column("distance", "double")), False),
        ((Column("distance", "double"),), True),
    ],
)
def test_signatures_that_fit(
    challenger: tuple[Column, Column, Column] | tuple[Column, Column] | tuple[Column],
    may_drop: bool,
) -> None:
    """More columns, another order, a wider number; fewer where the policy says so."""
    champion = (Column("distance", "double"), Column("stops", "long"))

    assert signature_check(challenger, champion, may_drop=may_drop).ok
