"""YAML with the position of every part, and without its surprises.

Numbers are those of YAML 1.2 and JSON (1e-3 is one); a date is text; only ``true`` and ``false``
are booleans, so that a column named ``no`` stays one. A field that is there twice is an error, and
so is a number that is not finite.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str | int, ...]
#: Line and column, from 1.
Position = tuple[int, int]


class NotStrict(ValueError):
    """The text is YAML with content that is not allowed; ``problem`` describes it, ``position`` is
    its line and column."""

    def __init__(self, problem: str, position: Position | None = None) -> None:
        super().__init__(f"line {position[0]}: {problem}" if position else problem)
        self.problem = problem
        self.position = position or (1, 1)


@dataclass(frozen=True)
class Located:
    """A value, and the position of each part by its path of keys and indexes."""

    value: Any
    positions: dict[Path, Position] = field(default_factory=dict)

    def position(self, path: Sequence[str | int]) -> Position:
        """The position of that part, or of the nearest part around it."""
        known = tuple(path)
        while known and known not in self.positions:
            known = known[:-1]
        return self.positions.get(known, (1, 1))

    def line(self, path: Sequence[str | int]) -> int:
        """The line of :meth:`position`."""
        return self.position(path)[0]


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML ships no types
    """Texts, numbers, booleans and null."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


#: What a plain scalar may be besides text, and the characters that it may begin with.
_KINDS = (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(?:inf|nan)|[-+]?Infinity|NaN", "-+.IN"),
)
for _kind, _pattern, _first in _KINDS:
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )


def read_yaml(text: str) -> Located:
    """The only document of the text. Raises :class:`NotStrict`, and yaml.YAMLError for what is no
    YAML."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise NotStrict("it is empty")
        positions: dict[Path, Position] = {}
        return Located(_value(loader, node, (), positions), positions)
    finally:
        loader.dispose()


def _value(loader: _Loader, node: Any, path: Path, positions: dict[Path, Position]) -> Any:
    position = _position(node)
    positions.setdefault(path, position)
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, at = key_node.value, _position(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                raise NotStrict("a field's name must be text", at)
            if key in mapping:
                raise NotStrict(f"{key!r} is there twice", at)
            positions[(*path, key)] = at
            mapping[key] = _value(loader, value_node, (*path, key), positions)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, item, (*path, n), positions) for n, item in enumerate(node.value)]
    if node.tag == "tag:yaml.org,2002:float":
        return _number(node.value, position)
    if node.tag == "tag:yaml.org,2002:int":
        return int(node.value)
    if node.tag not in _PLAIN:
        raise NotStrict(f"{node.tag} is not allowed here", position)
    return loader.construct_object(node)


def _position(node: Any) -> Position:
    return node.start_mark.line + 1, node.start_mark.column + 1


_PLAIN = tuple(f"tag:yaml.org,2002:{name}" for name in ("bool", "null", "str"))


_NOT_FINITE = (".inf", ".nan", "infinity", "nan")


def _number(text: str, position: Position) -> float:
    number = math.inf if text.lstrip("-+").lower() in _NOT_FINITE else float(text)
    if not math.isfinite(number):
        raise NotStrict(f"{text} is not a finite number", position)
    return number
