from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from model_lifecycle.gates.aggregates.distributions import Distributions, Edges
from model_lifecycle.gates.aggregates.replay import BlockSummary, ReplayAggregate, Source
from model_lifecycle.gates.metrics.losses import Answers
from model_lifecycle.gates.statistics.log_histogram import LogHistogram

RNG = np.random.default_rng(30)
EDGES = Edges("classification", tuple(np.linspace(0, 1, 21)))


def _part(number: int) -> ReplayAggregate:
    x = RNG.normal(size=number + 3)
    labels = RNG.integers(0, 2, 10)
    scores = RNG.random(10)
    return ReplayAggregate(
        {f"b{number % 3}": {("claim", None): BlockSummary.of(x, np.abs(x), np.abs(x))}},
        Counter(read=number, judged=1),
        Distributions.of(EDGES, labels, {"challenger": Answers(labels, scores)}),
        [Source(f"p{number}", "sha256:0", number)],
    )


def _total(parts: Iterable[ReplayAggregate]) -> ReplayAggregate:
    total = ReplayAggregate()
    for part in parts:
        total.merge(part)
    return total


def test_any_order_and_grouping() -> None:
    """Parts absorbed in any order and grouping give the same sums."""
    parts = [_part(number) for number in range(12)]

    straight = _total(parts)
    grouped = _total([_total(parts[7:]), _total(parts[:3][::-1]), _total(parts[3:7])])

    assert straight.counts == grouped.counts
    assert straight.blocks == grouped.blocks
    one, two = (
        aggregate.distributions.document()["values"]["challenger"]
        for aggregate in (straight, grouped)
    )
    assert one["counts"] == two["counts"]
    assert one["sums"] == pytest.approx(two["sums"])


def test_absorbing_leaves_the_other() -> None:
    """Absorbing does not change what is absorbed."""
    part, total = _part(4), ReplayAggregate()
    total.merge(part)
    total.merge(part)

    assert part.counts["read"] == 4
    assert part.blocks["b1"]["claim", None].x.n == 7


def test_different_edges() -> None:
    """Counts in different bins do not add."""
    other = Edges("classification", (0.0, 1.0))
    labels = np.array([0, 1])
    answers = {"challenger": Answers(labels, np.array([0.1, 0.9]))}

    with pytest.raises(ValueError, match="different edges"):
        Distributions.of(EDGES, labels, answers) + Distributions.of(other, labels, answers)


def test_another_identity() -> None:
    """Sums judged by another margin, policy or model do not add."""
    one, other = _part(1), _part(2)
    one.identity, other.identity = "margin 0.01", "margin 0.02"

    with pytest.raises(ValueError, match="another policy, unit, margin or model"):
        one.merge(other)


def test_written_and_read_back() -> None:
    """A aggregate is written as plain JSON and read back whole."""
    total = _total([_part(number) for number in range(5)])
    total.tables["flips"] = Counter(a=2)
    total.histograms["latency"] = LogHistogram.of([1.0, 5.0])

    again = ReplayAggregate.from_document(json.loads(json.dumps(total.document())))

    assert total.document() == again.document()
    assert total.blocks == again.blocks


@pytest.mark.parametrize("more", [{"span": 5.0}, {"clusters": np.array(["a", "b"] * 20)}])
def test_cells_with_more(more: dict[str, Any]) -> None:
    """Cells with a grid, or with clusters, add to the same in any split, and are read back."""
    x = np.clip(RNG.normal(size=40), -5, 5)
    complete = BlockSummary.of(x, x, x, **more)
    parts = [
        BlockSummary.of(
            x[i::3], x[i::3], x[i::3], **{k: v if k == "span" else v[i::3] for k, v in more.items()}
        )
        for i in range(3)
    ]

    assert complete == parts[2] + parts[0] + parts[1]
    assert complete == BlockSummary.from_document(json.loads(json.dumps(complete.document())))
