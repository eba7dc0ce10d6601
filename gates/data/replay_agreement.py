"""Whether a model's answers to recorded requests are the recorded ones, as precisely as the log.

A log may have a score with six digits, or as a 16-bit number. Such a rounding says nothing about
the features, so the tolerance follows from the recorded values themselves, where it is small beside
their spread; a coarser log needs a tolerance in the policy."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from ..metrics.losses import Answers, Floats

#: Two runs of one model agree to this, on any machine.
_RELATIVE, _ABSOLUTE = 1e-6, 1e-9
#: A log that is rounded to a unit above this part of its values' spread is too coarse to compare.
_COARSEST = 0.05
#: A number of more digits than this was not rounded when it was written.
_MOST_DIGITS = 9
_HALF_PRECISION = 2.0**-11


@dataclass(frozen=True)
class Agreement:
    """Which rows agree, and by how much the numbers differ (empty for answers that are none)."""

    alike: NDArray[np.bool_]
    differences: Floats


@dataclass(frozen=True)
class Tolerance:
    """How far recorded numbers may be from the true ones: ``absolute`` for all, or for each."""

    absolute: float | Floats = _ABSOLUTE
    relative: float = _RELATIVE

    def covers(self, recorded: Floats, again: Floats) -> NDArray[np.bool_]:
        return np.asarray(np.isclose(again, recorded, rtol=self.relative, atol=self.absolute))


def compare(
    recorded: Answers, again: Answers, *, rounded: bool, tolerance: float | None = None
) -> Agreement:
    """The answers of one model twice. ``rounded`` means that predictions are numbers that a log may
    round, and not classes. ``tolerance`` is that of the policy, in the unit of scores and
    predictions; None: from the precision of the recorded values."""
    rows = len(recorded.prediction)
    differences: Floats = np.empty(0)
    if recorded.prediction.dtype.kind in "fiub" and again.prediction.dtype.kind in "fiub":
        first, second = recorded.prediction.astype(float), again.prediction.astype(float)
        stated = _tolerance(first, tolerance) if rounded else Tolerance()
        alike = stated.covers(first, second)
        if rounded:
            differences = np.abs(first - second)
    else:
        alike = np.asarray(recorded.prediction == again.prediction, dtype=bool)
    if recorded.score is not None and again.score is not None:
        alike &= _tolerance(recorded.score, tolerance).covers(recorded.score, again.score)
        differences = np.abs(recorded.score - again.score)
    one, other = recorded.probabilities, again.probabilities
    if one is not None and other is not None and one.shape == other.shape:
        stated = _tolerance(one, tolerance)
        alike &= stated.covers(one, other).all(axis=1)
    alike = np.broadcast_to(alike, (rows,))
    return Agreement(np.asarray(alike, dtype=bool), differences[np.isfinite(differences)])


def logged_precision(values: Floats) -> Tolerance:
    """The tolerance that follows from how the values were written: with so many decimals or so
    many significant digits, or in half precision. It is a unit of the last digit and not half of
    one, since some writers cut digits off."""
    known = values[np.isfinite(values)]
    if not known.size:
        return Tolerance()
    numbers = [Decimal(repr(float(value))).normalize().as_tuple() for value in known]
    decimals = max(0, -min(int(number.exponent) for number in numbers))
    digits = max(len(number.digits) for number in numbers)
    coarsest = _COARSEST * float(np.std(known))
    units = np.full(values.shape, _ABSOLUTE)
    if decimals <= _MOST_DIGITS and 10.0**-decimals <= coarsest:
        units = np.maximum(units, 10.0**-decimals)
    if digits <= _MOST_DIGITS:
        sizes = np.abs(np.where(np.isfinite(values) & (values != 0), values, 1.0))
        last = 10.0 ** (np.floor(np.log10(sizes)) - digits + 1)
        if last.max() <= coarsest:
            units = np.maximum(units, last)
    with np.errstate(over="ignore"):
        halves = np.asarray(known.astype(np.float16), dtype=float)
    relative = _HALF_PRECISION if (halves == known).all() else _RELATIVE
    return Tolerance(units * (1 + _RELATIVE), relative)


def _tolerance(recorded: Floats, stated: float | None) -> Tolerance:
    return logged_precision(recorded) if stated is None else Tolerance(stated)
