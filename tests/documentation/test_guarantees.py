"""The table of guarantees names tests that exist."""

from __future__ import annotations

import ast
import re

from support.markdown import ROOT, inline_code

_PAGE = "docs/operations/guarantees.md"
_TEST = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")
_SECTIONS = [
    "The served files are the proven files",
    "Proof belongs to a moment",
    "A record that its holder cannot rewrite unseen",
    "Undo",
    "No one can block it",
    "Airflow",
]


def test_every_test_in_the_table_exists() -> None:
    """Each is a function of the file that is named with it."""
    named = {match.groups() for code in inline_code(_PAGE) if (match := _TEST.fullmatch(code))}

    assert len(named) > 30
    assert [name for name in sorted(named) if name[1] not in _functions(name[0])] == []


def test_every_property_has_a_test_and_a_limit() -> None:
    """No row is a promise alone, and each section of the promise has rows."""
    page = (ROOT / _PAGE).read_text(encoding="utf-8")
    for section in _SECTIONS:
        rows = re.findall(
            r"^\| (.+) \|$", page.split(f"## {section}\n")[1].split("\n## ")[0], re.MULTILINE
        )[1:]
        assert rows, section
        for row in rows:
            cells = row.split(" | ")
            assert len(cells) == 3, row
            assert _TEST.search(cells[1]), row
            assert cells[2].strip(), row


def _functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
