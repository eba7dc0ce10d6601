"""The documented hash, against the vectors that other languages are tested with."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from model_lifecycle.gates.data.assignment import arm, position

PAGE = Path(__file__).parents[3] / "docs" / "guides" / "ab-tests.md"
ROW = re.compile(r"\| (\S+) \| (\S+) \| ([0-9a-f]{16}) \| (0\.\d+) \| (\w+) \| (\w+) \|")


def vectors() -> list[tuple[str, ...]]:
    """The rows of the documentation's table."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert len(rows) == 5
    return rows


@pytest.mark.parametrize(("salt", "unit", "digits", "at", "half", "tenth"), vectors())
def test_vectors(salt: str, unit: str, digits: str, at: str, half: str, tenth: str) -> None:
    """The documented examples are computed as documented."""
    assert position(unit, salt) == int(digits, 16) / 2**64 == float(at)
    assert (arm(unit, salt), arm(unit, salt, 0.1)) == (half, tenth)


def test_assignment() -> None:
    """The documented hash: the same for ever, evenly spread, shuffled by another salt."""
    positions = [position(f"user-{n}", "spring") for n in range(20_000)]
    share = np.mean([arm(f"user-{n}", "spring", 0.3) == "challenger" for n in range(20_000)])

    assert position("user-1", "spring") == pytest.approx(0.8338504, abs=1e-6)
    assert share == pytest.approx(0.3, abs=0.012)
    assert np.histogram(positions, 10)[0].min() > 1850
    assert position("user-1", "autumn") != position("user-1", "spring")
