"""Fields of a connection: one that cannot be read completely is refused, never guessed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model_lifecycle.registry.domain.authorization import Role
from model_lifecycle.registry.domain.errors import InvalidInput

if TYPE_CHECKING:
    from model_lifecycle.operators import ModelRegistryHook


STORES = {
    "database_url": "postgresql+asyncpg://lifecycle:s3cret-word@db/ledger",
    "tracking_uri": "https://mlflow.example.com",
    "artifact_root": "s3://lifecycle",
}


@pytest.fixture
def connect(no_registry: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModelRegistryHook]:
    """A hook whose connection has these fields; ``extra`` may be text that is no JSON."""
    from model_lifecycle.operators import ModelRegistryHook

    def call(extra: object = None, **fields: object) -> ModelRegistryHook:
        connection = {"conn_type": "model_registry", "extra": extra, **fields}
        monkeypatch.setenv("AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT", json.dumps(connection))
        return ModelRegistryHook()

    return call


@pytest.mark.parametrize(
    "extra",
    [
        None,
        "",
        "  ",
        "{}",
        '{"database_url": "", "roles": null}',
        '{"database_url": "postgresql://localhost/ledger", "roles": "viewer",}',
        '["postgresql://localhost/ledger"]',
        '"postgresql://localhost/ledger"',
        "5",
        "null",
    ],
)
def test_extra_that_is_no_filled_object_is_refused(
    connect: Callable[..., ModelRegistryHook], extra: str | None
) -> None:
    """Nothing is taken from an extra that is empty or cannot be read: neither store nor role."""
    hook = connect(extra)

    with pytest.raises(InvalidInput, match=r"connection 'model_registry_default': .*'?extra|empty"):
        hook.connection()


@pytest.mark.parametrize("environment", [False, True])
def test_unreadable_connection_is_refused_whatever_the_environment_says(
    connect: Callable[..., ModelRegistryHook],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    environment: bool,
) -> None:
    """A connection that is there is never replaced by the environment."""
    if environment:
        monkeypatch.setenv("MODEL_LIFECYCLE_HOME", str(tmp_path))

    with pytest.raises(InvalidInput, match=r"'extra' is not JSON at line 1, column \d+"):
        connect('{"roles": "viewer",}').connection()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("database_url", ["postgresql://localhost/ledger"]),
        ("database_url", {"host": "localhost"}),
        ("database_url", 5),
        ("tracking_uri", " https://mlflow.example.com"),
        ("tracking_uri", "https://mlflow.example.com\n"),
        ("artifact_root", "s3://my bucket"),
        ("artifact_root", "artifacts"),
        ("home", "."),
        ("home", True),
        ("call_timeout", "soon"),
        ("call_timeout", True),
        ("call_timeout", [4]),
        ("call_timeout", float("nan")),
        ("allow_pickle", "yes"),
        ("allow_pickle", 1),
        ("aws_conn_id", 7),
        ("roles", ["viewer"]),
        ("roles", ""),
        ("roles", " "),
        ("roles", "viewer,"),
        ("roles", "viewer, owner"),
        ("roles", {"viewer": True}),
        ("roles", 0),
        ("roles", False),
        ("trusted_types", ["a.B"]),
        ("Roles", "viewer"),
        ("role", "viewer"),
        ("traking_uri", "https://mlflow.example.com"),
        ("extra__model_registry__roles", "viewer"),
    ],
)
def test_wrong_field_is_refused_by_name(
    connect: Callable[..., ModelRegistryHook], field: str, value: object
) -> None:
    """The error names the field, whatever is wrong with it."""
    hook = connect({**STORES, field: value})

    with pytest.raises(InvalidInput, match=field) as caught:
        hook.connection()

    assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", "https://mlflow.example.com"),
        ("schema", "ledger"),
        ("login", "kim"),
        ("password", "s3cret-word"),
        ("port", 5432),
    ],
)
def test_value_outside_of_the_extra_fields_is_refused(
    connect: Callable[..., ModelRegistryHook], field: str, value: object
) -> None:
    """An address in another field would be left out without a word."""
    hook = connect(STORES, **{field: value})

    with pytest.raises(InvalidInput, match=f"{field!r}, which is not used") as caught:
        hook.connection()

    assert caught.value.field == field
    assert "s3cret-word" not in str(caught.value)


def test_connection_of_another_type_is_refused(connect: Callable[..., ModelRegistryHook]) -> None:
    """The id of a web server's connection is no registry."""
    with pytest.raises(InvalidInput, match="of type 'http', not 'model_registry'"):
        connect(STORES, conn_type="http").connection()


@pytest.mark.parametrize("missing", sorted(STORES))
def test_store_that_nobody_named_is_refused(
    connect: Callable[..., ModelRegistryHook], missing: str
) -> None:
    """No store is made in the folder in which a worker happens to run."""
    rest = {name: value for name, value in STORES.items() if name != missing}

    with pytest.raises(InvalidInput, match=f"{missing} is neither in the connection nor") as caught:
        connect(rest).call_registry(lambda registry: registry.ping())

    assert caught.value.field == missing


@pytest.mark.parametrize("named", [{"roles": "viewer"}, {"call_timeout": 3}])
def test_connection_that_names_no_store_is_refused(
    connect: Callable[..., ModelRegistryHook], named: dict[str, object]
) -> None:
    """The roles of tasks name no store."""
    with pytest.raises(InvalidInput, match="nothing says where the registry is"):
        connect(named).connection()


def test_environment_names_what_the_connection_leaves_out(
    connect: Callable[..., ModelRegistryHook], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each field that the connection does not fill may come from the environment."""
    monkeypatch.setenv("MODEL_LIFECYCLE_DATABASE_URL", STORES["database_url"])
    monkeypatch.setenv("MODEL_LIFECYCLE_TRACKING_URI", STORES["tracking_uri"])
    monkeypatch.setenv("MODEL_LIFECYCLE_ARTIFACT_ROOT", STORES["artifact_root"])

    connection = connect({"roles": "viewer"}).connection()

    assert connection.settings.artifact_root == STORES["artifact_root"]
    assert connection.roles == {Role.VIEWER}


def test_home_asks_for_an_embedded_registry(
    connect: Callable[..., ModelRegistryHook], tmp_path: Path
) -> None:
    """A connection that names the folder gets ledger, MLflow and artifacts in it."""
    settings = connect({"home": str(tmp_path)}).settings()

    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/ledger.db"


def test_environment_that_names_no_store_is_no_registry(
    no_registry: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some other setting in the environment does not make an embedded registry."""
    from airflow.sdk.exceptions import AirflowFailException

    from model_lifecycle.operators import ModelRegistryHook

    monkeypatch.setenv("MODEL_LIFECYCLE_CALL_TIMEOUT", "9")

    with pytest.raises(AirflowFailException, match="nothing says where the registry is"):
        ModelRegistryHook().settings()


def test_text_of_a_connection_uri_is_read(
    no_registry: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection written as a URI has text in every field."""
    from urllib.parse import urlencode

    from model_lifecycle.operators import ModelRegistryHook

    query = urlencode({**STORES, "call_timeout": "9", "allow_pickle": "true"})
    monkeypatch.setenv("AIRFLOW_CONN_MODEL_REGISTRY_DEFAULT", f"model-registry://?{query}")
    settings = ModelRegistryHook().settings()

    assert (settings.call_timeout, settings.allow_pickle) == (9.0, True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"database_url": "postgresql://u:p%40ss%2Fword@db/l"}, {"p%40ss%2Fword", "p@ss/word"}),
        (
            {"database_url": "postgresql://db/l?user=u&password=a%2Bb+c"},
            {"a%2Bb+c", "a+b+c", "a+b c"},
        ),
        ({"tracking_uri": "https://t0ken@mlflow"}, {"t0ken"}),
        ({"database_url": "postgresql://postgres@db/l"}, set()),
        ({"aws": {"secret_key": "k1", "keys": ["k2"]}}, {"k1", "k2"}),
        ({"nested": [{"url": "http://u:deep@x"}]}, {"deep"}),
        ('{"database_url": "postgresql://u:typo@db/l",}', {"typo"}),
        ("postgresql://u:p@ss@db/l", {"p@ss"}),
        ({"tracking_uri": "https://mlflow.example.com/?page=2"}, set()),
    ],
)
def test_secrets_are_found_wherever_they_stand(value: object, expected: set[str]) -> None:
    """As written and decoded, nested, in queries, and in what is no JSON."""
    from model_lifecycle.operators.hooks.connection_secrets import secrets_of

    assert secrets_of(value) == expected


@pytest.mark.parametrize(
    "extra",
    [
        STORES,
        {**STORES, "roles": "owner"},
        '{"database_url": "postgresql+asyncpg://lifecycle:s3cret-word@db/ledger",}',
        {"stores": {"ledger": {"password": "s3cret-word"}}},
    ],
)
def test_secrets_are_masked_also_where_the_connection_is_refused(
    connect: Callable[..., ModelRegistryHook], extra: object
) -> None:
    """Airflow's later output does not hold the password."""
    from airflow.sdk._shared.secrets_masker import redact

    hook = connect(extra)
    with suppress(InvalidInput):
        hook.connection()

    assert "s3cret-word" not in str(redact("the password is s3cret-word"))
