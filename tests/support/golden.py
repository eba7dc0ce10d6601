"""Golden files: documents whose every field is fixed, compared with what the code makes today.

To regenerate the files after an intended change, run the tests with ``UPDATE_GOLDEN=1`` and read
the difference before you commit it::

    UPDATE_GOLDEN=1 .venv/bin/pytest tests/gates/evaluation/test_golden.py
    git diff tests/golden

What differs from run to run (digests of files, times of the clock, latencies) is replaced by
:func:`stable` before a document is stored or compared. The same value always gets the same
placeholder, so that a golden file still shows which values are equal.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parents[1] / "golden"
#: Numbers may differ in their last digits between processors and releases of libraries.
RELATIVE, ABSOLUTE = 1e-6, 1e-9


def assert_golden(name: str, document: Any) -> None:
    """Compare a JSON document with ``tests/golden/{name}.json``; with ``UPDATE_GOLDEN=1`` in the
    environment, write the file instead."""
    path = GOLDEN / f"{name}.json"
    document = json.loads(json.dumps(document, allow_nan=False))
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8"
        )
        return
    differences = list(_differences("", json.loads(path.read_text("utf-8")), document))
    assert not differences, "\n".join(
        [f"{len(differences)} differences from {path.name}:", *differences[:20]]
    )


def stable(
    document: Any,
    *,
    names: Mapping[str, str],
    varying: Collection[str],
    left_out: Collection[str] = (),
) -> Any:
    """The document with placeholders for what differs from run to run.

    ``names`` maps parts of texts to what replaces them; the texts under the keys ``varying`` become
    ``<key 1>``, ``<key 2>`` in the order in which they first occur; ``left_out`` keys are removed.
    """
    placeholders: dict[str, str] = {}
    numbers: dict[str, int] = {}

    def placeholder(key: str, value: str) -> str:
        if value not in placeholders:
            numbers[key] = numbers.get(key, 0) + 1
            placeholders[value] = f"<{key} {numbers[key]}>"
        return placeholders[value]

    def visit(key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {k: visit(k, v) for k, v in value.items() if k not in left_out}
        if isinstance(value, list | tuple):
            return [visit(key, item) for item in value]
        if not isinstance(value, str):
            return value
        if key in varying:
            return placeholder(key, value)
        for text, name in names.items():
            value = value.replace(text, name)
        return value

    return visit("", document)


def _differences(where: str, expected: Any, actual: Any) -> list[str]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        result = [f"{where}.{key}: missing" for key in expected.keys() - actual.keys()]
        result += [f"{where}.{key}: not in the golden file" for key in actual.keys() - expected]
        for key in expected.keys() & actual.keys():
            result += _differences(f"{where}.{key}", expected[key], actual[key])
        return sorted(result)
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [
            text
            for index, (first, second) in enumerate(zip(expected, actual, strict=True))
            for text in _differences(f"{where}[{index}]", first, second)
        ]
    if isinstance(expected, float) and isinstance(actual, float):
        equal = math.isclose(expected, actual, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    else:
        equal = type(expected) is type(actual) and expected == actual
    return [] if equal else [f"{where}: {expected!r:.200} became {actual!r:.200}"]
