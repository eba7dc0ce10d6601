"""The documentation is in plain English: no retired expressions, no sentence without a subject."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from architecture.structure import (
    RETIRED_PHRASES,
    ROOT,
    files,
    product_modules,
    retired_phrases,
)

PAGES = files("*.md", "docs/**/*.md")
#: Expressions that the glossary retires, beyond those that are retired in code as well.
_RETIRED = re.compile(
    r"\b(anew|in passing|(?:an|the) instant|holds? back|taken back|takes back|put right|"
    r"of its own accord|tells? (?:it|that|what|which|why|how)|is said|are said|as said|"
    r"what (?:holds|is told)|hears? `|the story)\b",
    re.IGNORECASE,
)
#: "Who", "Whoever" and "What" as the subject of a sentence, heading, list item or table cell.
_PRONOUN = re.compile(
    r"(?:^|[.!?:]\s+|^#+\s+(?:\d+ — )?|^\d+\.\s+|[-*|]\s+)((?:Who|What)(?:ever)?)\b"
)


def paragraphs(path: Path) -> Iterator[tuple[int, str]]:
    """Line number and text of each paragraph, without code blocks, inline code and URLs."""
    fenced, start, lines = False, 1, list[str]()
    text = (ROOT / path).read_text(encoding="utf-8")
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        new = not line.strip() or bool(re.match(r"\s*([-*|#]|\d+\.\s)", line))
        if lines and (new or fenced):
            yield start, re.sub(r"`[^`]*`|\]\([^)]*\)", " ", " ".join(lines))
            lines = []
        if not fenced and line.strip() and not line.lstrip().startswith("```"):
            start = start if lines else number
            lines.append(line.strip())


def retired(path: Path) -> list[str]:
    """Each retired expression of a page with its line."""
    return [
        f"{path}:{line}: {match[0].strip()}"
        for line, text in paragraphs(path)
        for pattern in (RETIRED_PHRASES, _RETIRED, _PRONOUN)
        for match in pattern.finditer(text)
    ]


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_prose_is_plain(path: Path) -> None:
    """No page uses an expression that the glossary retires, the glossary's own list aside."""
    assert [hit for hit in retired(path) if not hit.startswith("docs/glossary.md")] == []


def test_docstrings_and_messages_are_plain() -> None:
    """No comment, docstring or message of the product uses a phrase that the glossary retires."""
    assert [hit for path in product_modules() for hit in retired_phrases(path)] == []


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Whoever looks every hour is wrong no more often.", ["Whoever", "Whoever"]),
        ("The call succeeds. What is missing is in the log.", ["What"]),
        ("# What holds", ["What holds", "What"]),
        ("| Who | acts |", ["Who"]),
        ("The loser gets the state\nof now.", ["of now"]),
        ("`whoever` is code.", []),
        ("Names of people who approve are recorded.", []),
    ],
)
def test_the_check_finds(tmp_path: Path, sentence: str, expected: list[str]) -> None:
    """Retired expressions are found across line breaks, and not in code."""
    page = tmp_path / "page.md"
    page.write_text(f"A line.\n\n{sentence}\n", encoding="utf-8")

    hits = [hit.rpartition(": ")[2].lstrip("#|. ") for hit in retired(page)]

    assert hits == expected
