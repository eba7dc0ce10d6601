"""Sums of floating-point numbers without rounding: the same to the bit in any order and grouping.

A float is an integer times a power of two, so a sum of floats is one too; Python's integers hold it
whole. It rounds once, when it is read. (Neal, "Fast exact summation using small and large
superaccumulators", arXiv 1505.05571, is the same idea in fixed memory.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

_MANTISSA, _HALF = 53, 27
#: So few numbers are added one by one.
_FEW = 100
#: Sums of so many halves of a mantissa are exact in a float.
_MOST = 1 << 25
_TEXT = re.compile(r"(-?[0-9a-f]+)p(-?[0-9]+)")


@dataclass(frozen=True)
class ExactSum:
    """``mantissa * 2 ** exponent``, in lowest terms, so that equal sums are equal values."""

    mantissa: int = 0
    exponent: int = 0

    @classmethod
    def of(cls, values: ArrayLike) -> ExactSum:
        """The sum of finite ``values``. Raises :class:`ValueError` for NaN and infinity."""
        array = np.asarray(values, dtype=float).ravel()
        if not np.isfinite(array).all():
            raise ValueError("only finite numbers have an exact sum")
        if array.size <= _FEW:
            return cls._of_few(array.tolist())
        total = cls()
        for start in range(0, array.size, _MOST):
            total += cls._of_some(array[start : start + _MOST])
        return total

    @classmethod
    def _of_few(cls, values: list[float]) -> ExactSum:
        ratios = [value.as_integer_ratio() for value in values]
        most = max((below.bit_length() for _, below in ratios), default=1)
        total = sum(above << (most - below.bit_length()) for above, below in ratios)
        return cls.normal(total, 1 - most)

    @classmethod
    def _of_some(cls, array: np.ndarray[tuple[int], np.dtype[np.float64]]) -> ExactSum:
        fractions, exponents = np.frexp(array)
        mantissas = (fractions * float(1 << _MANTISSA)).astype(np.int64)
        high = mantissas >> _HALF
        low = mantissas - (high << _HALF)
        least = int(exponents.min())
        at = exponents - least
        highs = np.bincount(at, weights=high)
        lows = np.bincount(at, weights=low)
        total = sum(
            ((int(highs[i]) << _HALF) + int(lows[i])) << int(i)
            for i in np.flatnonzero((highs != 0) | (lows != 0))
        )
        return cls.normal(total, least - _MANTISSA)

    @classmethod
    def normal(cls, mantissa: int, exponent: int) -> ExactSum:
        """The value in lowest terms."""
        if mantissa == 0:
            return cls()
        spare = (mantissa & -mantissa).bit_length() - 1
        return cls(mantissa >> spare, exponent + spare)

    def __add__(self, other: ExactSum) -> ExactSum:
        least = min(self.exponent, other.exponent)
        return self.normal(
            (self.mantissa << (self.exponent - least))
            + (other.mantissa << (other.exponent - least)),
            least,
        )

    @property
    def fraction(self) -> Fraction:
        """The sum as a rational number."""
        if self.exponent >= 0:
            return Fraction(self.mantissa << self.exponent)
        return Fraction(self.mantissa, 1 << -self.exponent)

    def __float__(self) -> float:
        return float(self.fraction)

    def text(self) -> str:
        """The sum as text that :meth:`parse` reads back exactly."""
        sign = "-" if self.mantissa < 0 else ""
        return f"{sign}{abs(self.mantissa):x}p{self.exponent}"

    @classmethod
    def parse(cls, text: str) -> ExactSum:
        """The inverse of :meth:`text`. Raises :class:`ValueError`."""
        match = _TEXT.fullmatch(text)
        if match is None or len(text) > 2000 or abs(int(match[2])) > 5000:
            raise ValueError(f"{text!r:.80} is no exact sum")
        return cls.normal(int(match[1], 16), int(match[2]))
