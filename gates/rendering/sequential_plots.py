"""Figures of evidence: e-values with their threshold, latencies, and slices side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from ..formatting import amount
from ..report import MetricRow
from .svg import (
    CHALLENGER,
    CHAMPION,
    INK,
    THRESHOLD,
    SvgFigure,
    figure,
    legend,
    shade_too_early,
    svg,
    too_early,
)

#: What is beyond this is as good as certain, and would squeeze the rest of the picture.
_LEAST_LOG10, _MOST_LOG10 = -2.5, 12.0
_LARGEST_FOREST = 40
#: The mean of fewer units is noise.
_FEWEST = 30


def e_values(looks: Mapping[str, Any]) -> SvgFigure:
    """Evidence for PASS and for FAIL after each block, on a logarithmic scale."""
    points = looks["points"]
    at = list(range(1, len(points) + 1))
    canvas, axes = figure(8.6, 2.6)
    line = math.log10(1 / looks["alpha"])
    for key, name, colour in (("pass", "for PASS", CHALLENGER), ("fail", "for FAIL", THRESHOLD)):
        values = [min(max(point[f"log10_e_{key}"], _LEAST_LOG10), _MOST_LOG10) for point in points]
        axes.plot(at, values, color=colour, lw=1.6, label=name)
    axes.axhline(
        line, color=CHALLENGER, lw=1.1, ls=(0, (5, 3)), label="threshold for PASS (e = 1 / α)"
    )
    enough = math.log10(1 / looks["alpha_fail"])
    if enough != line:
        axes.axhline(
            enough, color=THRESHOLD, lw=1.1, ls=(0, (5, 3)), label="threshold for FAIL (e = m / α)"
        )
    axes.set_xlim(0.3, len(points) + 0.7)
    shade_too_early(axes, points)
    axes.set_ylabel("evidence, log10 e")
    axes.set_xlabel("look")
    legend(axes)
    title = looks["title"][0].upper() + looks["title"][1:]
    return SvgFigure(
        f"{title}: evidence at every look",
        "Above 0 the data support the hypothesis, below 0 they contradict it. A version as bad as "
        f"the margin allows reaches the threshold for PASS in {looks['alpha']:.0%} of tests at "
        f"most, whether you look once or after every block.{too_early(points)}",
        svg(canvas),
    )


def exposure_curves(exposure: Sequence[Mapping[str, Any]]) -> list[SvgFigure]:
    """The mean outcome by days since a unit's first request: novelty wears off. A figure for each
    outcome with at least two such days."""
    pictures = []
    for name in dict.fromkeys(row["outcome"] for row in exposure):
        mine = [row for row in exposure if row["outcome"] == name and row["units"] >= _FEWEST]
        if len({row["day"] for row in mine}) < 2:
            continue
        canvas, axes = figure(8.6, 2.6)
        for who, colour in (("champion", CHAMPION), ("challenger", CHALLENGER)):
            rows = [row for row in mine if row["arm"] == who]
            axes.plot(
                [row["day"] for row in rows],
                [row["mean"] for row in rows],
                "o-",
                color=colour,
                lw=1.4,
                ms=4,
                label=who,
            )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("days since the unit's first request")
        axes.set_ylabel(f"mean {name} of the day")
        legend(axes)
        pictures.append(
            SvgFigure(
                f"{name} by days since exposure",
                "Curves that come together, or cross, are a novelty that wears off. Days with "
                f"fewer than {_FEWEST} units in an arm are left out. Shown, not judged.",
                svg(canvas),
            )
        )
    return pictures


def latency_curves(latency: Mapping[str, Any]) -> SvgFigure:
    """The share of requests answered within a time."""
    canvas, axes = figure(8.6, 2.8)
    for name, curves in latency.items():
        curve = curves["curve"]
        axes.step(
            [edge for edge, _ in curve],
            [share for _, share in curve],
            where="post",
            color=CHAMPION if name.startswith("champion") else CHALLENGER,
            ls="-" if name.endswith("served") else (0, (4, 2)),
            lw=1.5,
            label=name,
        )
    axes.set_xscale("log")
    _name_times(axes)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("time to the answer")
    axes.set_ylabel("share answered")
    legend(axes)
    names_by_method: dict[str, list[str]] = {}
    for name, curves in latency.items():
        names_by_method.setdefault(curves["measured"], []).append(name)
    measured = "; ".join(f"{' and '.join(names)}: {how}" for how, names in names_by_method.items())
    return SvgFigure("Latency", f"{measured[0].upper()}{measured[1:]}.", svg(canvas))


def _name_times(axes: Axes) -> None:
    """Ticks such as 3 ms, at round numbers, over less than a decade as over several."""
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(
        LogLocator(subs=(1.0, 2.0, 5.0)) if high > 10 * low else MaxNLocator(7)
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{amount(value)} ms")


def slice_forest(rows: Sequence[MetricRow]) -> list[SvgFigure]:
    """Every slice's estimate and interval, one below the other; a picture for each demand."""
    pictures = []
    for key in dict.fromkeys((row.slice_column, row.name, row.threshold) for row in rows):
        mine = [r for r in rows if (r.slice_column, r.name, r.threshold) == key]
        mine = [r for r in mine if r.estimate is not None][:_LARGEST_FOREST]
        if len(mine) > 1:
            pictures.append(_forest(mine))
    return pictures


def _forest(rows: Sequence[MetricRow]) -> SvgFigure:
    canvas, axes = figure(8.6, 0.9 + 0.27 * len(rows), fitted=True)
    colours = {"FAIL": THRESHOLD, "PASS": CHALLENGER}
    known = [x for row in rows for x in (row.lower, row.upper, row.estimate) if x is not None]
    low, high = min(known), max(known)
    for height, row in enumerate(reversed(rows)):
        colour = colours.get(str(row.verdict), INK)
        ends = (
            row.lower if row.lower is not None else low,
            row.upper if row.upper is not None else high,
        )
        axes.plot(ends, (height, height), color=colour, lw=1.6)
        axes.plot([row.estimate or 0.0], [height], "o", color=colour, ms=4)
    threshold = rows[0].threshold
    if threshold is not None:
        axes.axvline(threshold, color=THRESHOLD, lw=1.2, ls=(0, (5, 3)))
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels([str(row.slice_value) for row in reversed(rows)])
    axes.set_ylim(-0.7, len(rows) - 0.3)
    title = rows[0].title
    what = "" if rows[0].champion is None else ": improvement over the champion"
    return SvgFigure(
        f"{title[0].upper()}{title[1:]} by {rows[0].slice_column}{what}",
        f"A slice blocks the version if its complete interval is on the wrong side of "
        f"{amount(threshold)}.",
        svg(canvas),
    )
