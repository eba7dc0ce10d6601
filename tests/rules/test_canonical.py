"""The same value always gives the same bytes; what is not plain finite JSON gives none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.registry.rules.canonical import canonical_json, digest, digest_bytes
from model_lifecycle.registry.rules.errors import InvalidInput

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_bytes_are_json_of_the_value(value: Any) -> None:
    """Reading the bytes gives the value back, and writing it again the same bytes."""
    data = canonical_json(value)

    assert json.loads(data) == value
    assert canonical_json(json.loads(data)) == data


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    """Two dictionaries that are equal have one digest."""
    assert digest(dict(reversed(value.items()))) == digest(value)


def test_the_form_is_fixed() -> None:
    """Sorted keys, no spaces, UTF-8: ledgers written today are verified in years."""
    assert canonical_json({"b": [1, 2.5, None], "a": "ü"}) == '{"a":"ü","b":[1,2.5,null]}'.encode()
    assert digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert digest_bytes(b"{}") == digest({})


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        {"a": float("nan")},
        {1, 2},
        b"a",
        object(),
        "\ud800",
        {("a",): 1},
        1j,
    ],
    ids=repr,
)
def test_what_is_not_plain_json_is_refused(value: Any) -> None:
    """The error names the field that holds it."""
    with pytest.raises(InvalidInput, match="summary must be plain JSON") as caught:
        canonical_json(value, field="summary")

    assert caught.value.field == "summary"


def test_a_value_that_holds_itself_is_refused() -> None:
    """No recursion, however deep, gets out as another error."""
    value: list[Any] = []
    value.append(value)

    with pytest.raises(InvalidInput):
        canonical_json(value)
