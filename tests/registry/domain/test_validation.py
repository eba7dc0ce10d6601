"""Numbers and texts of callers: what some store could not keep is refused before any is asked."""

from __future__ import annotations

import math
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.validation import (
    finite_metrics,
    stored_metrics,
    text_map,
    validate_text,
)


class Endless(dict[str, float]):
    """Metrics that say how many they are, and must not be read to know that they are too many."""

    def __len__(self) -> int:
        return 50_000_000

    def __iter__(self) -> Any:
        raise AssertionError("nobody reads two gigabytes of metrics")


def test_two_gigabytes_of_metrics_are_refused_by_their_number() -> None:
    """Before any of them is looked at or copied."""
    for check in (finite_metrics, lambda values: text_map(values, field="metrics")):
        with pytest.raises(InvalidInput, match="50000000 names, at most 10000"):
            check(Endless())


def test_metrics_become_floats() -> None:
    """Numbers of any library are taken as they are."""
    assert finite_metrics(
        {"a": 1, "b": np.float32(0.5), "c": Decimal("0.25"), "d": np.int64(3)}
    ) == {
        "a": 1.0,
        "b": 0.5,
        "c": 0.25,
        "d": 3.0,
    }


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), -float("inf"), "0.5", None, True, b"1", [0.5], 10**400, 1j],
    ids=repr,
)
def test_what_is_no_finite_number_is_no_metric(value: Any) -> None:
    """The error names the metric."""
    with pytest.raises(InvalidInput) as caught:
        finite_metrics({"auc": value})

    assert caught.value.field == "metrics.auc"


@pytest.mark.parametrize(
    "metrics",
    [
        {"": 1.0},
        {1: 1.0},
        [("a", 1.0)],
        "a=1",
        {"a\0b": 1.0},
        {"a\n": 1.0},
        {"../a": 1.0},
        {"a//b": 1.0},
        {"a" * 251: 1.0},
        {"a=b": 1.0},
    ],
)
def test_metrics_have_names(metrics: Any) -> None:
    """A metric without a usable name is refused."""
    with pytest.raises(InvalidInput):
        finite_metrics(metrics)


def test_parameters_and_tags_become_text() -> None:
    """MLflow keeps them as text, so the ledger does."""
    assert text_map({"C": 1.0, "solver": "lbfgs", "fit": True, "x": None}, field="parameters") == {
        "C": "1.0",
        "solver": "lbfgs",
        "fit": "True",
        "x": "None",
    }


@pytest.mark.parametrize(
    "values",
    [
        {"": "a"},
        {1: "a"},
        ["a"],
        {"a": "x\0"},
        {"a\0": "x"},
        {"a": "x" * 5001},
        None,
        {"a": "\ud800"},
    ],
    ids=lambda value: repr(value)[:20],
)
def test_odd_texts_are_refused(values: Any) -> None:
    """Texts that the databases could not keep are refused before they are queried."""
    with pytest.raises(InvalidInput) as caught:
        text_map(values, field="tags")

    assert caught.value.field.startswith("tags")


@pytest.mark.parametrize("name", ["auc", "val/auc", "auc 0.5:1", "f1_macro-2", "größe"])
def test_names_that_mlflow_takes_are_names(name: str) -> None:
    """Names that MLflow accepts are accepted."""
    assert finite_metrics({name: 1}) == {name: 1.0}


@pytest.mark.parametrize("value", ["", "why", "é\n\t", "x" * 5000])
def test_text_stays_as_it_is(value: str) -> None:
    """Lines, tabs and other scripts are text too."""
    assert validate_text(value, field="reason") == value


@pytest.mark.parametrize("value", [None, 1, b"why", "a\0b", "x" * 5001, "\udcff"])
def test_what_is_no_text_is_refused(value: Any) -> None:
    """The error names the field."""
    with pytest.raises(InvalidInput) as caught:
        validate_text(value, field="reason")

    assert caught.value.field == "reason"


class Solver(Enum):
    LBFGS = "lbfgs"


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (np.float64(0.1), "0.1"),
        (np.float32(0.1), "0.1"),
        (np.int64(3), "3"),
        (np.bool_(True), "True"),
        (np.str_("l2"), "l2"),
        (np.datetime64("2024-03-01T00:00:00", "ns"), "2024-03-01T00:00:00.000000000"),
        (np.array(3), "3"),
        (np.array([0.1, 0.2]), "[0.1, 0.2]"),
        ([np.float64(0.1), {"a": np.int64(1)}], "[0.1, {'a': 1}]"),
        ((np.int64(8), 4), "[8, 4]"),
        (pd.Timestamp("2024-03-01 10:00", tz="UTC"), "2024-03-01T10:00:00+00:00"),
        (date(2024, 3, 1), "2024-03-01"),
        (datetime(2024, 3, 1, 10, tzinfo=UTC), "2024-03-01T10:00:00+00:00"),
        (Solver.LBFGS, "lbfgs"),
        (Path("data/train.parquet"), "data/train.parquet"),
        (timedelta(hours=1), "1:00:00"),
        (np.tanh, "numpy.tanh"),
        (np.float32, "numpy.float32"),
        (Decimal, "decimal.Decimal"),
        (None, "None"),
    ],
    ids=repr,
)
def test_values_of_other_libraries_are_stored_as_plain_ones(value: Any, stored: str) -> None:
    """The best parameters of a search read as if somebody had typed them."""
    assert text_map({"C": value}, field="parameters") == {"C": stored}


def test_metrics_of_a_run_that_are_no_numbers_are_set_apart() -> None:
    """Also those that MLflow's database keeps as the largest float, which it does for infinity."""
    metrics = {"auc": 0.8, "fold": math.nan, "loss": sys.float_info.max, "gain": -math.inf}

    assert stored_metrics(metrics) == ({"auc": 0.8}, {"fold": "NaN", "loss": "inf", "gain": "-inf"})
