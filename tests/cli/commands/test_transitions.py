"""Changes of stage: each is one entry of the ledger, which the command prints."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from support.command_line import Installation, Run
from support.registry_fixture import RegistryFixture
from support.servers.postgres import free_port

from model_lifecycle.registry.domain.stages import Gate


def test_a_version_goes_to_staging_and_then_to_production(
    installation: Installation, run: Run, model: str
) -> None:
    """With its evidence, each promotion is one command; the ledger shows the person."""
    installation.step(lambda world: world.version(model))
    installation.step(lambda world: world.judged(model, 1, Gate.VALIDATION))
    staged = run("promote", model, 1, "--to", "staging")
    installation.step(lambda world: world.judged(model, 1, Gate.SHADOW))

    answer = run(
        "promote", model, 1, "--to", "production", "--reason", "better", "--expect", "none"
    )

    assert (staged.code, answer.code, answer.err) == (0, 0, "")
    assert answer.out.splitlines() == [
        f"{model} version 1: staging → production",
        "In production: version 1. Entry 3 of the ledger, by cli:robin.",
    ]
    entry = installation.step(lambda world: world.history(model))[-1]
    assert (entry.actor, entry.reason, entry.forced) == ("cli:robin", "better", False)


def test_a_promotion_as_json_is_its_ledger_entry(
    installation: Installation, run: Run, model: str
) -> None:
    """Programs get the entry: both moves, the evidence, the hash."""
    installation.step(lambda world: world.promoted(model))
    installation.step(lambda world: world.staged(model, 1))
    installation.step(lambda world: world.judged(model, 2))

    answer = run("promote", model, 2, "--expect", 1, "--actor", "kim", "--json")
    entry = installation.step(lambda world: world.history(model))[-1]

    assert answer.json == {"entry": entry.document(), "replayed": False, "current": None}
    assert [move["to"] for move in answer.json["entry"]["moves"]] == ["production", "archived"]


def test_the_same_operation_id_promotes_once(
    installation: Installation, run: Run, model: str
) -> None:
    """A script that repeats its command gets the same entry, marked, and one effect."""
    installation.step(lambda world: world.staged(model))
    installation.step(lambda world: world.judged(model, 1))
    command = ("promote", model, 1, "--operation-id", f"release/{model}", "--json")

    first, second = run(*command), run(*command)

    assert first.json["entry"] == second.json["entry"]
    assert (first.json["replayed"], second.json["replayed"]) == (False, True)
    assert second.json["current"]["production_version"] == 1
    assert len(installation.step(lambda world: world.history(model))) == 3


def test_force_needs_a_reason_and_shows_what_was_waived(
    installation: Installation, run: Run, model: str
) -> None:
    """A forced promotion is printed as such, and recorded in the ledger."""
    installation.step(lambda world: world.staged(model))

    without = run("promote", model, 1, "--force")
    answer = run("promote", model, 1, "--force", "--reason", "storm")

    assert (without.code, answer.code) == (2, 0)
    assert "reason" in without.err
    assert "FORCED: there is no evidence of the shadow or ab_test gate" in answer.out


def test_rollback_brings_the_last_production_version_back(
    installation: Installation, run: Run, model: str
) -> None:
    """One command, one entry: the old version is back, the new one in development."""
    installation.step(lambda world: world.promoted(model))
    installation.step(lambda world: world.promoted(model, 1))

    answer = run("rollback", model, "--reason", "feed is down")

    assert answer.code == 0
    assert answer.out.splitlines()[:2] == [
        f"{model} version 1: archived → production",
        f"{model} version 2: production → development",
    ]
    assert installation.step(lambda world: world.stages(model)) == {
        1: "production",
        2: "development",
    }


def test_rollback_goes_to_the_version_asked_for(
    installation: Installation, run: Run, model: str
) -> None:
    """Not only one step back."""
    for source in (0, 1, 0):
        installation.step(partial(RegistryFixture.promoted, model_id=model, source=source))

    answer = run("rollback", model, "--to-version", 1, "--reason", "feed is down", "--json")

    assert answer.json["entry"]["production"] == 1


def test_retire_leaves_production_empty_and_is_repeatable(
    installation: Installation, run: Run, model: str
) -> None:
    """Repeated under its operation id it is the same retirement; without, there is nothing."""
    installation.step(lambda world: world.promoted(model))
    command = ("retire", model, "--reason", "route closed", "--operation-id", f"close/{model}")

    first, second, other = run(*command), run(*command), run("retire", model, "--reason", "again")

    assert (first.code, second.code, other.code) == (0, 0, 3)
    assert second.out.startswith(first.out)
    assert "Replayed: an earlier call with this operation id did it" in second.out
    assert first.out.splitlines()[1].startswith("In production: no version.")
    assert installation.step(lambda world: world.stages(model)) == {1: "archived"}


def test_delete_takes_one_version_or_the_whole_model(
    installation: Installation, run: Run, model: str
) -> None:
    """The versions are gone; what was done stays in the ledger."""
    for _ in range(3):
        installation.step(lambda world: world.version(model))

    one = run("delete", model, "--version", 2, "--yes", "--reason", "wrong data")
    rest = run("delete", model, "--all", "--yes", "--reason", "never used", "--json")

    assert one.out.startswith(f"{model} version 2: development → deleted\n")
    assert [move["version"] for move in rest.json["entry"]["moves"]] == [1, 3]
    assert run("show", model).code == 3


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ((), "--all"),
        (("--yes",), "--all"),
        (("--all",), "--yes"),
        (("--version", 1), "--yes"),
        (("--all", "--version", 1, "--yes"), "--all"),
    ],
)
def test_nothing_is_deleted_in_silence(
    installation: Installation, run: Run, model: str, options: tuple[Any, ...], advice: str
) -> None:
    """Without a terminal: exit code 2 unless the command says what, and --yes."""
    installation.step(lambda world: world.version(model))
    installation.step(lambda world: world.version(model))

    answer = run("delete", model, "--reason", "clean up", *options)

    assert (answer.code, answer.out) == (2, "")
    assert advice in answer.err
    assert len(installation.step(lambda world: world.stages(model))) == 2


def test_an_erasure_names_the_copy_that_mlflow_has(
    installation: Installation, run: Run, model: str
) -> None:
    """A version that was in production loses its files; a script has to say --yes."""
    installation.step(lambda world: world.promoted(model))
    installation.step(lambda world: world.promoted(model, 1))
    erase = ("erase", model, 1, "--reason", "request of the data subject")

    without, answer = run(*erase), run(*erase, "--yes")

    assert (without.code, answer.code) == (2, 0)
    assert f"{model} version 1: archived → deleted" in answer.out
    assert "MLflow has a copy in LoggedModel m-" in answer.out
    assert installation.step(lambda world: world.stages(model)) == {2: "production"}


def test_a_rollback_without_mlflow_shows_what_was_not_verified(
    installation: Installation, run: Run, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command ends well within seconds; without the option it is refused."""
    installation.step(lambda world: world.promoted(model))
    installation.step(lambda world: world.promoted(model, 1))
    monkeypatch.setenv("MODEL_LIFECYCLE_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    undo = ("rollback", model, "--reason", "late", "--expect", 2)

    refused, answer = run(*undo), run(*undo, "--without-verification")
    second = run(*undo, "--without-verification")

    assert refused.code != 0
    assert answer.code == 0
    assert all(line.startswith("warning: the head of") for line in answer.err.splitlines())
    assert "NOT VERIFIED: mlflow:" in answer.out
    assert "In production: version 1." in answer.out
    assert second.code != 0
    assert "expected production to be version 2, but it is version 1" in second.err
