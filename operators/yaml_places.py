"""YAML as plain data that knows where each value was written."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import yaml

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Path = tuple[Hashable, ...]


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong, and where: ``line`` and ``column`` count from 1."""

    line: int
    column: int
    message: str


class BadYaml(Exception):
    """Text that is no YAML, or says one thing twice."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass
class Placed:
    """A document and the line and column of each of its values and keys, by path: the place of
    ``data["policy"]["shadow"]`` is that of ``("policy", "shadow")``."""

    data: Any = None
    places: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def place(self, path: Path) -> tuple[int, int]:
        """Where the path was written; if it was not, where the nearest thing around it was."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))


def read_yaml(text: str) -> Placed:
    """The one document in ``text``. Raises :class:`BadYaml`, also for a key that comes twice."""
    loader = _Loader(text)
    found = Placed()
    try:
        node = loader.get_single_node()
        if node is not None:
            found.data = _read(loader, node, (), found.places)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = error.problem or error.context or "this is no YAML"
        raise BadYaml(Problem(line, column, said)) from None
    except yaml.YAMLError as error:
        raise BadYaml(Problem(1, 1, str(error).splitlines()[0])) from None
    finally:
        loader.dispose()
    return found


def _read(loader: Any, node: Any, path: Path, places: dict[Path, tuple[int, int]]) -> Any:
    places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, yaml.SequenceNode):
        return [
            _read(loader, item, (*path, number), places) for number, item in enumerate(node.value)
        ]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node)
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node)
        at = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if not isinstance(key, str):
            raise BadYaml(Problem(*at, f"a key must be text, not {key!r:.80}"))
        if key in found:
            raise BadYaml(Problem(*at, f"{key!r} is said twice"))
        places[(*path, key)] = at
        found[key] = _read(loader, value_node, (*path, key), places)
    return found
