"""The package keeps the structure that decision 0017 gave it."""

from __future__ import annotations

from pathlib import Path

import pytest
from architecture import structure


def test_no_folder_has_more_than_twenty_modules() -> None:
    """A reader sees what a folder is about from its listing."""
    folders = structure.modules_per_folder()

    assert {name: n for name, n in folders.items() if n > structure.MAX_MODULES} == {}


def test_no_file_is_longer_than_a_reader_bears() -> None:
    """A module holds one concept, a test file one behaviour's cases."""
    assert structure.long_files() == {}


def test_modules_import_each_other_in_one_direction() -> None:
    """No cycle, whether at run time, inside functions or for annotations."""
    assert structure.import_cycles() == []


def test_a_gate_returns_one_type() -> None:
    """No function returns a report or something else."""
    assert structure.unions_with_report() == []


def test_identifiers_use_the_vocabulary() -> None:
    """No identifier has a word that the glossary retires."""
    assert [
        line for path in structure.files("*.py") for line in structure.retired_names(path)
    ] == []


def test_prose_uses_the_vocabulary() -> None:
    """No docstring, comment or message of the product has a phrase that the glossary retires."""
    paths = [*structure.product_modules(), *structure.files("*.html")]

    assert [line for path in paths for line in structure.retired_phrases(path)] == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("found = 1", ["found"]),
        ("def last_seen(): ...", ["last_seen"]),
        ("class WasTold: ...", ["WasTold"]),
        ("NOT_FOUND = 3", []),
        ("foundry = 1", []),
        ("def test_it_is_told(): ...", []),
    ],
)
def test_retired_words_are_recognized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, names: list[str]
) -> None:
    """A word counts as part of a name, in snake case and in camel case."""
    monkeypatch.setattr(structure, "ROOT", tmp_path)
    (tmp_path / "module.py").write_text(text)
    lines = structure.retired_names(Path("module.py"))

    assert [line.rsplit(": ")[-1] for line in lines] == names
