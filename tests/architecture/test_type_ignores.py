"""Lines that the type checker skips: few, each with its reason."""

from __future__ import annotations

import io
import re
import tokenize

import pytest
from architecture.structure import ROOT, files

REASONED = re.compile(r"# type: ignore\[[a-z, -]+\]  # \w")


def comments(text: str) -> list[tuple[int, str]]:
    """Line and text of every comment of a Python file that skips the checker."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [
        (token.start[0], token.string)
        for token in tokens
        if token.type == tokenize.COMMENT and token.string.startswith("# type: ignore")
    ]


def unexplained(text: str) -> list[int]:
    """Lines whose comment lacks the error's code or the reason."""
    return [line for line, comment in comments(text) if not REASONED.match(comment)]


def test_each_has_its_code_and_its_reason() -> None:
    """``# type: ignore[code]  # reason``, so that a reader can tell when it may go."""
    lines = [
        f"{path}:{line}"
        for path in files("*.py")
        for line in unexplained((ROOT / path).read_text(encoding="utf-8"))
    ]

    assert lines == []


@pytest.mark.parametrize(
    ("comment", "lines"),
    [
        ("# type: ignore", [1]),
        ("# type: ignore[misc]", [1]),
        ("# type: ignore[misc]  # the library ships no types", []),
        ("# types are ignored", []),
    ],
)
def test_a_missing_reason_is_noticed(comment: str, lines: list[int]) -> None:
    """Neither a bare comment nor one with a code alone will do."""
    assert unexplained(f"x = 1  {comment}\n") == lines
