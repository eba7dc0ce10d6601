"""A report as one HTML page that stands alone: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.stages import Gate

from ..formatting import amount, count, interval, plural
from ..policy.describe import policy_sentences
from ..report import DEMANDS, GateReport, MetricRow
from .plots import pictures

_TITLES = {
    Gate.VALIDATION: "Validation",
    Gate.SHADOW: "Shadow test",
    Gate.AB_TEST: "A/B test",
}


#: Verdicts of a report whose requirements have verdicts of their own.
_DECIDED = (Verdict.PASS, Verdict.FAIL)
_SO_FAR = {
    Verdict.PASS: "met",
    Verdict.FAIL: "not met",
    Verdict.INCONCLUSIVE: "open",
    Verdict.INVALID: "not judged",
}
_OUTCOME_NOTES = {
    Verdict.INCONCLUSIVE: "“Met”, “not met” and “open” say on which side of the demand an interval "
    "lies so far. They are no verdicts: the report has none yet.",
    Verdict.INVALID: "The numbers are shown, not judged, because a check of the data failed.",
}
#: Where a picture of a report without a verdict shows that an interval has passed its line.
_REACHED = "line reached"
#: Counts that a reader looks for first; the others are with the inputs.
_FACTS = (
    *("rows", "usable_rows", "units", "requests", "judged", "blocks"),
    *("champion_units", "challenger_units", "days"),
)


def report_page(report: GateReport) -> str:
    """The page; the deciding sentence comes first."""
    environment = Environment(
        loader=PackageLoader("model_lifecycle.gates.rendering", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(amount=amount, count=count, capitalized=_capitalized)
    rows = [_row(row, report.verdict) for row in report.metrics]
    demands, conditions = policy_sentences(report.gate, report.policy)
    return environment.get_template("report.html").render(
        report=report,
        title=_TITLES.get(report.gate, report.gate.value),
        demands=[row for row in rows if row["kind"] in ("comparison", "limit")],
        requirements=demands,
        conditions=conditions,
        estimand=report.detail.get("estimand") or {},
        missing=_missing_for_verdict(report),
        early=any(row.too_little for row in report.metrics),
        block_sizes=_block_sizes(report),
        slices=[row for row in rows if row["kind"] == "slice"],
        descriptive=[row for row in rows if row["kind"] == "shown"],
        outcome_heading="verdict" if report.verdict in _DECIDED else "so far",
        outcome_note=_OUTCOME_NOTES.get(report.verdict, ""),
        pictures=pictures({**report.detail, "looks": _looks(report)}, report.metrics),
        latency=report.detail.get("latency") or {},
        answers=_matrix(report.detail.get("answers") or {}, report.counts.get("paired", 0)),
        looks=report.detail.get("looks", ()),
        flips=report.detail.get("flips") or {},
        design_effects=_design_effects(report),
        reproduction=json.dumps(dict(report.reproduction), indent=2, ensure_ascii=False),
        policy=json.dumps(dict(report.policy), indent=2, ensure_ascii=False),
        facts={
            name.replace("_", " "): report.counts[name] for name in _FACTS if name in report.counts
        },
        counts={name.replace("_", " "): number for name, number in report.counts.items()},
    )


def _capitalized(text: str) -> str:
    """``text`` as the beginning of a sentence; names within it keep their case."""
    return text[:1].upper() + text[1:]


def _matrix(answers: Mapping[str, int], paired: int) -> dict[str, Any]:
    """Counts of the champion's answers by the challenger's, and of how many of all requests."""
    pairs = {tuple(key.split("|", 1)): number for key, number in answers.items()}
    columns = sorted({pair[1] for pair in pairs})
    rows = [
        {"name": name, "cells": [pairs.get((name, column), 0) for column in columns]}
        for name in sorted({pair[0] for pair in pairs})
    ]
    known = sum(pairs.values())
    if not rows:
        return {}
    agree = sum(number for pair, number in pairs.items() if pair[0] == pair[1])
    return {
        "columns": columns,
        "rows": rows,
        "known": known,
        "sampled": known < paired,
        "agree": f"{agree / known:.1%}",
    }


def _looks(report: GateReport) -> list[Mapping[str, Any]]:
    """The interim analyses. Where the report has no verdict, the picture names none either."""
    looks = list(report.detail.get("looks", ()))
    return (
        looks if report.verdict in _DECIDED else [{**item, "verdict": _REACHED} for item in looks]
    )


def _outcome(row: MetricRow, verdict: Verdict) -> dict[str, str]:
    """The words and the style of a row's badge. A requirement has a verdict only in a report that
    has one: a green PASS on an INVALID page would be read as the page's."""
    if row.verdict is None:
        return {"text": "shown", "style": "neutral"}
    if verdict in _DECIDED:
        return {"text": row.verdict.value, "style": row.verdict.value.lower()}
    text = "not judged" if verdict is Verdict.INVALID else _SO_FAR[row.verdict]
    return {"text": text, "style": "neutral"}


def _row(row: MetricRow, verdict: Verdict) -> dict[str, Any]:
    """A row of a report with this verdict, with its interval and bar as the page shows them."""
    return {
        **row.document(),
        "outcome": _outcome(row, verdict),
        "interval": interval(row.lower, row.upper),
        "demand": _demand(row),
        "bar": _bar(row),
    }


def _demand(row: MetricRow) -> str:
    if row.threshold is None:
        return ""
    sign = ">" if row.passes == "above" else "<"
    return f"{sign} {amount(row.threshold)}"


def _bar(row: MetricRow) -> dict[str, float] | None:
    """The interval on a line from 0 to 100, with estimate and threshold; an open end reaches the
    edge."""
    known = [row.lower, row.upper, row.estimate, row.threshold]
    finite = [value for value in known if value is not None]
    if row.estimate is None or row.threshold is None or max(finite) == min(finite):
        return None
    low, high = min(finite), max(finite)
    room = 0.12 * (high - low)
    low, high = low - room, high + room

    def percent(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    left = 0.0 if row.lower is None else percent(row.lower)
    right = 100.0 if row.upper is None else percent(row.upper)
    return {
        "left": left,
        "width": round(right - left, 2),
        "estimate": percent(row.estimate),
        "threshold": percent(row.threshold),
    }


def _missing_for_verdict(report: GateReport) -> list[str]:
    """The sentence about what a verdict lacks, and its earliest date; empty where there is one."""
    if report.verdict is not Verdict.INCONCLUSIVE:
        return []
    lines = [
        f"{check.message}."
        for check in report.checks
        if not check.ok and check.otherwise is Verdict.INCONCLUSIVE
    ]
    open_rows = [
        row for row in report.metrics if row.kind in DEMANDS and row.verdict is Verdict.INCONCLUSIVE
    ]
    lines += [
        f"{_titles(open_rows, reason)}: {reason}."
        for reason in dict.fromkeys(why for _, why in _reasons(open_rows))
    ]
    dates = report.detail.get("outlook") or {}
    early = any(row.too_little for row in open_rows)
    if early and dates.get("earliest"):
        lines.append(f"Earliest verdict: {_day(dates['earliest'])}.")
    if not early and dates.get("likely"):
        lines.append(
            f"Likely verdict, if estimate and spread stay as they are: {_day(dates['likely'])}."
        )
    when = dates.get("earliest") if early else dates.get("likely")
    if when and dates["ends"] < when:
        lines.append(
            f"A test of live traffic ends before that, on {_day(dates['ends'])}: raise "
            "max_duration_days, or require less."
        )
    return lines


def _titles(rows: list[MetricRow], reason: str) -> str:
    """The measures that are open for this reason, each once."""
    return ", ".join(dict.fromkeys(title for title, why in _reasons(rows) if why == reason))


def _reasons(rows: list[MetricRow]) -> list[tuple[str, str]]:
    """Each open demand, and why it is open."""
    return [
        (
            f"{row.title[0].upper()}{row.title[1:]}",
            row.too_little
            or f"the interval {interval(row.lower, row.upper)} includes {amount(row.threshold)}",
        )
        for row in rows
    ]


def _day(timestamp: str) -> str:
    at = datetime.fromisoformat(timestamp)
    return f"{at:%Y-%m-%d}" if (at.hour, at.minute) == (0, 0) else f"{at:%Y-%m-%d %H:%M} UTC"


def _block_sizes(report: GateReport) -> list[str]:
    """How many blocks of equal size the blocks are worth."""
    block = report.policy.get("block", "block")
    return list(
        dict.fromkeys(
            f"{count(item['blocks'])} {plural(block, item['blocks'])} of unequal size are worth "
            f"{item['effective_blocks']:.1f} of equal size, (Σ n)² / Σ n² of their requests; that "
            "number is what the policy's min_blocks counts."
            for item in report.detail.get("design_effects", ())
            if item.get("effective_blocks", item["blocks"]) < 0.995 * item["blocks"]
        )
    )


def _design_effects(report: GateReport) -> list[dict[str, Any]]:
    """Where requests depend on each other so much that a reader should know."""
    return [
        {
            "title": item["title"][0].upper() + item["title"][1:],
            "block": report.policy.get("block", "block"),
            "rows": item["rows"],
            "worth": round(item["rows"] / item["design_effect"]),
            "size": item["design_effect"],
        }
        for item in report.detail.get("design_effects", ())
        if item["design_effect"] is not None and item["design_effect"] > 1.5
    ]
