"""A frame is matched with a model's signature, or refused with the column's name."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput
from model_lifecycle.registry.frameworks import Column
from model_lifecycle.registry.frameworks.signature import example_columns, select_columns

COLUMNS = (Column("a", "double"), Column("b", "string"), Column("c", "boolean"))
FRAME = pd.DataFrame({"a": [1.0, None], "b": ["x", None], "c": [True, False]})


def test_columns_in_the_order_of_the_signature() -> None:
    """Columns in any order, and more of them than needed, are put in the signature's order."""
    given = FRAME.assign(more=1)[["more", "c", "b", "a"]]

    pd.testing.assert_frame_equal(select_columns(given, COLUMNS), FRAME)


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        (FRAME.drop(columns="b"), "'b'"),
        (FRAME.assign(a=["1", "2"]), "'a'"),
        (FRAME.assign(b=[1, 2]), "'b'"),
        (FRAME.assign(c=["True", "False"]), "'c'"),
        (FRAME.assign(a=pd.to_datetime(["2026-01-01"] * 2)), "'a'"),
        (FRAME.head(0), "no rows"),
        (pd.concat([FRAME, FRAME[["a"]]], axis=1), "same name"),
    ],
    ids=["missing", "text-number", "number-text", "text-boolean", "time", "empty", "doubled"],
)
def test_other_frames(frame: pd.DataFrame, named: str) -> None:
    """A column that is missing, doubled or of another kind is named, and text is no number."""
    with pytest.raises(InvalidDataset, match=named):
        select_columns(frame, COLUMNS)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pd.Series([True, False]), "boolean"),
        (pd.Series([1, 2], dtype="int32"), "integer"),
        (pd.Series([1, 2], dtype="int64"), "long"),
        (pd.Series([1, 2], dtype="uint32"), "long"),
        (pd.Series([1, 2], dtype="uint8"), "integer"),
        (pd.Series([1, None], dtype="Int64"), "long"),
        (pd.Series([1, 2], dtype="float32"), "float"),
        (pd.Series([1.0, None]), "double"),
        (pd.Series(["a", None]), "string"),
        (pd.Series(["a", None], dtype=object), "string"),
        (pd.Series(["a", "b"], dtype="category"), "string"),
        (pd.to_datetime(pd.Series(["2026-01-01", "2026-01-02"])), "datetime"),
    ],
    ids=lambda value: str(getattr(value, "dtype", value)),
)
def test_types_of_an_example(values: Any, kind: str) -> None:
    """Each type has MLflow's name in the signature, and fits it afterwards."""
    columns = example_columns(pd.DataFrame({"x": values}))

    assert columns == (Column("x", kind),)
    assert len(select_columns(pd.DataFrame({"x": values}), columns)) == 2


@pytest.mark.parametrize("values", [[{}, {}], [b"a", b"b"], [1j, 2j], ["a", 1]], ids=str)
def test_types_that_no_signature_tells(values: list[Any]) -> None:
    """Columns of other types are refused by name."""
    with pytest.raises(InvalidInput, match="'x'"):
        example_columns(pd.DataFrame({"x": values}))
