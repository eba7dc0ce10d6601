from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests
import sqlalchemy.exc
from mlflow import exceptions
from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import ErrorCode

from model_lifecycle.registry.domain.errors import (
    AlreadyExists,
    BackendUnavailable,
    InvalidInput,
    NotFound,
    RegistryError,
    RunNotFound,
)
from model_lifecycle.registry.mlflow_adapter.errors import (
    MEANING_OF,
    Meaning,
    is_lost_race,
    translate,
)

SECRET = "s3cret"
ADDRESS = f"http://registry:{SECRET}@mlflow.internal:5000"


def test_every_error_code_of_mlflow_has_a_meaning() -> None:
    """A new MLflow with a new code fails here, not in somebody's night."""
    assert set(ErrorCode.keys()) == set(MEANING_OF)


@pytest.mark.parametrize("code", ErrorCode.keys())
def test_every_error_code_becomes_an_error_of_the_registry(code: str) -> None:
    """Raised here or told over HTTP, the same code becomes the same class."""
    local = translate(MlflowException("text", error_code=ErrorCode.Value(code)))
    translated = translate(RestException({"error_code": code, "message": "text"}))

    assert isinstance(local, RegistryError)
    assert type(local) is type(translated)
    assert (MEANING_OF[code] in (Meaning.UNAVAILABLE, Meaning.REFUSED, Meaning.UNSUPPORTED)) == (
        isinstance(local, BackendUnavailable)
    )


def exception_classes(base: type[MlflowException]) -> Iterator[type[MlflowException]]:
    yield base
    for kind in base.__subclasses__():
        yield from exception_classes(kind)


@pytest.mark.parametrize("kind", sorted(set(exception_classes(MlflowException)), key=repr))
def test_every_exception_class_of_mlflow_is_translated(kind: type[MlflowException]) -> None:
    """Whatever its constructor wants, what it says about itself is a known code."""
    error = kind.__new__(kind)
    MlflowException.__init__(error, "text")

    assert isinstance(translate(error), RegistryError)
    assert exceptions.MlflowException in kind.__mro__


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (
            MlflowException(
                "(sqlalchemy.exc.TimeoutError) QueuePool limit of size 5 overflow 10 reached",
                error_code=ErrorCode.Value("BAD_REQUEST"),
            ),
            BackendUnavailable,
            "its database could not serve the call",
        ),
        (
            MlflowException("no such thing", error_code=ErrorCode.Value("NOT_FOUND")),
            NotFound,
            "not found",
        ),
        (
            MlflowException("<html>404</html>", error_code=ErrorCode.Value("NOT_FOUND")),
            BackendUnavailable,
            "not as an MLflow 3 server",
        ),
        (
            RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "too long"}),
            InvalidInput,
            "MLflow refused the call: too long",
        ),
        (
            RestException({"error_code": "RESOURCE_ALREADY_EXISTS", "message": "x"}),
            AlreadyExists,
            "MLflow has it already: x",
        ),
        (
            RestException({"error_code": "UNAUTHENTICATED", "message": "x"}),
            BackendUnavailable,
            "MLFLOW_TRACKING_TOKEN",
        ),
        (RestException({"error_code": 503, "message": "x"}), BackendUnavailable, "TEMPORARILY"),
        (RestException({"message": "x"}), BackendUnavailable, "INTERNAL_ERROR"),
        (
            MlflowException("Detected out-of-date database schema (found version a)"),
            BackendUnavailable,
            "mlflow db upgrade",
        ),
        (requests.ReadTimeout(ADDRESS), BackendUnavailable, "did not answer in time"),
        (requests.ConnectionError(ADDRESS), BackendUnavailable, "cannot be reached"),
        (requests.exceptions.SSLError(ADDRESS), BackendUnavailable, "TLS certificate"),
        (json.JSONDecodeError(ADDRESS, "x", 0), BackendUnavailable, "not understood"),
        (
            sqlalchemy.exc.OperationalError(ADDRESS, None, Exception(ADDRESS)),
            BackendUnavailable,
            "its database could not serve the call",
        ),
    ],
)
def test_what_an_error_becomes(error: Exception, expected: type[RegistryError], words: str) -> None:
    """Codes, classes and known words decide together, since status codes mislead."""
    translated = translate(error)

    assert type(translated) is expected
    assert words in str(translated)
    assert ADDRESS not in str(translated)


@pytest.mark.parametrize("code", ErrorCode.keys())
def test_no_message_holds_credentials(code: str) -> None:
    """An address in MLflow's text loses what stands before its @."""
    error = MlflowException(f"failed at {ADDRESS}/x", error_code=ErrorCode.Value(code))

    assert SECRET not in str(translate(error))


def test_long_texts_are_cut() -> None:
    """A page of text from below does not become a message."""
    error = MlflowException("x" * 5000, error_code=ErrorCode.Value("INVALID_PARAMETER_VALUE"))

    assert len(str(translate(error))) < 400


def test_the_caller_says_what_is_missing() -> None:
    """MLflow's 404 becomes the caller's own error, with its own fields."""
    error = MlflowException("x", error_code=ErrorCode.Value("RESOURCE_DOES_NOT_EXIST"))
    missing = RunNotFound("r1")

    assert translate(error, missing) is missing


@pytest.mark.parametrize("error", [TypeError("x"), KeyError("x"), AssertionError()])
def test_our_own_mistakes_are_not_hidden(error: Exception) -> None:
    """A bug stays what it is, instead of looking like an outage that one waits out."""
    assert translate(error) is error


def test_a_lost_race_is_told_from_other_bad_requests() -> None:
    """Only a write that the database rolled back as a duplicate may be sent again."""
    bad_request = ErrorCode.Value("BAD_REQUEST")

    assert is_lost_race(
        MlflowException("(psycopg2.errors.UniqueViolation) duplicate key", error_code=bad_request)
    )
    assert not is_lost_race(MlflowException("QueuePool limit", error_code=bad_request))
    assert not is_lost_race(MlflowException("IntegrityError"))
