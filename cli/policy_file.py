"""Reads a promotion policy from a JSON file, stricter than JSON: a misspelt limit is no limit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from model_lifecycle.registry.rules.errors import InvalidInput
from model_lifecycle.registry.rules.policy import PromotionPolicy


def read_policy(file: Path) -> PromotionPolicy:
    """The policy in ``file`` (``-`` for standard input), its gates' sections complete with their
    defaults, so that it has the fingerprint of the same policy stated in Python.

    Raises InvalidInput for a file that cannot be read, that names a field twice, that holds NaN,
    or whose sections the gates do not understand.
    """
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    except OSError as error:
        raise InvalidInput(f"cannot read {file}: {error.strerror}", field="set") from None
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{file} is not a policy in JSON: {error}", field="set") from None
    return _completed(PromotionPolicy.from_document(document))


def _completed(policy: PromotionPolicy) -> PromotionPolicy:
    from model_lifecycle.gates.policies import ShadowPolicy, ValidationPolicy

    document = policy.document()
    if policy.validation:
        document["validation"] = ValidationPolicy.from_document(policy.validation).document()
    if policy.shadow:
        document["shadow"] = ShadowPolicy.from_document(policy.shadow).document()
    return PromotionPolicy.from_document(document)


def _object(items: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(items)
    if len(found) != len(items):
        names = [name for name, _ in items]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is there twice")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a finite number")
