"""Every failure has its exit code, one plain sentence, and a JSON object for programs."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from support.command_line import Installation, Run

from model_lifecycle.cli.exit_codes import ExitCode, exit_code, legend
from model_lifecycle.registry.domain import errors
from model_lifecycle.registry.domain.errors import RegistryError


def _tree(kind: type[RegistryError]) -> list[type[RegistryError]]:
    return [kind, *(one for child in kind.__subclasses__() for one in _tree(child))]


def test_every_error_of_the_registry_has_an_exit_code() -> None:
    """None of them is unexpected."""
    unexpected = [
        kind.__name__
        for kind in _tree(RegistryError)[1:]
        if kind.__module__ == errors.__name__
        and exit_code(kind.__new__(kind)) is ExitCode.UNEXPECTED
    ]

    assert unexpected == []


def test_help_tells_every_exit_code(run: Run) -> None:
    """A script's author finds them all in --help."""
    text = run("--help").out

    assert [code for code in ExitCode if f"  {code:d}  {code.meaning[:40]}" not in text] == []
    assert len(legend().splitlines()) == len(ExitCode)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), "usage"),
        (("--no-such",), "usage"),
        (("promot", "m", "1"), "usage"),
        (("show",), "usage"),
        (("promote", "m", "1", "--to", "archived"), "usage"),
        (("rollback", "m"), "usage"),
        (("models", "--limit", "many"), "usage"),
        (("models", "--limit", "0"), "usage"),
        (("models", "--stage", "deleted"), "invalid_input"),
        (("models", "--framework", "excel"), "invalid_input"),
        (("models", "--tenant", "a_b"), "invalid_name"),
        (("show", "../etc"), "invalid_name"),
        (("show", "a\n"), "invalid_name"),
        (("show", "a\0"), "invalid_name"),
        (("show", "x" * 300), "invalid_name"),
        (("show", "m", "--version", "01"), "invalid_name"),
        (("promote", "m", "1_0"), "invalid_name"),
        (("promote", "m", "0"), "invalid_name"),
        (("promote", "m", "1", "--expect", "all"), "invalid_name"),
        (("promote", "m", "1", "--operation-id", " x"), "invalid_name"),
        (("promote", "m", "1", "--actor", "a\x1b[2J"), "invalid_input"),
        (("rollback", "m", "--reason", " "), "invalid_input"),
        (("production", "m", "--at", "yesterday"), "invalid_input"),
        (("production", "m", "--at", "2026-03-01"), "invalid_input"),
    ],
)
def test_bad_input_and_usage_exit_with_two(run: Run, arguments: tuple[str, ...], code: str) -> None:
    """In one sentence for people, as an object for programs, and never as a traceback."""
    words, program = run(*arguments), run(*arguments, "--json")

    assert (words.code, program.code) == (2, 2)
    if arguments:
        assert words.out == program.out == ""
        assert words.err.startswith("error: ")
        assert len(words.err.splitlines()) == 1
        assert "\x1b" not in words.err
        assert program.problem["code"] == code


@pytest.mark.parametrize(
    "command",
    [
        ("show", "MODEL"),
        ("show", "MODEL", "--version", "1"),
        ("history", "MODEL"),
        ("evidence", "MODEL", "1"),
        ("readiness", "MODEL", "1"),
        ("promote", "MODEL", "1"),
        ("rollback", "MODEL", "--reason", "why"),
        ("retire", "MODEL", "--reason", "why"),
        ("delete", "MODEL", "--all", "--yes", "--reason", "why"),
        ("policy", "MODEL"),
        ("verify", "MODEL"),
        ("production", "MODEL"),
    ],
)
def test_what_the_tenant_has_not_exits_with_three(
    run: Run, champion: str, command: tuple[str, ...]
) -> None:
    """Another tenant's model is not found, in the same words as one that does not exist."""
    name, *rest = command

    foreign = run(name, *[word.replace("MODEL", champion) for word in rest], "--tenant", "other")
    absent = run(name, *[word.replace("MODEL", "absent") for word in rest], "--tenant", "other")

    assert (foreign.code, absent.code) == (3, 3)
    assert foreign.err == absent.err.replace("absent", champion)
    assert foreign.out == ""


def test_a_stale_expectation_exits_with_five(
    installation: Installation, run: Run, model: str
) -> None:
    """The loser of a race gets the version in production."""
    installation.step(lambda world: world.promoted(model))
    installation.step(lambda world: world.staged(model, 1))
    installation.step(lambda world: world.judged(model, 2))

    answer = run("promote", model, 2, "--expect", "none", "--json")

    assert answer.code == 5
    assert answer.problem["code"] == "stale_production"
    assert (answer.problem["expected"], answer.problem["actual"]) == (None, 1)


def test_nothing_to_roll_back_to_exits_with_five(
    installation: Installation, run: Run, model: str
) -> None:
    """The first version has none before it."""
    installation.step(lambda world: world.promoted(model))

    answer = run("rollback", model, "--reason", "why", "--json")

    assert (answer.code, answer.problem["code"]) == (5, "no_earlier_production")


def test_an_operation_id_of_another_request_exits_with_five(
    installation: Installation, run: Run, model: str
) -> None:
    """The same id cannot mean two things."""
    installation.step(lambda world: world.promoted(model))
    run("retire", model, "--reason", "why", "--operation-id", f"op/{model}")

    answer = run("rollback", model, "--reason", "why", "--operation-id", f"op/{model}", "--json")

    assert (answer.code, answer.problem["code"]) == (5, "operation_conflict")


@pytest.mark.parametrize(
    "command",
    [
        ("promote", "MODEL", "1"),
        ("rollback", "MODEL", "--reason", "why"),
        ("retire", "MODEL", "--reason", "why"),
        ("delete", "MODEL", "--all", "--yes", "--reason", "why"),
        ("reconcile",),
        ("policy", "MODEL", "--set", "-", "--reason", "why"),
    ],
)
def test_a_viewer_who_changes_something_exits_with_six(
    run: Run, champion: str, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """Roles from the environment are checked in the core; looking stays allowed."""
    monkeypatch.setenv("MODEL_LIFECYCLE_ROLES", "viewer")

    answer = run(*[word.replace("MODEL", champion) for word in command], "--json", stdin="{}")

    assert (answer.code, answer.problem["code"]) == (6, "permission_denied")
    assert run("show", champion).code == 0


def test_only_an_admin_may_force(
    installation: Installation, run: Run, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A promoter promotes on evidence, not without."""
    installation.step(lambda world: world.staged(model))
    monkeypatch.setenv("MODEL_LIFECYCLE_ROLES", "viewer, promoter")

    assert run("promote", model, 1, "--force", "--reason", "hurry").code == 6
    assert run("promote", model, 1).code == 4


def test_an_unreachable_mlflow_exits_with_seven_and_says_how_to_repeat(
    installation: Installation, run: Run, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was changed; the error has the call's operation id for the next try."""
    installation.step(lambda world: world.staged(model))
    installation.step(lambda world: world.judged(model, 1))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    monkeypatch.setenv("MODEL_LIFECYCLE_TRACKING_URI", f"http://user:secret@127.0.0.1:{port}")

    words, program = run("promote", model, 1), run("promote", model, 1, "--json")

    assert (words.code, program.code, program.problem["retryable"]) == (7, 7, True)
    assert "secret" not in words.err + program.err
    assert "--operation-id cli/" in words.err
    assert "--operation-id cli/" in program.problem["hint"]
    monkeypatch.delenv("MODEL_LIFECYCLE_TRACKING_URI")
    repeated = words.err.split("--operation-id ")[1].strip()
    assert run("promote", model, 1, "--operation-id", repeated).code == 0


def test_an_unreachable_ledger_exits_with_seven(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the password of its address."""
    monkeypatch.setenv("MODEL_LIFECYCLE_DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/ledger")

    answer = run("models", "--json")

    assert (answer.code, answer.problem["backend"]) == (7, "ledger")
    assert "secret" not in answer.err


def test_a_mistake_in_the_program_exits_with_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback and no message from below, unless somebody asks for it."""

    def broken(**_values: object) -> None:
        raise RuntimeError("postgresql://me:secret@host")

    monkeypatch.setattr("model_lifecycle.cli.context.Settings", broken)

    words, program = run("models"), run("models", "--json")
    monkeypatch.setenv("MODEL_LIFECYCLE_TRACEBACK", "1")
    traced = run("models")

    assert (words.code, program.code, program.problem["code"]) == (1, 1, "unexpected")
    assert words.err.startswith("error: unexpected RuntimeError")
    assert "secret" not in words.err + program.err
    assert "Traceback" in traced.err


def test_a_home_without_a_registry_exits_with_two_and_makes_nothing(
    run: Run, tmp_path: Path
) -> None:
    """A wrong path gives an error that says what to set, and no new folder."""
    home = tmp_path / "nowhere"
    commands = [
        ("models",),
        ("show", "m"),
        ("promote", "m", "1"),
        ("reconcile",),
        ("verify", "--all"),
        ("delete", "m", "--all", "--yes", "--reason", "why"),
    ]

    answers = [run(*command, "--home", home) for command in commands]

    assert {answer.code for answer in answers} == {2}
    assert all("Set MODEL_LIFECYCLE_HOME" in answer.err for answer in answers)
    assert not home.exists()


@pytest.mark.parametrize("content", [b"", b"not a database", None])
def test_what_is_no_ledger_is_not_taken_for_one(
    run: Run, tmp_path: Path, content: bytes | None
) -> None:
    """Neither an empty file nor another one, nor a folder; and it stays as it was."""
    ledger = tmp_path / "ledger.db"
    if content is None:
        ledger.mkdir()
    else:
        ledger.write_bytes(content)

    answer = run("models", "--home", tmp_path, "--json")

    assert (answer.code, answer.problem["field"]) == (2, "home")
    assert content is None or content == ledger.read_bytes()


def test_a_home_that_is_a_file_gets_no_ledger(run: Run, tmp_path: Path) -> None:
    """`db upgrade` says that it cannot be."""
    (tmp_path / "file").touch()

    answer = run("db", "upgrade", "--home", tmp_path / "file")

    assert answer.code == 2
    assert "cannot be made" in answer.err
