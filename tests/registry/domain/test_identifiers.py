"""Names are valid by full match; everything else is refused, and the error says what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from model_lifecycle.registry.domain import identifiers
from model_lifecycle.registry.domain.errors import InvalidName

NEVER = [
    *("", " ", "a\n", "\na", "a\0", "\0", "..", ".", "a/b", "a\\b", "a:b", "a b", "ä", "１２"),
    *("a\u200b", "a" * 300, "-a", "a-", "_a", "%", "a%", None, 1, True, b"a", ["a"], float("nan")),
    *("../a", "a/..", "a\t", "a\r\n", "\ud800"),
]


@pytest.mark.parametrize("value", [*NEVER, "A", "a.b", "a_b", "Acme", "a" * 64])
def test_no_other_tenant_id_is_valid(value: Any) -> None:
    """A tenant id holds lower-case letters, digits and inner hyphens, and nothing else."""
    with pytest.raises(InvalidName) as caught:
        identifiers.tenant_id(value)

    assert caught.value.field == "tenant_id"
    assert "1 to 63" in str(caught.value)


@pytest.mark.parametrize("value", ["a", "0", "acme", "a-b", "a--b", "a" * 63, "9lives"])
def test_tenant_ids_stay_as_they_are(value: str) -> None:
    """A valid tenant id is returned unchanged."""
    assert identifiers.tenant_id(value) == value


@pytest.mark.parametrize("value", [*NEVER, ".a", "a.", "a" * 129])
def test_no_other_model_name_is_valid(value: Any) -> None:
    """A model name starts and ends with a letter or digit, so it is never a path of its own."""
    with pytest.raises(InvalidName) as caught:
        identifiers.model_id(value)

    assert caught.value.field == "model_id"
    assert "1 to 128" in str(caught.value)


@pytest.mark.parametrize("value", ["a", "A", "a.b", "a_b", "a..b", "Churn-2.1_x", "a" * 128])
def test_model_names_stay_as_they_are(value: str) -> None:
    """A valid model name is returned unchanged."""
    assert identifiers.model_id(value) == value


@pytest.mark.parametrize("value", [0, -1, True, False, 1.0, "01", None, 2**31, float("nan"), [1]])
def test_no_other_version_is_valid(value: Any) -> None:
    """A version is a whole number from 1; True is not the number 1 here."""
    with pytest.raises(InvalidName) as caught:
        identifiers.version_number(value)

    assert caught.value.field == "version"


@pytest.mark.parametrize(
    "text",
    [
        *("1_0", "01", "+1", "-1", "0", "", " 1", "1 ", "1\n", "１", "١", "1.0", "1e3", "0x1"),
        *("9" * 11, "2147483648", "None", True, None, 1.5),
    ],
)
def test_text_that_int_would_take_is_no_version(text: Any) -> None:
    """Only plain ASCII digits without a leading zero make a version."""
    with pytest.raises(InvalidName):
        identifiers.parse_version(text)


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("10", 10), ("2147483647", 2**31 - 1)])
def test_digits_make_a_version(text: str, number: int) -> None:
    """Text of digits becomes the number, and a number stays what it is."""
    assert (identifiers.parse_version(text), identifiers.parse_version(number)) == (number, number)


@pytest.mark.parametrize("value", ["", " a", "a ", "a\n", "a\0b", "é", "a" * 513, None, 7])
def test_no_other_operation_id_is_valid(value: Any) -> None:
    """An operation id is printable ASCII without spaces at its ends."""
    with pytest.raises(InvalidName) as caught:
        identifiers.operation_id(value)

    assert caught.value.field == "operation_id"


@pytest.mark.parametrize("value", ["a", "dag/manual__2013-07-01T00:00:00+00:00/task/-1", "a" * 512])
def test_operation_ids_of_airflow_are_valid(value: str) -> None:
    """The parts of an operator's id pass unchanged."""
    assert identifiers.operation_id(value) == value


@pytest.mark.parametrize(
    "check", [identifiers.tenant_id, identifiers.model_id, identifiers.operation_id]
)
def test_the_message_shows_little_of_a_long_name(check: Callable[[Any], Any]) -> None:
    """A megabyte of input does not come back as a megabyte of message."""
    with pytest.raises(InvalidName) as caught:
        check("é" * 1_000_000)

    assert len(str(caught.value)) < 400


def test_the_first_dot_of_a_registered_name_ends_the_tenant() -> None:
    """A model name may hold dots and the name in MLflow still leads back to both."""
    name = identifiers.registered_name(identifiers.tenant_id("acme"), identifiers.model_id("a.b.c"))

    assert name == "acme.a.b.c"
    assert identifiers.split_registered_name(name) == ("acme", "a.b.c")


@pytest.mark.parametrize(
    "name", ["", "acme", "acme.", ".a", "Acme.a", "a_b.c", "acme.a\n", "a/b.c"]
)
def test_names_of_others_are_not_ours(name: str) -> None:
    """A registered model that is named otherwise belongs to nobody here."""
    assert identifiers.split_registered_name(name) is None


def test_no_tenants_experiments_start_like_those_of_another() -> None:
    """The prefix of a tenant's experiments ends where its id ends."""
    assert not identifiers.experiment_name(
        identifiers.tenant_id("acme-2"), identifiers.model_id("m")
    ).startswith(identifiers.experiment_prefix(identifiers.tenant_id("acme")))


def test_version_may_be_an_integer_of_numpy() -> None:
    """A task that counts with numpy hands its number on."""
    import numpy as np

    number = identifiers.parse_version(np.int64(3))

    assert (type(number), number) == (int, 3)


def test_version_is_no_truth_value() -> None:
    """True is no version, neither Python's nor numpy's."""
    import numpy as np

    for value in (True, np.True_):
        with pytest.raises(InvalidName):
            identifiers.parse_version(value)
