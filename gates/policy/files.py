"""A promotion policy from a YAML or JSON file, stricter than both: a misspelt limit is no limit.

Errors name the line. Neither numpy nor pandas is imported, so that a DAG file can read its policy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy

from .ab_test import ABPolicy, outcome_from_document
from .promotion import ShadowPolicy, ValidationPolicy
from .serialization import criteria_from_document, latency_from_document
from .strict_yaml import NotStrict, read_yaml

_SECTIONS: Mapping[str, Any] = {
    "validation": ValidationPolicy,
    "shadow": ShadowPolicy,
    "ab_test": ABPolicy,
}


_INDENT = re.compile(r"^[\t ]+", re.MULTILINE)


def read_policy(file: str | Path) -> PromotionPolicy:
    """The policy in a file, its gates' sections complete with their defaults, so that it has the
    fingerprint of the same policy stated in Python.

    Raises :class:`InvalidInput` for a file that cannot be read, that names a field twice, that
    contains NaN, or whose sections the gates do not understand; the message names the line.
    """
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise InvalidInput(f"cannot read {file}: {why}", field="policy") from None
    return parse_policy(text, str(file))


def parse_policy(text: str, name: str = "the policy") -> PromotionPolicy:
    """The policy in a YAML or JSON text; ``name`` is what errors call it. Raises like
    :func:`read_policy`."""
    try:
        located = read_yaml(_plain(text) if text.lstrip().startswith("{") else text)
    except yaml.MarkedYAMLError as error:
        raise InvalidInput(
            f"{name} is not a policy in JSON or YAML{_at(error.problem_mark)}: {error.problem}",
            field="policy",
        ) from None
    except (NotStrict, yaml.YAMLError, RecursionError) as error:
        raise InvalidInput(f"{name}: {error}", field="policy") from None
    try:
        return complete_policy(located.value)
    except InvalidInput as error:
        line = located.line(blamed(located.value, error))
        raise InvalidInput(f"{name}, line {line}: {error}", field=error.field) from None


def _plain(text: str) -> str:
    """JSON may be indented with tabs, which YAML forbids."""
    return _INDENT.sub(lambda match: match[0].replace("\t", "  "), text)


def complete_policy(document: Any) -> PromotionPolicy:
    """A policy from plain JSON, its gates' sections complete with their defaults. Raises
    :class:`InvalidInput`."""
    document = PromotionPolicy.from_document(document).document()
    for name, section in _SECTIONS.items():
        if document[name]:
            document[name] = section.from_document(document[name]).document()
    return PromotionPolicy.from_document(document)


def blamed(document: Any, error: InvalidInput) -> tuple[str | int, ...]:
    """Path of the part of the document that the error is about, as far as it is known."""
    if not isinstance(document, Mapping):
        return ()
    for name, section in _SECTIONS.items():
        part = document.get(name)
        if not part or not _raises(error, section.from_document, part):
            continue
        if not isinstance(part, Mapping):
            return (name,)
        for field, items in part.items():
            for index, item in enumerate(items if isinstance(items, list) else ()):
                if _raises(error, _demand, name, field, item):
                    return (name, field, index, *_key(item, error))
        return (name, *_key(part, error))
    return _key(document, error)


def _demand(section: str, field: str, item: Any) -> None:
    if field == "latency":
        latency_from_document([item], section)
    elif field == "outcomes":
        outcome_from_document(item)
    else:
        criteria_from_document({field: [item]}, section)


def _raises(error: InvalidInput, check: Callable[..., Any], *given: Any) -> bool:
    """Whether the check raises the same error."""
    try:
        check(*given)
    except InvalidInput as other:
        return str(other) == str(error)
    return False


def _key(item: Any, error: InvalidInput) -> tuple[str, ...]:
    """The key that the error is about, where it names one."""
    last = (error.field or "").rpartition(".")[2]
    for key in item if isinstance(item, Mapping) else ():
        if key == last or json.dumps(key)[1:-1] in _quoted(str(error)):
            return (key,)
    return ()


def _quoted(message: str) -> list[str]:
    """The part of the file that the message quotes."""
    return message.split("'")[1::2]


def _at(mark: Any) -> str:
    return "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
