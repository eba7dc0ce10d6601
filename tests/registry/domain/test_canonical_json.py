"""The same value always gives the same bytes; what is not plain finite JSON gives none."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.registry.domain.canonical_json import canonical_json, digest, digest_bytes
from model_lifecycle.registry.domain.errors import InvalidInput

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
#: Whatever a caller may pass, plain JSON or not.
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**53 - 3, 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(TEXT | st.integers() | st.booleans() | st.none(), inner, max_size=3)
    ),
    max_leaves=8,
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_bytes_are_json_of_the_value(value: Any) -> None:
    """Reading the bytes gives the value back, and writing it again the same bytes."""
    data = canonical_json(value)

    assert json.loads(data, parse_int=float) == value
    assert canonical_json(json.loads(data)) == data


@given(ANYTHING)
def test_what_is_hashed_is_what_is_read_back(value: Any) -> None:
    """Stored as JSON and read again, a value has the digest that it had; or it is refused."""
    try:
        data = canonical_json(value)
    except InvalidInput:
        return
    stored = json.loads(json.dumps(value))

    assert canonical_json(stored) == data
    assert canonical_json(json.loads(data)) == data


#: Appendix B of RFC 8785, and the numbers that Python writes in another way.
NUMBERS = {
    "0": -0.0,
    "1": 1.0,
    "10000000000000000": 1e16,
    "100000000000000000000": 1e20,
    "1e+21": 1e21,
    "1e-7": 1e-7,
    "0.000001": 1e-6,
    "5e-324": 5e-324,
    "1.7976931348623157e+308": 1.7976931348623157e308,
    "9007199254740992": 9007199254740992.0,
    "295147905179352830000": 295147905179352830000.0,
    "333333333.3333333": 333333333.3333333,
    "0.000001234": 1.234e-6,
}


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_are_those_of_rfc_8785(text: str) -> None:
    """Another program that follows the RFC computes the same digests."""
    assert canonical_json(NUMBERS[text]).decode() == text
    assert canonical_json(json.loads(text)).decode() == text


def test_keys_are_in_the_order_of_their_utf_16_units() -> None:
    """As section 3.2.3 has it, which differs from the order of code points."""
    assert canonical_json({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"validation": {"per_class": {2: 0.8, 10: 0.9}}}, "policy.validation.per_class.*key 2"),
        ({"a": [{"b": {True: 1}}]}, r"policy\.a\[0\]\.b.*key True"),
        ({"a": {None: 1}}, r"policy\.a.*key None"),
        ({"a": 2**53 + 1}, r"policy\.a is 9007199254740993.*2\^53"),
        ({"a": {"b": float("nan")}}, r"policy\.a\.b is nan"),
        ({"a": "\ud800"}, r"policy\.a.*surrogate"),
        ({"a": 10**400}, r"policy\.a"),
    ],
)
def test_the_part_that_is_wrong_is_named(value: Any, named: str) -> None:
    """The caller sees which key or value to change."""
    with pytest.raises(InvalidInput, match=named):
        canonical_json(value, field="policy")


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


@given(VALUES)
def test_bytes_are_those_of_the_reference(value: Any) -> None:
    """Simple values take a faster way, which writes what the library for RFC 8785 writes."""
    assert canonical_json(value) == rfc8785.dumps(value)
