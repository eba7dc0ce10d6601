"""A lifecycle as a YAML file: read and checked whole, with the place of every mistake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import yaml

from model_lifecycle.gates.policy.files import blamed, complete_policy
from model_lifecycle.gates.policy.strict_yaml import Located, NotStrict, read_yaml
from model_lifecycle.registry.domain import identifiers
from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy

from .schema import LIFECYCLE, TASK_SETTINGS


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake and its position: ``line`` and ``column`` count from 1."""

    line: int
    column: int
    message: str


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
    """A parsed file. ``document`` is its plain data, ``policy`` that part of it as a policy."""

    file: Path
    dag_id: str
    document: dict[str, Any]
    policy: PromotionPolicy | None


def read_lifecycle(file: Path) -> Lifecycle:
    """The lifecycle in the file. Raises :class:`InvalidLifecycle` with all that is wrong in it."""
    try:
        located = read_yaml(file.read_text(encoding="utf-8"))
    except NotStrict as error:
        raise InvalidLifecycle(file, [Problem(*error.position, error.problem)]) from None
    except yaml.MarkedYAMLError as error:
        raise InvalidLifecycle(file, [_no_yaml(error)]) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidLifecycle(file, [Problem(1, 1, f"it cannot be read: {error}")]) from None
    problems = list(_by_schema(located)) or list(_by_rules(located))
    if problems:
        raise InvalidLifecycle(file, problems)
    document = located.value
    policy = complete_policy(document["policy"]) if "policy" in document else None
    dag_id = document.get("dag_id") or f"{document['tenant_id']}.{document['model_id']}"
    return Lifecycle(file, dag_id, document, policy)


def _no_yaml(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return Problem(line, column, error.problem or error.context or "this is no YAML")


def _by_schema(located: Located) -> Iterator[Problem]:
    import jsonschema

    if not isinstance(located.value, dict):
        yield Problem(1, 1, "a lifecycle is a mapping, such as 'tenant_id: acme'")
        return
    checker = jsonschema.Draft202012Validator(
        LIFECYCLE, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    for error in checker.iter_errors(located.value):
        path = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            yield from _unknown(located, path, error)
        elif error.validator == "required":
            missing = error.message.split("'")[1]
            yield Problem(*located.position(path), f"{_name(path)} needs {missing!r}")
        elif error.validator == "oneOf":
            alternatives = "either 'validation_data' or 'validation_function'"
            yield Problem(*located.position(path), f"{_name(path)} needs {alternatives}")
        else:
            about = error.schema.get("description")
            allowed = f" (it is {about})" if about else ""
            yield Problem(*located.position(path), f"{_name(path)}: {error.message}{allowed}")


def _unknown(located: Located, path: tuple[Any, ...], error: Any) -> Iterator[Problem]:
    known = sorted(error.schema["properties"])
    for key in sorted(set(error.instance) - set(known)):
        near = get_close_matches(key, known, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"keys here are {', '.join(known)}"
        yield Problem(*located.position((*path, key)), f"unknown key {key!r}; {advice}")


def _by_rules(located: Located) -> Iterator[Problem]:
    """Problems that a schema cannot express: the rules of names and of the gates' policies."""
    document = located.value
    for name, rule in (("tenant_id", identifiers.tenant_id), ("model_id", identifiers.model_id)):
        try:
            rule(document[name])
        except InvalidInput as error:
            yield Problem(*located.position((name,)), str(error))
    policy = document.get("policy", {})
    try:
        complete_policy(policy)
    except InvalidInput as error:
        yield Problem(*located.position(("policy", *blamed(policy, error))), str(error))
    if "approval" in document and "policy" in document and not policy.get("require_approval"):
        yield Problem(
            *located.position(("approval",)),
            "approval is asked for, but the policy does not require it; say "
            "'require_approval: true' in the policy",
        )

    yield from _by_schedule(located)
    for name in sorted(set(document.get("default_args", {})) & set(document) & set(TASK_SETTINGS)):
        yield Problem(
            *located.position(("default_args", name)),
            f"default_args.{name} and {name} say the same; leave one of them out",
        )


def _by_schedule(located: Located) -> Iterator[Problem]:
    """Problems among start date, time zone and catchup."""
    document = located.value
    for name in ("timezone", "catchup"):
        if document.get(name) and "start_date" not in document:
            yield Problem(*located.position((name,)), f"{name} needs a 'start_date'")
    if "timezone" in document:
        try:
            ZoneInfo(document["timezone"])
        except (KeyError, ValueError, OSError):
            near = get_close_matches(document["timezone"], available_timezones(), n=1)
            advice = f"; did you mean {near[0]!r}?" if near else ", such as Europe/Berlin"
            yield Problem(
                *located.position(("timezone",)),
                f"timezone: {document['timezone']!r} is not a name of a time zone{advice}",
            )


def _name(path: tuple[Any, ...]) -> str:
    return ".".join(str(item) for item in path) or "a lifecycle"
