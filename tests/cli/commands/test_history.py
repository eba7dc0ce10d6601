"""The history table reads like a story, at every width."""

from __future__ import annotations

import re

import pytest
from support.command_line import Installation, Run
from support.registry_fixture import RegistryFixture


@pytest.fixture(scope="module")
def story(installation: Installation) -> str:
    """Two promotions, one of them forced, and a way back."""

    async def bring(world: RegistryFixture) -> None:
        await world.promoted("story")
        await world.staged("story", 1)
        await world.move("story", 2, "production", force=True, reason="storm on the way")
        await world.roll_back("story")

    installation.step(bring)
    return "story"


def test_each_entry_says_who_what_why_and_on_what_proof(run: Run, story: str) -> None:
    """A promotion shows both moves, production after it, and the evidence; force is marked."""
    answer = run("history", story, width=170)
    text = answer.out

    assert (answer.code, answer.err) == (0, "")
    header = next(line for line in text.splitlines() if line.lstrip().startswith("#"))
    assert re.split(r"\s{2,}", header.strip()) == [
        "#", "when (UTC)", "who", "what", "production", "why", "evidence", "forced",
    ]  # fmt: skip
    third = next(line for line in text.splitlines() if line.startswith(" 3 "))
    assert re.split(r"\s{2,}", third.strip())[2:] == [
        "kim", "v1 staging → production", "v1", "shadow PASS",
    ]  # fmt: skip
    sixth = next(line for line in text.splitlines() if line.startswith(" 6 "))
    assert "v2 staging → production" in sixth
    assert "storm on the way" in sixth
    assert "FORCED" in sixth
    assert "rolled back" in text


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 160, 250])
def test_no_width_cuts_a_word(run: Run, story: str, width: int) -> None:
    """Whatever the terminal, every word is there, and no line is wider than it."""
    lines = run("history", story, width=width).out.splitlines()
    words = " ".join(lines)

    assert max(len(line) for line in lines) <= width
    assert "…" not in words
    if width >= 40:
        for word in ("development", "production", "archived", "FORCED", "storm", "validation"):
            assert word in words


def test_a_verdict_that_moved_nothing_is_part_of_the_story(run: Run, champion: str) -> None:
    """A challenger that was blocked shows, with the numbers, between the entries."""
    rows = [
        re.split(r"\s{2,}", line.strip())
        for line in run("history", champion, width=250).out.splitlines()
        if "judged" in line
    ]

    assert [[row[0], *row[3:]] for row in rows] == [
        ["·", "v2 judged", "worse by 0.02 [-0.03, -0.01]", "shadow FAIL"]
    ]


def test_a_task_of_airflow_is_told_in_full(
    installation: Installation, run: Run, model: str
) -> None:
    """Its long name is broken where it can be, and never shortened."""
    actor = "airflow:flight_delay_retrain/manual__2026-11-23T19:01:56.601162+00:00"
    installation.step(lambda world: world.version(model))
    run("delete", model, "--all", "--yes", "--reason", "never used", "--actor", actor)

    for width in (60, 100, 140, 200):
        text = run("history", model, width=width).out
        for part in ("airflow:flight_delay_retrain/", "manual__2026-11-23T19:01:56.6"):
            assert part in text


def test_a_column_that_says_nothing_is_left_out(
    installation: Installation, run: Run, model: str
) -> None:
    """Where nothing was forced, no column speaks of it."""
    installation.step(lambda world: world.promoted(model))

    assert "forced" not in run("history", model).out


def test_history_as_json_is_the_ledger(installation: Installation, run: Run, story: str) -> None:
    """Programs get every field of every entry, the hashes too."""
    expected = installation.ask(lambda registry: registry.history("demo", story))

    answer = run("history", story, "--json")

    assert answer.json == {
        "tenant_id": "demo",
        "model_id": story,
        "entries": [entry.document() for entry in expected],
        "after": None,
    }


def test_history_comes_by_the_page(installation: Installation, run: Run, story: str) -> None:
    """Each page names the entry to go on after; together they are the whole ledger."""
    expected = installation.ask(lambda registry: registry.history("demo", story))
    sequences: list[int] = []
    after: int | None = 0
    pages = 0
    while after is not None:
        page = run("history", story, "--limit", 3, "--after", after, "--json").json
        sequences += [entry["sequence"] for entry in page["entries"]]
        after, pages = page["after"], pages + 1

    assert sequences == [entry.sequence for entry in expected]
    assert pages == -(-len(expected) // 3)


def test_a_page_of_history_says_that_there_are_more(run: Run, story: str) -> None:
    """In words that can be typed; the last page says nothing of the kind."""
    first = run("history", story, "--limit", 2)
    last = run("history", story, "--after", 2)
    beyond = run("history", story, "--after", 1000)

    assert first.out.splitlines()[-1] == "There are more: --after 2"
    assert "--after" not in last.out
    assert (beyond.code, beyond.out) == (0, "No entry follows 1000.\n")


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_a_verdict_stands_on_one_page(run: Run, champion: str, limit: int) -> None:
    """Whatever the length of a page, a verdict that moved nothing is shown once, and one that an
    entry of a later page stands on is not shown beside it."""
    text, after = "", "0"
    while after:
        page = run("history", champion, "--limit", limit, "--after", after, width=250).out
        *_, after = page.rpartition("--after ")[1:] if "--after " in page else [""]
        text += page
        after = after.strip()

    rows = [line.split() for line in text.splitlines() if line.startswith(" ·")]
    assert [row[-2:] for row in rows] == [["shadow", "FAIL"]]


def test_a_reason_cannot_steer_the_terminal(
    installation: Installation, run: Run, model: str
) -> None:
    """Escape sequences and markup in what people wrote are shown, not obeyed."""
    installation.step(lambda world: world.promoted(model))
    run("retire", model, "--reason", "\x1b[2J[bold]gone[/bold] \u202eevil")

    answer = run("history", model)

    assert "\x1b" not in answer.out
    assert "\u202e" not in answer.out
    assert "[bold]gone[/bold]" in re.sub(r"\s+", " ", answer.out)


def test_a_deleted_model_keeps_its_history(
    installation: Installation, run: Run, model: str
) -> None:
    """The story goes on to its end."""
    installation.step(lambda world: world.version(model))
    run("delete", model, "--all", "--yes", "--reason", "never used")

    answer = run("history", model)

    assert (answer.code, run("show", model).code) == (0, 3)
    assert "v1 development → deleted" in answer.out
    assert "never used" in answer.out
