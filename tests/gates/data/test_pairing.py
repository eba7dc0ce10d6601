"""Which of a day's requests are new."""

from __future__ import annotations

import numpy as np
import pytest

from model_lifecycle.gates.data.pairing import Day


@pytest.mark.parametrize("seed", range(20))
def test_requests_that_come_again(seed: int) -> None:
    """Of a day's requests each counts once: in its batch, after earlier batches, and after those of
    a try that was cut off, in whatever order their keys were kept."""
    rng = np.random.default_rng(seed)
    earlier = rng.choice(60, 5, replace=False).astype(np.uint64)
    day, arrived = Day.of(None, earlier), set(earlier.tolist())

    for _ in range(6):
        ids = rng.integers(0, 60, rng.integers(0, 15)).astype(np.uint64)
        expected = []
        for key in ids.tolist():
            expected.append(key not in arrived)
            arrived.add(key)

        assert day.new(ids).tolist() == expected
        assert day.request_keys.tolist() == sorted(arrived)
