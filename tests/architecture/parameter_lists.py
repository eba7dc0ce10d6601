"""Parameter lists that are written more than once on the way through the layers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from architecture.structure import ROOT, product_modules

#: So many equal names are a list that is passed on, rather than words that functions share.
SHARED = 5
SURFACES = ("api", "cli", "dags", "operators", "plugin")


@dataclass(frozen=True)
class Signature:
    """A function and the names of its parameters. ``layer`` is facade, services or surfaces."""

    layer: str
    place: str
    parameters: frozenset[str]
    lines: int


@dataclass(frozen=True)
class Repetition:
    """Two functions of different layers that name the same parameters. ``lines`` is how many lines
    of code the shorter list takes."""

    first: Signature
    second: Signature

    @property
    def parameters(self) -> frozenset[str]:
        return self.first.parameters & self.second.parameters

    @property
    def lines(self) -> int:
        return min(self.first.lines, self.second.lines)

    def __str__(self) -> str:
        names = ", ".join(sorted(self.parameters))
        return f"{self.first.place} and {self.second.place}: {names}"


def repetitions(*layers: str) -> list[Repetition]:
    """Pairs of functions of two of the ``layers`` that share at least SHARED parameter names."""
    signatures = [item for item in _signatures() if item.layer in layers]
    return [
        Repetition(first, second)
        for first, second in combinations(signatures, 2)
        if first.layer != second.layer and len(first.parameters & second.parameters) >= SHARED
    ]


def _signatures() -> Iterator[Signature]:
    bases = _bases_of_the_facade()
    for path in product_modules():
        layer = _layer(path)
        if layer is None:
            continue
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        own = {
            id(node)
            for kind in tree.body
            if isinstance(kind, ast.ClassDef) and kind.name in bases
            for node in kind.body
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                arguments = node.args
                every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
                names = frozenset(item.arg for item in every) - {"self", "cls"}
                if len(names) >= SHARED:
                    lines = len({item.lineno for item in every})
                    place = "facade" if id(node) in own else layer
                    yield Signature(place, f"{path}:{node.name}", names, lines)


def _bases_of_the_facade() -> set[str]:
    """Services that the facade inherits from: their methods are its own, and passed on to none."""
    tree = ast.parse((ROOT / "registry" / "model_registry.py").read_text(encoding="utf-8"))
    return {
        base.id
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name)
    }


def _layer(path: Path) -> str | None:
    if path.parts[0] in SURFACES:
        return "surfaces"
    if path.parts[:2] == ("registry", "services"):
        return "services"
    return "facade" if path.parts[0] == "registry" and len(path.parts) == 2 else None
