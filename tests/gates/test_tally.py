from collections import Counter

import numpy as np
import pytest

from model_lifecycle.gates.distributions import Distributions, Edges
from model_lifecycle.gates.losses import Answers
from model_lifecycle.gates.tally import Cell, Source, Tally

RNG = np.random.default_rng(30)
EDGES = Edges("classification", tuple(np.linspace(0, 1, 21)))


def _part(number):
    x = RNG.normal(size=number + 3)
    labels = RNG.integers(0, 2, 10)
    scores = RNG.random(10)
    return Tally(
        {f"b{number % 3}": {("claim", None): Cell.of(x, np.abs(x), np.abs(x))}},
        Counter(read=number, judged=1),
        Distributions.of(EDGES, labels, {"challenger": Answers(labels, scores)}),
        [Source(f"p{number}", "sha256:0", number)],
    )


def _total(parts):
    total = Tally()
    for part in parts:
        total.absorb(part)
    return total


def test_any_order_and_grouping():
    """Parts absorbed in any order and grouping give the same sums."""
    parts = [_part(number) for number in range(12)]

    straight = _total(parts)
    grouped = _total([_total(parts[7:]), _total(parts[:3][::-1]), _total(parts[3:7])])

    assert straight.counts == grouped.counts
    for name, cells in straight.blocks.items():
        for key, cell in cells.items():
            other = grouped.blocks[name][key]
            assert cell.x.n == other.x.n
            assert (cell.x.mean, cell.x.m2) == pytest.approx((other.x.mean, other.x.m2))
    one, two = (
        tally.distributions.document()["values"]["challenger"] for tally in (straight, grouped)
    )
    assert one["counts"] == two["counts"]
    assert one["sums"] == pytest.approx(two["sums"])


def test_absorbing_leaves_the_other():
    """Absorbing does not change what is absorbed."""
    part, total = _part(4), Tally()
    total.absorb(part)
    total.absorb(part)

    assert part.counts["read"] == 4
    assert part.blocks["b1"]["claim", None].x.n == 7


def test_different_edges():
    """Counts in different bins do not add."""
    other = Edges("classification", (0.0, 1.0))
    labels = np.array([0, 1])
    said = {"challenger": Answers(labels, np.array([0.1, 0.9]))}

    with pytest.raises(ValueError, match="different edges"):
        Distributions.of(EDGES, labels, said) + Distributions.of(other, labels, said)
