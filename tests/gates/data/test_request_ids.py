"""Request ids as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from model_lifecycle.gates.data.request_ids import hash_request_ids

IDS = ["", "a", "a\0", "a\0\0\0\0\0\0\0", "é", "r1", "r10", "2024-03-01T05-000017", "x" * 300]


def test_every_id_has_its_own_key() -> None:
    """Ids of any length, and those that differ in little, have different keys."""
    ids = [*IDS, *(f"{number}" for number in range(200_000))]

    assert len(set(hash_request_ids(pd.Series(ids)).tolist())) == len(ids)


def test_ids_of_one_length() -> None:
    """A million ids that count up do not collide."""
    ids = pd.Series(pa.array(np.arange(10**6, 2 * 10**6)).cast(pa.string()).to_pandas())

    assert np.unique(hash_request_ids(ids)).size == ids.size


@pytest.mark.parametrize("kind", [object, "str", "string", "category"])
def test_whatever_the_company(kind: Any) -> None:
    """An id's key is the same alone and among others, at any place, however the column is kept."""
    run_concurrently = hash_request_ids(pd.Series(IDS).astype(kind))
    alone = [hash_request_ids(pd.Series([each]).astype(kind))[0] for each in IDS]
    backwards = hash_request_ids(pd.Series(IDS * 2).astype(kind)[::-1].iloc[len(IDS) :])

    assert run_concurrently.tolist() == alone == backwards.tolist()[::-1]
    assert run_concurrently.tolist() == hash_request_ids(pd.Series(IDS)).tolist()


def test_files_read_together() -> None:
    """Ids that were read from several files have the keys that each has on its own."""
    table = pa.table({"id": pa.chunked_array([IDS[:4], IDS[4:]])})

    assert (
        hash_request_ids(table.to_pandas()["id"]).tolist()
        == hash_request_ids(pd.Series(IDS)).tolist()
    )


def test_numbers_and_nulls() -> None:
    """Numbers are taken as text; what is no id is taken as one that is called nan."""
    numbers, texts = pd.Series([7, 10]), pd.Series(["7", "10"])

    assert hash_request_ids(numbers).tolist() == hash_request_ids(texts).tolist()
    assert hash_request_ids(pd.Series(["r1", None]))[1] == hash_request_ids(pd.Series(["nan"]))[0]
    assert hash_request_ids(pd.Series([], dtype="str")).tolist() == []
