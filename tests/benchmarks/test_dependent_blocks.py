"""A small run of ``benchmarks/dependent_blocks.py``: enough to see that it measures dependence."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "dependent_blocks.py"


@pytest.fixture(scope="module")
def benchmark() -> Any:
    spec = spec_from_file_location("dependent_blocks", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_check_prevents_wrong_passes(benchmark: Any) -> None:
    """Of 60 runs with strongly dependent days most wrong PASSes disappear with the check."""
    unchecked, checked = np.isfinite(benchmark.measure(0.9, 60, 0.0, 1)).mean(axis=0)

    assert unchecked > 0.3
    assert checked < 0.15


def test_a_clear_improvement_passes(benchmark: Any) -> None:
    """On independent days every run passes, at about the same time with the check."""
    days = benchmark.measure(0.0, 30, 1.5, 2)

    assert np.isfinite(days).all()
    assert np.median(days[:, 1]) <= 1.5 * np.median(days[:, 0])
