"""A small run of ``benchmarks/verify.py``: enough to see that it measures what it says."""

from __future__ import annotations

import pytest
import verify
from rich.console import Console


def test_it_verifies_both_ledgers_and_judges_the_longer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All entries are verified; the verdict is the exit code."""
    code = verify.main(["--entries", "300"])
    printed = capsys.readouterr().out

    assert ("PASS" in printed) == (code == 0)
    assert "300" in printed


@pytest.mark.parametrize(
    ("processor", "peak", "good"), [(4.9, 199.0, True), (5.1, 199.0, False), (4.9, 200.0, False)]
)
def test_either_limit_fails(processor: float, peak: float, good: bool) -> None:
    """20,000 entries a second, and below 200 MB."""
    measurement = verify.Measurement(100_000, processor, 9.0, 60.0, peak)

    assert verify.report([measurement], Console(quiet=True)) is good
