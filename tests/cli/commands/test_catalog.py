"""The catalogue: models, show, evidence, production, readiness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from support.command_line import Installation, Run
from support.present import present
from support.registry_fixture import RegistryFixture

from model_lifecycle.registry.domain.stages import Gate


def test_models_are_listed_with_their_current_version(run: Run, champion: str) -> None:
    """A row tells the model, its current version, the stage and the framework."""
    answer = run("models", "--stage", "production", "--framework", "sklearn", "--limit", 1000)
    row = next(line for line in answer.out.splitlines() if champion in line)

    assert (answer.code, answer.err) == (0, "")
    assert row.split()[:5] == [champion, "1", "production", "1", "sklearn"]


def test_models_as_json_are_those_of_the_registry(
    installation: Installation, run: Run, champion: str
) -> None:
    """Programs get each model as the registry tells it."""
    expected = present(installation.ask(lambda registry: registry.get_model("demo", champion)))

    answer = run("models", "--stage", "production", "--limit", 1000, "--json")

    assert expected.document() in answer.json["models"]
    assert answer.json["after"] is None


def test_pages_of_models_follow_each_other(
    installation: Installation, run: Run, model: str
) -> None:
    """The next page starts after the end that a page names."""
    names = [f"{model}-{letter}" for letter in "abc"]
    for name in names:
        installation.step(partial(RegistryFixture.version, model_id=name))

    first = run("models", "--limit", 2, "--after", model, "--json").json
    second = run("models", "--limit", 1, "--after", first["after"], "--json").json

    assert [item["model_id"] for item in first["models"] + second["models"]] == names
    assert f"--after {names[1]}" in run("models", "--limit", 2, "--after", model).out


def test_a_tenant_without_models_is_told_so(run: Run) -> None:
    """No models is an answer, not an error."""
    answer = run("models", "--tenant", "nobody")

    assert (answer.code, answer.out) == (0, "Tenant nobody has no models.\n")


def test_show_tells_the_model_and_its_versions(run: Run, champion: str) -> None:
    """The production version comes first, then every version with stage and metrics."""
    answer = run("show", champion)
    rows = [line.split() for line in answer.out.splitlines() if line.lstrip()[:1] in ("1", "2")]

    assert answer.out.startswith(f"{champion}: version 1 is in production\n")
    assert [row[:3] for row in rows] == [
        ["1", "production", "sklearn"],
        ["2", "staging", "sklearn"],
    ]
    assert "accuracy 0.95, auc 0.9" in answer.out


def test_show_as_json_has_model_and_versions(
    installation: Installation, run: Run, champion: str
) -> None:
    """One document holds the model and all of its versions."""
    model = present(installation.ask(lambda registry: registry.get_model("demo", champion)))
    versions = installation.ask(lambda registry: registry.list_versions("demo", champion))

    answer = run("show", champion, "--json")

    assert answer.json == {
        "model": model.document(),
        "versions": [item.document() for item in versions],
    }


def test_show_tells_all_about_one_version(
    installation: Installation, run: Run, champion: str
) -> None:
    """Metrics, parameters, tags, files, digest and lineage, in words or as JSON."""
    expected = present(installation.ask(lambda registry: registry.get_version("demo", champion, 1)))

    answer = run("show", champion, "--version", 1)

    assert expected.document() == run("show", champion, "--version", 1, "--json").json
    known = (expected.bundle_digest, expected.artifact_uri, present(expected.run_id), "auc = 0.9")
    for text in known:
        assert text in answer.out


def test_evidence_is_told_with_its_numbers(run: Run, champion: str) -> None:
    """Each verdict with its baseline and the sentence that says why."""
    answer = run("evidence", champion, 2)
    rows = [line for line in answer.out.splitlines() if "version 1" in line]

    assert [row.split()[2:4] for row in rows] == [["validation", "PASS"], ["shadow", "FAIL"]]
    assert "worse by 0.02 [-0.03, -0.01]" in answer.out


def test_evidence_as_json_is_that_of_the_registry(
    installation: Installation, run: Run, champion: str
) -> None:
    """Programs get every field, also the policy's fingerprint and the digest."""
    expected = installation.ask(lambda registry: registry.list_evidence("demo", champion, 2))

    answer = run("evidence", champion, 2, "--json")

    assert answer.json == {
        "model_id": champion,
        "version": 2,
        "evidence": [item.document() for item in expected],
    }


def test_a_version_that_no_gate_has_judged_is_told_so(
    installation: Installation, run: Run, model: str
) -> None:
    """No evidence is an answer, not an error."""
    installation.step(lambda world: world.version(model))

    answer = run("evidence", model, 1)

    assert (answer.code, answer.out) == (0, f"No gate has judged version 1 of {model}.\n")


def test_production_is_told_for_any_instant(run: Run, champion: str) -> None:
    """Before the first promotion nothing was there; now there is the version promoted."""
    before = datetime.now(UTC) - timedelta(days=1)

    then = run("production", champion, "--at", before.isoformat(), "--json")
    now = run("production", champion, "--json")

    assert [then.json["version"], now.json["version"]] == [None, 1]
    assert f"{champion}: version 1 in production at " in run("production", champion).out
    assert "no version" in run("production", champion, "--at", "2013-01-01T00:00:00Z").out


def test_readiness_tells_what_is_missing(run: Run, champion: str) -> None:
    """Words and codes on standard output, and an exit code that a script can test."""
    answer = run("readiness", champion, 2, "--target", "production")
    program = run("readiness", champion, 2, "--json")

    assert (answer.code, program.code, answer.err) == (4, 4, "")
    assert "Not ready for production:" in answer.out
    assert "worse by 0.02 [-0.03, -0.01] (not_passed)" in answer.out
    assert program.json["missing"][0]["code"] == "not_passed"


def test_readiness_says_yes_with_exit_code_zero(
    installation: Installation, run: Run, model: str
) -> None:
    """A version whose evidence fits is ready."""
    installation.step(lambda world: world.staged(model))
    installation.step(lambda world: world.judged(model, 1, Gate.SHADOW))

    answer = run("readiness", model, 1)

    assert answer.code == 0
    assert "Ready for production." in answer.out
    assert run("readiness", model, 1, "--json").json["ready"] is True
