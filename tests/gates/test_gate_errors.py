"""A small run of ``benchmarks/gate_errors.py``: enough to see that it measures what it says."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "benchmarks" / "gate_errors.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = spec_from_file_location("gate_errors", FILE)
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "engine"),
    [("3 % disagree", "betting, requests"), ("design effect 3", "sequence, blocks")],
)
def test_engines_keep_their_rate_and_peeking_does_not(benchmark, name, engine):
    """Looked at 200 times, an engine passes wrongly in 5 % of runs at most, a fixed-sample test in
    a quarter or more."""
    (setting,) = [s for s in benchmark.SETTINGS if (s.name, s.engine) == (name, engine)]

    result = benchmark.measure(setting, runs=60, seed=1)

    assert result.holds
    assert result.peeked > 0.25
    assert result.median is not None


def test_too_many_is_told(benchmark):
    """A rate beyond the level and the simulation's own error does not hold."""
    assert not benchmark.Result("s", "e", 0.07, 0.05, 0.007).holds
    assert benchmark.Result("s", "e", 0.06, 0.05, 0.007).holds
