"""The package keeps the structure that decision 0017 gave it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from architecture import structure
from architecture.targets import MEASURES, Target

from model_lifecycle.registry.mlflow_adapter.client import MlflowTracking
from model_lifecycle.registry.model_registry import ModelRegistry


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.__name__.strip("_"))
def test_targets_of_the_structure(measure: Callable[[], Target]) -> None:
    """Each measure that ``targets.py`` prints stays at or below its target."""
    target = measure()

    assert target.reached, (
        f"{target.name}: {target.value} of at most {target.most}: {target.detail}"
    )


@pytest.mark.parametrize("composed", [ModelRegistry, MlflowTracking])
def test_parts_of_a_composed_class_do_not_override_each_other(composed: type) -> None:
    """A name, also a private one, is defined by one of its bases only."""
    names = Counter(
        name for part in composed.__mro__[1:-1] for name in vars(part) if not name.startswith("__")
    )

    assert [name for name, count in names.items() if count > 1] == []


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
