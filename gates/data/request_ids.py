"""Request ids as numbers: what requests are paired and counted once by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    Keys = NDArray[np.uint64]


#: So many ids are hashed at once: within the processor's cache, and in little memory.
_AT_ONCE = 1 << 16


def hash_request_ids(ids: pd.Series[Any]) -> Keys:
    """Ids as 64-bit hashes: ten million of them collide with a chance of 1 in 400 000. An id's key
    depends on its text alone.

    pandas hashes numbers ten times as fast as texts, so each text is hashed as the 64-bit words it
    takes in memory; ids are mostly all of one length.
    """
    import numpy as np
    import pyarrow as pa

    texts = pa.array(ids.astype(str))
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    parts = range(0, len(texts), _AT_ONCE)
    return np.concatenate(
        [np.empty(0, np.uint64), *(_keys(texts.slice(i, _AT_ONCE)) for i in parts)]
    )


def _keys(texts: pa.Array) -> Keys:
    import numpy as np
    import pyarrow as pa
    from pyarrow import compute

    texts = texts.fill_null("nan")
    lengths = compute.binary_length(texts).to_numpy(zero_copy_only=False)
    distinct = np.flatnonzero(np.bincount(lengths)).tolist()
    if len(distinct) == 1:
        return _hashed(texts, distinct[0])
    keys = np.empty(lengths.size, dtype=np.uint64)
    for length in distinct:
        here = np.flatnonzero(lengths == length)
        keys[here] = _hashed(texts.take(pa.array(here)), length)
    return keys


def _hashed(texts: pa.Array, length: int) -> Keys:
    """Texts that are all of ``length`` bytes."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    words = np.zeros((len(texts), 1 + -(-length // 8)), dtype=np.uint64)
    words[:, 0] = length
    if length:
        stored = texts.cast(pa.binary(length))
        letters = np.frombuffer(stored.buffers()[1], dtype=np.uint8)[stored.offset * length :]
        letters = letters[: len(texts) * length].reshape(len(texts), length)
        words.view(np.uint8)[:, 8 : 8 + length] = letters
    return np.asarray(pd.util.hash_pandas_object(pd.DataFrame(words), index=False))
