"""The model card: one Markdown page about a version, for people. Deterministic: the same facts
give the same bytes, so that a repeated registration gives the same bundle digest."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_LIMITS = (
    "The numbers above are those of training; what the model is worth on other data is what its "
    "gates recorded (`history`, gate reports).",
    "It takes the columns of its signature; other columns are ignored, missing ones refused.",
    "It was saved with exactly the requirements below; other versions may predict differently.",
)


def model_card(
    *,
    tenant_id: str,
    model_id: str,
    version: int,
    framework: str,
    model_type: str,
    description: str = "",
    metrics: Mapping[str, float],
    parameters: Mapping[str, str],
    tags: Mapping[str, str] | None = None,
    dataset: Mapping[str, Any] | None = None,
    columns: Sequence[tuple[str, str]] | None = None,
    requirements: Sequence[str] = (),
    run_id: str | None = None,
    logged_model_id: str | None = None,
    created_by: str = "",
    notes: Mapping[str, str] | None = None,
    limits: Sequence[str] = (),
    onnx: str = "",
    omitted_metrics: Mapping[str, str] | None = None,
) -> str:
    """The card of a version as Markdown.

    ``columns`` are name and type of each feature; ``notes`` are the framework adapter's remarks;
    ``limits`` are sentences to add to those that hold for every model; ``onnx`` is one about the
    ONNX file; ``omitted_metrics`` are those that were no finite number. A metric named
    ``metric/column/value`` is that of a slice. All text is escaped: a description or a tag cannot
    add structure or markup to the page.
    """
    facts = {
        "model": model_id,
        "version": str(version),
        "tenant": tenant_id,
        "framework": framework,
        "type": model_type,
        "registered by": created_by,
    }
    lineage = {"run": run_id or "none", "logged model": logged_model_id or "none"}
    sections = [
        f"# {_text(model_id)}, version {version}",
        _paragraphs(description) or "No description was given.",
        _table(("what", "value"), {k: v for k, v in facts.items() if v}),
        "## Metrics of training",
        *_metrics(metrics),
        *_omitted(omitted_metrics or {}),
        "## Parameters",
        _table(("parameter", "value"), dict(sorted(parameters.items()))),
        "## Data it was trained on",
        _table(("what", "value"), {k: str(v) for k, v in sorted((dataset or {}).items())}),
        "## Signature",
        _table(("column", "type"), dict(columns)) if columns else "Saved without a signature.",
        "## Lineage",
        _table(("what", "id"), lineage),
        "## Limits",
        _bullets([*_LIMITS, *(_text(limit) for limit in limits)]),
    ]
    if onnx:
        sections += ["## ONNX", _text(onnx)]
    if notes:
        sections += ["## How it was saved", _table(("what", "value"), dict(sorted(notes.items())))]
    if tags:
        sections += ["## Tags", _table(("tag", "value"), dict(sorted(tags.items())))]
    sections += [
        "## How to load it",
        "Its files are checked against the registered digest first.",
        _code(
            "python",
            [
                "async with open_registry(Settings()) as registry:",
                f"    model = await registry.load_model({tenant_id!r}, {model_id!r}, {version})",
                "    predictions = model.predict(frame)",
            ],
        ),
        "## Requirements",
        _code("text", requirements) if requirements else "None.",
    ]
    return "\n\n".join(sections) + "\n"


def _metrics(metrics: Mapping[str, float]) -> list[str]:
    """Overall numbers first, then those of slices."""
    overall = {name: _number(value) for name, value in sorted(metrics.items()) if "/" not in name}
    slices = {name: _number(value) for name, value in sorted(metrics.items()) if "/" in name}
    tables = [_table(("metric", "value"), overall)]
    return [*tables, "### By slice", _table(("slice", "value"), slices)] if slices else tables


def _omitted(metrics: Mapping[str, str]) -> list[str]:
    if not metrics:
        return []
    named = ", ".join(f"{_text(name)} ({value})" for name, value in sorted(metrics.items()))
    return [f"Metrics of the run that are left out, since they are no finite number: {named}."]


def _table(heads: tuple[str, str], rows: Mapping[str, str]) -> str:
    if not rows:
        return "None recorded."
    lines = [f"| {heads[0]} | {heads[1]} |", "| --- | --- |"]
    lines += [f"| {_text(name)} | {_text(value)} |" for name, value in rows.items()]
    return "\n".join(lines)


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _code(language: str, lines: Iterable[str]) -> str:
    body = "\n".join(line.replace("`", "'") for line in lines)
    return f"```{language}\n{body}\n```"


def _paragraphs(text: str) -> str:
    return "\n\n".join(_text(part) for part in text.split("\n\n") if part.strip())


def _text(value: str) -> str:
    """``value`` as one line of text without meaning in Markdown or HTML."""
    line = html.escape(" ".join(value.split()), quote=False)
    return "".join(f"\\{char}" if char in "\\`*_[]|#~!" else char for char in line)


def _number(value: float) -> str:
    return f"{value:.6g}"
