from __future__ import annotations

import numpy as np
import pandas as pd

from model_lifecycle.gates.data.identical_rows import data_fingerprint, identical_groups, shared


def rows(seed: int, size: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"a": rng.normal(size=size), "b": rng.normal(size=size), "label": rng.integers(0, 2, size)}
    )


def test_same_rows_are_recognised() -> None:
    """Another order, other names, other types and fewer columns are the same rows."""
    frame = rows(1)
    known = data_fingerprint(frame, "label")

    for other in (
        frame.sample(frac=1, random_state=0),
        frame.rename(columns={"a": "x", "b": "y"}),
        frame[["b", "a", "label"]].assign(label=frame["label"].astype(float)),
        frame[["a", "label"]],
        frame.assign(c=rows(2)["a"]),
    ):
        assert shared(known, data_fingerprint(other, "label"))


def test_other_rows_are_others() -> None:
    """Other rows have nothing in common, nor do the same features with other labels."""
    frame = rows(1)
    known = data_fingerprint(frame, "label")

    assert not shared(known, data_fingerprint(rows(2), "label"))
    assert not shared(known, data_fingerprint(frame.assign(label=1 - frame["label"]), "label"))


def test_columns_of_few_values_identify_nothing() -> None:
    """A flag has the same counts in many data sets."""
    flag = pd.DataFrame({"flag": [0, 1] * 50, "label": [0, 1] * 50})

    assert len(data_fingerprint(flag, "label")) == 1


def test_groups_of_identical_rows() -> None:
    """Rows with equal values share a code; nulls are equal to each other."""
    frame = pd.DataFrame({"a": [1.0, 1.0, np.nan, np.nan, 2.0], "b": ["x", "x", None, None, "x"]})

    assert identical_groups(frame).tolist() == [0, 0, 1, 1, 2]
