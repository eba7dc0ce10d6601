"""Labels of one day's requests, as they are written and read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from model_lifecycle.gates.data.labels import read_labels
from model_lifecycle.gates.data.traffic_writer import write_labels
from model_lifecycle.registry.artifacts.local_store import LocalArtifacts

HOUR = datetime(2024, 3, 1, 5, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path)


async def test_labels(store: LocalArtifacts) -> None:
    """The latest label of each request counts, and rows without one do not."""
    labels = pd.DataFrame(
        {
            "request_id": ["a", "b", "c"],
            "label": [0.0, 1.0, None],
            "labelled_at": [HOUR, HOUR, HOUR],
        }
    )
    await write_labels(store, "acme", "churn", HOUR, labels)
    later = pd.DataFrame(
        {"request_id": ["a"], "label": [1.0], "labelled_at": [HOUR + timedelta(days=3)]}
    )
    await write_labels(store, "acme", "churn", HOUR, later, part=1)

    read = await read_labels(store, "acme", "churn", HOUR)

    assert read is not None
    assert dict(zip(read.frame["request_id"], read.frame["label"], strict=True)) == {
        "a": 1.0,
        "b": 1.0,
    }
    assert await read_labels(store, "acme", "churn", HOUR + timedelta(days=1)) is None


async def test_conflicting_labels(store: LocalArtifacts) -> None:
    """A request with two different labels is marked; the same label twice is no conflict, and a
    label without a time is not taken for the latest."""
    labels = pd.DataFrame(
        {
            "request_id": ["a", "a", "b", "b", "c"],
            "label": [0, 1, 1, 1, 0],
            "labelled_at": [HOUR, pd.NaT, HOUR, HOUR + timedelta(hours=1), HOUR],
        }
    )
    await write_labels(store, "acme", "churn", HOUR, labels)

    read = await read_labels(store, "acme", "churn", HOUR)

    assert read is not None
    marked = dict(zip(read.frame["request_id"], read.conflicting.tolist(), strict=True))
    assert marked == {"a": True, "b": False, "c": False}
    assert read.frame.set_index("request_id")["label"]["a"] == 0
