"""The structure's targets: ``python tests/architecture/targets.py`` measures them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from architecture import structure
from architecture.parameter_lists import repetitions


@dataclass(frozen=True)
class Target:
    """A measure and the number that it must not exceed; ``detail`` explains the number."""

    name: str
    most: int
    value: int
    detail: str = ""

    @property
    def reached(self) -> bool:
        return self.value <= self.most


def targets() -> list[Target]:
    """Every target with its value today."""
    return [measure() for measure in MEASURES]


def _largest_folder() -> Target:
    folders = structure.modules_per_folder()
    name = max(folders, key=lambda folder: folders[folder])
    above = sum(number > 15 for number in folders.values())
    detail = f"{name}; {above} of {len(folders)} folders have more than 15"
    return Target("modules in the largest folder", structure.MAX_MODULES, folders[name], detail)


def _gates_nodes() -> Target:
    nodes = {node for pair in structure.imports_among_children("gates") for node in pair}
    return Target(
        "gates/: folders and modules at its top", 12, len(nodes), ", ".join(sorted(nodes))
    )


def _gates_levels() -> Target:
    value = structure.levels(structure.imports_among_children("gates"))
    return Target("gates/: levels of imports among them", 6, value)


def _gates_imports() -> Target:
    graph = structure.import_graph()
    modules = sum(
        target.startswith("gates.")
        for module, imported in graph.items()
        if module.startswith("gates.")
        for target in imported
    )
    value = len(structure.imports_among_children("gates"))
    return Target("gates/: imports among them", 40, value, f"{modules} between single modules")


def _cycles() -> Target:
    return _none_of("import cycles", map(" -> ".join, structure.import_cycles()))


def _long_files() -> Target:
    return _none_of(f"files over {structure.MAX_LINES} lines", structure.long_files())


def _unions() -> Target:
    return _none_of("functions that return X | GateReport", structure.unions_with_report())


def _untyped_folders() -> Target:
    folders, checked = structure.typed_folders()
    detail = f"{len(folders & checked)} of {len(folders)} folders"
    return Target("folders that mypy does not check strictly", 0, len(folders - checked), detail)


def _untyped_functions() -> Target:
    return _none_of("functions without types", _lines(structure.untyped_functions, "*.py"))


def _repeated_lists() -> Target:
    repeated = repetitions("facade", "services")
    lines = sum(item.lines for item in repeated)
    detail = f"{lines} lines; {len(repetitions('facade', 'surfaces'))} by surfaces"
    return Target("parameter lists of the facade repeated by services", 0, len(repeated), detail)


def _retired_names() -> Target:
    return _none_of("identifiers with retired words", _lines(structure.retired_names, "*.py"))


def _retired_phrases() -> Target:
    # The tests of the words themselves name them.
    patterns = ("*.py", "*.html", ":!tests/architecture")
    return _none_of("retired phrases", _lines(structure.retired_phrases, *patterns))


def _pronoun_subjects() -> Target:
    return _none_of("docstrings without a subject", _lines(structure.pronoun_subjects, "*.py"))


def _lines(measure: Callable[[Path], list[str]], *patterns: str) -> Iterator[str]:
    """The lines that a measure of one file names, in all files of the patterns."""
    for path in structure.files(*patterns):
        yield from measure(path)


def _none_of(name: str, examples: Iterable[str]) -> Target:
    """A target of none; the first few examples explain the number."""
    every = list(examples)
    return Target(name, 0, len(every), "; ".join(every[:5]))


MEASURES: tuple[Callable[[], Target], ...] = (
    _largest_folder,
    _gates_nodes,
    _gates_levels,
    _gates_imports,
    _cycles,
    _long_files,
    _unions,
    _untyped_folders,
    _untyped_functions,
    _repeated_lists,
    _retired_names,
    _retired_phrases,
    _pronoun_subjects,
)


def main() -> None:
    for target in targets():
        mark = "" if target.reached else "  <- above the target"
        sys.stdout.write(f"{target.name:<52} {target.value:>4} of {target.most:<4}{mark}\n")
        if target.detail:
            sys.stdout.write(f"    {target.detail}\n")


if __name__ == "__main__":
    main()
