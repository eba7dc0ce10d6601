"""Settings: from the environment, passwords never shown, mistakes named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.settings import Settings


def test_everything_lies_in_the_home_folder(tmp_path: Path) -> None:
    """With a home alone, ledger, MLflow and artifacts are places in it."""
    settings = Settings({}, home=tmp_path)

    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert settings.artifact_root == str(tmp_path / "artifacts")


def test_the_default_home_is_in_the_present_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home does not move when the process changes its folder later."""
    monkeypatch.chdir(tmp_path)
    settings = Settings({})
    monkeypatch.chdir("/")

    assert settings.home == tmp_path / ".model-lifecycle"


def test_the_environment_is_read() -> None:
    """Each setting has a variable, in its own type."""
    settings = Settings(
        {
            "MODEL_LIFECYCLE_HOME": "/srv/lifecycle",
            "MODEL_LIFECYCLE_DATABASE_URL": "postgresql://u:p@db/ledger",
            "MODEL_LIFECYCLE_TRACKING_URI": "https://mlflow",
            "MODEL_LIFECYCLE_ARTIFACT_ROOT": "s3://models",
            "MODEL_LIFECYCLE_S3_ENDPOINT_URL": "http://s3",
            "MODEL_LIFECYCLE_CALL_TIMEOUT": "2.5",
            "MODEL_LIFECYCLE_TRANSFER_TIMEOUT": "60",
            "MODEL_LIFECYCLE_TRUSTED_TYPES": "a.B, c.D,",
            "MODEL_LIFECYCLE_ALLOW_PICKLE": "true",
        }
    )

    assert (settings.home, settings.database_url) == (
        Path("/srv/lifecycle"),
        "postgresql://u:p@db/ledger",
    )
    assert (settings.tracking_uri, settings.artifact_root) == ("https://mlflow", "s3://models")
    assert settings.s3_endpoint_url == "http://s3"
    assert (settings.call_timeout, settings.transfer_timeout) == (2.5, 60.0)
    assert (settings.trusted_types, settings.allow_pickle) == (("a.B", "c.D"), True)


def test_a_value_wins_over_the_environment() -> None:
    """The caller's value is not overruled, and an empty variable is none."""
    environ = {"MODEL_LIFECYCLE_TRACKING_URI": "https://mlflow", "MODEL_LIFECYCLE_HOME": ""}
    settings = Settings(environ, tracking_uri="http://other")

    assert settings.tracking_uri == "http://other"
    assert settings.home.name == ".model-lifecycle"


def test_pickle_is_off_unless_it_is_turned_on() -> None:
    """Nobody loads code by accident."""
    assert Settings({}).allow_pickle is False
    assert Settings({"MODEL_LIFECYCLE_ALLOW_PICKLE": "off"}).allow_pickle is False


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"call_timeout": "soon"}, "call_timeout"),
        ({"call_timeout": 0}, "call_timeout"),
        ({"call_timeout": float("nan")}, "call_timeout"),
        ({"transfer_timeout": -1}, "transfer_timeout"),
        ({"transfer_timeout": float("inf")}, "transfer_timeout"),
        ({"allow_pickle": "perhaps"}, "allow_pickle"),
        ({"home": 7}, "home"),
        ({"databse_url": "x"}, "databse_url"),
    ],
)
def test_mistakes_are_named(values: dict[str, Any], field: str) -> None:
    """The error says which setting cannot be used."""
    with pytest.raises(InvalidInput) as caught:
        Settings({}, **values)

    assert caught.value.field == field


def test_a_derived_place_follows_a_replaced_home(tmp_path: Path) -> None:
    """Derived values are derived again; given values stay."""
    settings = Settings({}, home="/srv/a", tracking_uri="http://mlflow").with_values(home=tmp_path)

    assert settings == Settings({}, home=tmp_path, tracking_uri="http://mlflow")


def test_settings_can_be_replaced_one_at_a_time() -> None:
    """The others stay as they are."""
    settings = Settings({}, home="/srv/a", trusted_types=("a.B",), call_timeout=2)

    assert settings.with_values(call_timeout=3) == Settings(
        {}, home="/srv/a", trusted_types=("a.B",), call_timeout=3
    )


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://kim:s3cret@db/ledger",
        "postgresql+asyncpg://kim:s3cret@db:5432/ledger?ssl=require",
        "postgresql://kim:s3cret%2F@db/ledger",
        "postgresql://kim:s3cret/with@slash@db/ledger",
        "postgresql://kim:s3cret#with?signs@db/ledger",
        "postgresql:///ledger?host=db&user=kim&password=s3cret",
        "postgresql://:s3cret@db/ledger",
        "postgresql://kim:s3cret@db:port/ledger",
    ],
)
def test_passwords_are_not_shown(url: str) -> None:
    """Neither repr nor the list for people holds what stands for a password."""
    settings = Settings({}, home="/srv/a", database_url=url, tracking_uri=url, artifact_root=url)

    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings)
    assert "s3cret" not in str(settings.redacted())
    assert settings.database_url == url


def test_what_is_no_secret_is_shown() -> None:
    """The list tells where the stores are."""
    redacted = Settings({}, home="/srv/a", database_url="postgresql://kim:x@db/ledger").redacted()

    assert redacted["database_url"] == "postgresql://kim:***@db/ledger"
    assert redacted["tracking_uri"] == "sqlite:////srv/a/mlflow.db"
