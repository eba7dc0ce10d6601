"""A lifecycle as a YAML file: read and checked whole, with the place of every mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from model_lifecycle.registry.rules import tenancy
from model_lifecycle.registry.rules.errors import InvalidInput
from model_lifecycle.registry.rules.policy import PromotionPolicy

from .lifecycle_schema import LIFECYCLE
from .yaml_places import BadYaml, Placed, Problem, read_yaml


class InvalidLifecycle(Exception):
    """A file that describes no lifecycle; ``problems`` are all its mistakes, by place."""

    def __init__(self, file: Path, problems: list[Problem]) -> None:
        self.file = file
        self.problems = sorted(problems)
        super().__init__(
            "\n".join(f"{file}:{item.line}:{item.column}: {item.message}" for item in self.problems)
        )


@dataclass(frozen=True)
class Lifecycle:
    """What a file says. ``said`` is its plain data, ``policy`` that part of it as a policy."""

    file: Path
    dag_id: str
    said: dict[str, Any]
    policy: PromotionPolicy | None


def read_lifecycle(file: Path) -> Lifecycle:
    """The lifecycle in the file. Raises :class:`InvalidLifecycle` with all that is wrong in it."""
    try:
        placed = read_yaml(file.read_text(encoding="utf-8"))
    except BadYaml as error:
        raise InvalidLifecycle(file, [error.problem]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidLifecycle(file, [Problem(1, 1, f"it cannot be read: {error}")]) from None
    _dates_as_text(placed.data)
    problems = list(_by_schema(placed)) or list(_by_rules(placed))
    if problems:
        raise InvalidLifecycle(file, problems)
    said = placed.data
    policy = PromotionPolicy.from_document(said["policy"]) if "policy" in said else None
    dag_id = said.get("dag_id") or f"{said['tenant_id']}.{said['model_id']}"
    return Lifecycle(file, dag_id, said, policy)


def _dates_as_text(data: Any) -> None:
    """YAML reads an unquoted day as a date; here it is the same as the quoted one."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(_list(data)):
        if isinstance(value, date):
            data[key] = value.isoformat()
        _dates_as_text(value)


def _list(data: Any) -> list[Any]:
    return data if isinstance(data, list) else []


def _by_schema(placed: Placed) -> Iterator[Problem]:
    import jsonschema

    if not isinstance(placed.data, dict):
        yield Problem(1, 1, "a lifecycle is a mapping, such as 'tenant_id: acme'")
        return
    checker = jsonschema.Draft202012Validator(
        LIFECYCLE, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    for error in checker.iter_errors(placed.data):
        path = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            yield from _unknown(placed, path, error)
        elif error.validator == "required":
            missing = error.message.split("'")[1]
            yield Problem(*placed.place(path), f"{_name(path)} needs {missing!r}")
        elif error.validator == "oneOf":
            said = "either 'validation_data' or 'validation_function'"
            yield Problem(*placed.place(path), f"{_name(path)} needs {said}")
        else:
            about = error.schema.get("description")
            allowed = f" (it is {about})" if about else ""
            yield Problem(*placed.place(path), f"{_name(path)}: {error.message}{allowed}")


def _unknown(placed: Placed, path: tuple[Any, ...], error: Any) -> Iterator[Problem]:
    known = sorted(error.schema["properties"])
    for key in sorted(set(error.instance) - set(known)):
        near = get_close_matches(key, known, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"keys here are {', '.join(known)}"
        yield Problem(*placed.place((*path, key)), f"unknown key {key!r}; {advice}")


def _by_rules(placed: Placed) -> Iterator[Problem]:
    """What a schema cannot say: the rules of names, and those of the gates' policies."""
    said = placed.data
    for name, rule in (("tenant_id", tenancy.tenant_id), ("model_id", tenancy.model_id)):
        try:
            rule(said[name])
        except InvalidInput as error:
            yield Problem(*placed.place((name,)), str(error))
    policy = said.get("policy", {})
    try:
        PromotionPolicy.from_document(policy)
    except InvalidInput as error:
        name = error.field.rpartition(".")[2]
        yield Problem(*placed.place(("policy", name)), str(error))
    for gate, check in _gates():
        if gate not in policy:
            continue
        try:
            check(policy[gate])
        except InvalidInput as error:
            yield Problem(*_blamed(placed, gate, error), str(error))
    if "approval" in said and "policy" in said and not policy.get("require_approval"):
        yield Problem(
            *placed.place(("approval",)),
            "approval is asked for, but the policy does not require it; say "
            "'require_approval: true' in the policy",
        )


def _gates() -> list[tuple[str, Any]]:
    from model_lifecycle.gates.policies import ABPolicy, ShadowPolicy, ValidationPolicy

    return [
        ("validation", ValidationPolicy.from_document),
        ("shadow", ShadowPolicy.from_document),
        ("ab_test", ABPolicy.from_document),
    ]


def _blamed(placed: Placed, gate: str, error: InvalidInput) -> tuple[int, int]:
    """The place of the word in the section that the error speaks of, else of the section."""
    section = ("policy", gate)
    words = {*re.findall(r"'([^']+)'", str(error)), *re.split(r"[.\s]", error.field)}
    inside = [
        path
        for path in placed.places
        if path[:2] == section and len(path) > 2 and path[-1] in words
    ]
    return placed.place(max(inside, key=len, default=section))


def _name(path: tuple[Any, ...]) -> str:
    return ".".join(str(item) for item in path) or "a lifecycle"
