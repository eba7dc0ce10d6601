"""The common style of a report's pictures: colours, axes, and SVG that needs nothing from outside.

Figures are created without pyplot, so that they share no state and need no display.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

CHAMPION, CHALLENGER, THRESHOLD, INK, FAINT = "#8a6d3b", "#1f5fbf", "#c0392b", "#2b3440", "#d9dee5"
COLOURS = {"champion": CHAMPION, "challenger": CHALLENGER}
_STYLE: Any = {
    "svg.hashsalt": "model-lifecycle",
    "font.size": 9.5,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
}
#: matplotlib has one style for a process.
_STYLING = Lock()


@dataclass(frozen=True)
class SvgFigure:
    """A picture as a data address, with what it shows in words."""

    title: str
    caption: str
    source: str


@contextmanager
def styled() -> Iterator[None]:
    """The report's style, for one thread at a time."""
    with _STYLING, mpl.rc_context(_STYLE):
        yield


def figure(
    width: float, height: float, *, above: float = 0.1, fitted: bool = False
) -> tuple[Figure, Axes]:
    """Axes with room for labels of usual length, and so many inches ``above`` them; ``fitted``
    measures the labels, which takes as long as drawing."""
    canvas = Figure(figsize=(width, height), layout="constrained" if fitted else None)
    if not fitted:
        canvas.subplots_adjust(
            left=0.78 / width, right=1 - 0.12 / width, top=1 - above / height, bottom=0.5 / height
        )
    axes = canvas.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    return canvas, axes


def legend(axes: Axes) -> None:
    axes.legend(framealpha=0.85, edgecolor="none", fontsize=8.5, loc="best")


def too_early(points: Sequence[Mapping[str, Any]]) -> str:
    """The caption's sentence about the looks at which the policy allows no verdict."""
    early = _early(points)
    if not early:
        return ""
    if early == len(points):
        return " The policy allows no verdict at any of these looks (shaded)."
    return f" The policy allows no verdict at the first {early} looks (shaded)."


def shade_too_early(axes: Axes, points: Sequence[Mapping[str, Any]]) -> None:
    """Shade the looks at which the policy allows no verdict yet, whatever the curves show."""
    early = _early(points)
    if early:
        axes.axvspan(
            0.3, early + 0.5, color=FAINT, alpha=0.7, lw=0, zorder=0, label="no verdict allowed yet"
        )


def _early(points: Sequence[Mapping[str, Any]]) -> int:
    """How many looks, the last of them included, come before the first that may decide."""
    allowed = (number for number, point in enumerate(points) if not point.get("too_little"))
    return next(allowed, len(points))


def svg(canvas: Figure) -> str:
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}"
