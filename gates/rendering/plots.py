"""The report's pictures: which there are, and those of intervals and distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator

from ..formatting import amount
from ..metrics.definitions import CLASSIFICATION
from ..report import MetricRow
from .sequential_plots import e_values, exposure_curves, latency_curves, slice_forest
from .svg import (
    CHALLENGER,
    COLOURS,
    FAINT,
    INK,
    THRESHOLD,
    SvgFigure,
    figure,
    legend,
    shade_too_early,
    styled,
    svg,
    too_early,
)

#: Characters of tick labels that fit below a wide picture, side by side.
_AXIS_CHARACTERS = 96


def pictures(detail: Mapping[str, Any], rows: Sequence[MetricRow] = ()) -> list[SvgFigure]:
    """All pictures that a report's detail and rows allow, the deciding ones first."""
    drawn: list[SvgFigure] = []
    with styled():
        for looks in detail.get("looks", ()):
            if len(looks["points"]) > 1:
                drawn.append(_interval_over_time(looks))
                if "log10_e_pass" in looks["points"][0]:
                    drawn.append(e_values(looks))
        drawn += slice_forest([row for row in rows if row.kind == "slice"])
        drawn += exposure_curves(detail.get("exposure", ()))
        if detail.get("latency"):
            drawn.append(latency_curves(detail["latency"]))
        distributions = detail.get("distributions") or {}
        if distributions:
            if distributions["model_type"] == CLASSIFICATION:
                drawn.append(_calibration(distributions))
                drawn.append(_histogram(distributions, "value", "Scores", "score"))
            else:
                drawn.append(_histogram(distributions, "error", "Errors", "prediction minus label"))
                drawn.append(_histogram(distributions, "value", "Predictions", "prediction"))
    return drawn


def _interval_over_time(looks: Mapping[str, Any]) -> SvgFigure:
    points = looks["points"]
    at = list(range(1, len(points) + 1))
    # The verdict stands above the axes, where no legend and no point can hide it.
    canvas, axes = figure(8.6, 3.4, above=0.22)
    bounded = [
        (i, p["lower"], p["upper"])
        for i, p in zip(at, points, strict=True)
        if p["lower"] is not None and p["upper"] is not None
    ]
    own = [(i, p["own"]) for i, p in zip(at, points, strict=True) if p["own"] is not None]
    if own:
        axes.scatter(
            [i for i, _ in own],
            [value for _, value in own],
            s=_dots([p.get("own_requests", 0) for p in points if p["own"] is not None]),
            color=CHALLENGER,
            alpha=0.35,
            lw=0,
            label="each block",
        )
    if bounded:
        axes.fill_between(
            [i for i, _, _ in bounded],
            [low for _, low, _ in bounded],
            [high for _, _, high in bounded],
            color=CHALLENGER,
            alpha=0.16,
            lw=0,
            label="interval, valid at every look",
        )
    axes.plot(at, [p["mean"] for p in points], color=CHALLENGER, lw=1.8, label="mean so far")
    threshold = looks["threshold"]
    name = "minus the margin" if looks["comparative"] else "limit"
    axes.axhline(threshold, color=THRESHOLD, lw=1.4, ls=(0, (5, 3)), label=name)
    if looks["decided_at"] is not None:
        axes.axvline(looks["decided_at"], color=INK, lw=0.9, ls=":")
        axes.annotate(
            looks["verdict"],
            (looks["decided_at"], 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
            fontweight="bold",
        )
    _limit_view(axes, points, threshold)
    _name_blocks(axes, [p["block"] for p in points])
    shade_too_early(axes, points)
    title = looks["title"][0].upper() + looks["title"][1:]
    axes.set_ylabel("improvement" if looks["comparative"] else looks["title"])
    legend(axes)
    last = points[-1]
    return SvgFigure(
        f"{title}: {'improvement over the champion' if looks['comparative'] else 'the version'}",
        f"A PASS needs the complete band {looks['passes']} the line at {amount(threshold)}. "
        f"After {len(points)} blocks the mean is {amount(last['mean'])}. Larger points hold more "
        f"requests.{too_early(points)}",
        svg(canvas),
    )


def _calibration(distributions: Mapping[str, Any]) -> SvgFigure:
    canvas, axes = figure(4.2, 3.6)
    axes.plot([0, 1], [0, 1], color=FAINT, lw=1.2)
    for who, bins in distributions["values"].items():
        cells = [
            (scores / count, labels / count, count)
            for scores, labels, count in zip(
                bins["sums"], bins["labels"], bins["counts"], strict=True
            )
            if count
        ]
        most = max((count for _, _, count in cells), default=1)
        axes.plot(
            [x for x, _, _ in cells], [y for _, y, _ in cells], color=COLOURS[who], lw=1, alpha=0.6
        )
        axes.scatter(
            [x for x, _, _ in cells],
            [y for _, y, _ in cells],
            s=[8 + 60 * count / most for _, _, count in cells],
            color=COLOURS[who],
            alpha=0.8,
            lw=0,
            label=who,
        )
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_xlabel("mean score")
    axes.set_ylabel("share of positives")
    legend(axes)
    return SvgFigure(
        "Calibration",
        "Observed frequency against predicted probability; a calibrated model is on the line. "
        "Larger points hold more requests.",
        svg(canvas),
    )


def _histogram(distributions: Mapping[str, Any], what: str, title: str, label: str) -> SvgFigure:
    edges = distributions[f"{what}_edges"]
    canvas, axes = figure(4.2, 3.6)
    for who, bins in distributions[f"{what}s"].items():
        total = max(sum(bins["counts"]), 1)
        shares = [count / total for count in bins["counts"]]
        axes.stairs(shares, edges, color=COLOURS[who], lw=1.6, label=who)
        axes.stairs(shares, edges, color=COLOURS[who], alpha=0.10, fill=True)
    if what == "error":
        axes.axvline(0, color=INK, lw=0.8, ls=":")
    axes.set_xlabel(label)
    axes.set_ylabel("share of requests")
    axes.set_ylim(bottom=0)
    legend(axes)
    return SvgFigure(
        title, "Share of requests in each bin, both models on the same ones.", svg(canvas)
    )


def _dots(requests: Sequence[int]) -> list[float]:
    """Areas of points by their number of requests."""
    most = max(max(requests, default=0), 1)
    return [6 + 24 * number / most for number in requests]


def _limit_view(axes: Axes, points: Sequence[Mapping[str, Any]], threshold: float) -> None:
    """Show the threshold and the last half of the band; the first bounds are as wide as a barn."""
    late = points[len(points) // 2 :]
    ends = [p[key] for p in late for key in ("lower", "upper", "mean") if p[key] is not None]
    own = sorted(p["own"] for p in points if p["own"] is not None)
    if own:
        ends += [own[len(own) // 20], own[-1 - len(own) // 20]]
    ends.append(threshold)
    low, high = min(ends), max(ends)
    room = 0.12 * ((high - low) or abs(high) or 1.0)
    axes.set_ylim(low - room, high + room)


def _tick_count(names: Sequence[str]) -> int:
    """How many names of blocks stand beside each other without touching."""
    return max(2, min(7, (_AXIS_CHARACTERS - 12) // max(len(name) for name in names)))


def _fits(position: int, names: Sequence[str]) -> bool:
    """Whether the name below a block, which is centred on it, ends before the picture does."""
    centre = _AXIS_CHARACTERS * position / (len(names) + 0.4)
    return centre + len(names[position - 1]) / 2 <= _AXIS_CHARACTERS + 2


def _name_blocks(axes: Axes, names: Sequence[str]) -> None:
    axes.set_xlim(0.3, len(names) + 0.7)
    ticks = [
        int(x) for x in MaxNLocator(_tick_count(names), integer=True).tick_values(1, len(names))
    ]
    ticks = [tick for tick in ticks if 1 <= tick <= len(names) and _fits(tick, names)]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.set_xticklabels([names[tick - 1] for tick in ticks])
