"""Command lines in the documentation: the command line's own parser accepts them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from support.markdown import PAGES, ROOT, blocks, inline_code

from model_lifecycle.cli.main import app

ROOT_COMMAND: Any = typer.main.get_command(app)
_LINE = re.compile(r"(?:^|[$)] |; )(?:\.venv/bin/)?model-lifecycle ([^;|\n]*)", re.MULTILINE)
_TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def command_lines() -> Iterator[Any]:
    """Arguments of each call in a block, without the program's name."""
    for block in blocks("", "sh"):
        for match in _LINE.finditer(block.text):
            yield pytest.param(shlex.split(match[1]), id=f"{block.page}: {match[1][:60]}")


def mentions() -> Iterator[Any]:
    """Inline code that begins with the program's name, and the rows of the CLI's overview."""
    for page in PAGES:
        for code in inline_code(page):
            if code.startswith("model-lifecycle ") and "COMMAND" not in code:
                yield pytest.param(code.removeprefix("model-lifecycle "), id=f"{page}: {code}")
    for line in (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8").splitlines():
        cells = line.replace("\\|", " ").split(" | ")
        if line.startswith("| `") and len(cells) == 2:
            for code in re.findall(r"`([^`]+)`", cells[0]):
                yield pytest.param(code, id=f"overview: {code}")


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    """The command of these words, and the words after its name."""
    command, rest = ROOT_COMMAND, list(words)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize("arguments", list(command_lines()))
def test_a_command_in_a_block_parses(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Options exist, required ones are there, and values have the right type."""
    monkeypatch.setenv("MODEL_LIFECYCLE_TENANT", "acme")
    command, rest = resolve(arguments)

    assert command.make_context(command.name, rest).params


@pytest.mark.parametrize("text", list(mentions()))
def test_options_that_are_mentioned_exist(text: str) -> None:
    """The command exists, and has each option that the text names."""
    command, rest = resolve(text.replace("[", " ").replace("]", " ").split())
    known = {name for item in command.params for name in (*item.opts, *item.secondary_opts)}

    assert {word for word in rest if word.startswith("--")} <= known


def test_the_overview_names_every_command() -> None:
    """Each command is in the table of `docs/reference/cli.md`."""
    page = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    names = [
        f"{name} {child}" if child else name
        for name, command in ROOT_COMMAND.commands.items()
        for child in (getattr(command, "commands", None) or [""])
    ]

    assert [name for name in names if not re.search(rf"\| .*`{name}\b", page)] == []


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    """`make NAME` in code names a target of the Makefile."""
    lines = [line for block in blocks("", "sh", pages=[page]) for line in block.text.splitlines()]
    named = {
        match[1]
        for text in [*lines, *inline_code(page)]
        if (match := re.match(r"make ([a-z][a-z0-9-]*)", text))
    }

    # The changelog names the former name of one.
    assert named - {"torture"} <= _TARGETS
