"""The one border where errors of MLflow, its HTTP client and its database become ours.

Status codes mislead (an exhausted connection pool comes as 400, a broken proxy as 200 with HTML),
so the code, the exception and known words of the message decide together. Texts from below go
into messages only where they speak of the caller's input; addresses, SQL and credentials never do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto

from ..domain.errors import AlreadyExists, BackendUnavailable, InvalidInput, NotFound, RegistryError

BACKEND = "MLflow"


class Meaning(Enum):
    """The meaning of an error code."""

    UNAVAILABLE = auto()
    REFUSED = auto()
    INVALID = auto()
    MISSING = auto()
    EXISTS = auto()
    UNSUPPORTED = auto()


_MEANINGS = {
    Meaning.UNAVAILABLE: """
        INTERNAL_ERROR TEMPORARILY_UNAVAILABLE IO_ERROR SERVICE_UNDER_MAINTENANCE
        WORKSPACE_TEMPORARILY_UNAVAILABLE DEADLINE_EXCEEDED CANCELLED RESOURCE_EXHAUSTED ABORTED
        REQUEST_LIMIT_EXCEEDED RESOURCE_CONFLICT UNPARSEABLE_HTTP_ERROR DATA_LOSS INVALID_STATE
        COULD_NOT_ACQUIRE_LOCK QUOTA_EXCEEDED RESOURCE_LIMIT_EXCEEDED DEPLOYMENT_TIMEOUT
        PROJECTS_OPERATION_TIMEOUT INSECURE_PARTNER_RESPONSE MALFORMED_PARTNER_RESPONSE
        PARTIAL_DELETE GIT_REMOTE_ERROR""",
    Meaning.REFUSED: """
        UNAUTHENTICATED PERMISSION_DENIED CUSTOMER_UNAUTHORIZED PERMISSION_NOT_PROPAGATED""",
    Meaning.INVALID: """
        BAD_REQUEST INVALID_PARAMETER_VALUE MALFORMED_REQUEST INVALID_STATE_TRANSITION
        MAX_BLOCK_SIZE_EXCEEDED MAX_READ_SIZE_EXCEEDED MAX_LIST_SIZE_EXCEEDED
        MAX_NOTEBOOK_SIZE_EXCEEDED MAX_CHILD_NODE_SIZE_EXCEEDED SEARCH_QUERY_TOO_LONG
        SEARCH_QUERY_TOO_SHORT DRY_RUN_FAILED DIRECTORY_NOT_EMPTY DIRECTORY_PROTECTED
        CATALOG_NOT_EMPTY SCHEMA_NOT_EMPTY METASTORE_NOT_EMPTY GIT_CONFLICT GIT_UNKNOWN_REF
        GIT_SENSITIVE_TOKEN_DETECTED GIT_URL_NOT_ON_ALLOW_LIST IPYNB_FILE_IN_REPO
        PROVIDER_SHARE_NOT_ACCESSIBLE""",
    Meaning.MISSING: """
        RESOURCE_DOES_NOT_EXIST NOT_FOUND MANAGED_RESOURCE_GROUP_DOES_NOT_EXIST
        METASTORE_DOES_NOT_EXIST DAC_DOES_NOT_EXIST CATALOG_DOES_NOT_EXIST SCHEMA_DOES_NOT_EXIST
        TABLE_DOES_NOT_EXIST SHARE_DOES_NOT_EXIST RECIPIENT_DOES_NOT_EXIST
        STORAGE_CREDENTIAL_DOES_NOT_EXIST EXTERNAL_LOCATION_DOES_NOT_EXIST
        PRINCIPAL_DOES_NOT_EXIST PROVIDER_DOES_NOT_EXIST""",
    Meaning.EXISTS: """
        RESOURCE_ALREADY_EXISTS ALREADY_EXISTS METASTORE_ALREADY_EXISTS DAC_ALREADY_EXISTS
        CATALOG_ALREADY_EXISTS SCHEMA_ALREADY_EXISTS TABLE_ALREADY_EXISTS SHARE_ALREADY_EXISTS
        RECIPIENT_ALREADY_EXISTS STORAGE_CREDENTIAL_ALREADY_EXISTS
        EXTERNAL_LOCATION_ALREADY_EXISTS PROVIDER_ALREADY_EXISTS""",
    Meaning.UNSUPPORTED: "ENDPOINT_NOT_FOUND NOT_IMPLEMENTED FEATURE_DISABLED",
}
MEANING_OF = {code: meaning for meaning, codes in _MEANINGS.items() for code in codes.split()}

_DATABASE_TROUBLE = re.compile(
    r"QueuePool limit|sqlalche\.me|sqlalchemy\.exc|psycopg2?\.|sqlite3\.|pymysql\."
)
_OTHER_SCHEMA = "out-of-date database schema"
_HTML = re.compile(r"<!doctype html|<html", re.IGNORECASE)
_CREDENTIALS = re.compile(r"://[^/@\s]+@")
_CODE_PREFIX = re.compile(r"^[A-Z_]+: ")


def translate(error: Exception, missing: RegistryError | None = None) -> Exception:
    """``error`` as an error of the registry; ``missing`` is the answer for what does not exist.

    An exception that comes from none of the layers below, a mistake in our own code, is returned
    as it is.
    """
    if isinstance(error, RegistryError):
        return error
    code = getattr(error, "error_code", None)
    if not isinstance(code, str):
        return _foreign(error)
    text = str(error)
    if _OTHER_SCHEMA in text:
        return BackendUnavailable(
            BACKEND,
            "its database has the tables of another MLflow version; back it up, then run "
            "`mlflow db upgrade` on it",
        )
    meaning = MEANING_OF.get(code, Meaning.UNAVAILABLE)
    if meaning is Meaning.INVALID and _DATABASE_TROUBLE.search(text):
        return BackendUnavailable(BACKEND, "its database could not serve the call")
    if meaning in (Meaning.INVALID, Meaning.MISSING) and _HTML.search(text):
        meaning = Meaning.UNSUPPORTED
    match meaning:
        case Meaning.INVALID:
            return InvalidInput(f"MLflow refused the call: {_safe_message(text)}", field="request")
        case Meaning.MISSING:
            return missing or NotFound("MLflow object")
        case Meaning.EXISTS:
            return AlreadyExists(f"MLflow has it already: {_safe_message(text)}")
        case Meaning.REFUSED:
            problem = (
                "it refuses the registry's credentials; check MLFLOW_TRACKING_USERNAME, "
                "MLFLOW_TRACKING_PASSWORD or MLFLOW_TRACKING_TOKEN"
            )
        case Meaning.UNSUPPORTED:
            problem = "its address answers, but not as an MLflow 3 server"
        case Meaning.UNAVAILABLE:
            problem = _cause(error) or f"it answered {code}"
    return BackendUnavailable(BACKEND, problem)


def late(timeout: float) -> BackendUnavailable:
    """The error for a call that did not end within ``timeout`` seconds."""
    return BackendUnavailable(BACKEND, f"no answer within {timeout:g} s")


def without_credentials(text: object) -> str:
    """``text`` with what stands before the @ of an address left out."""
    return _CREDENTIALS.sub("://***@", str(text))


def is_lost_race(error: Exception) -> bool:
    """Whether the database rolled a write back because another one inserted the same key.

    Seen on the first set of an alias or a tag by two writers: the loser gets 400.
    """
    text = str(error)
    return getattr(error, "error_code", None) == "BAD_REQUEST" and (
        "IntegrityError" in text or "UniqueViolation" in text
    )


def _foreign(error: Exception) -> Exception:
    problem = _cause(error)
    return BackendUnavailable(BACKEND, problem) if problem else error


def _cause(error: BaseException) -> str | None:
    """The trouble behind ``error``, in our words; None if nothing known is behind it."""
    for item in _chain(error):
        names = {
            f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(item).mro()
        }
        if names & {"requests.Timeout", "urllib3.TimeoutError", "builtins.TimeoutError"}:
            return "it did not answer in time"
        if names & {"requests.SSLError"}:
            return "its TLS certificate was not accepted"
        if names & {"requests.ConnectionError"}:
            return "its address cannot be reached"
        if names & {"requests.RequestException", "json.JSONDecodeError", "google.ParseError"}:
            return "its answer was not understood"
        if names & {"sqlalchemy.SQLAlchemyError"}:
            return "its database could not serve the call"
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _safe_message(text: str) -> str:
    message = without_credentials(_CODE_PREFIX.sub("", text))
    return message if len(message) <= 300 else f"{message[:297]}..."
