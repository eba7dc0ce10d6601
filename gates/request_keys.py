"""Request ids as numbers: what requests are paired and counted once by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Keys = NDArray[np.uint64]


def request_keys(ids: pd.Series[Any]) -> Keys:
    """Ids as 64-bit hashes: ten million of them collide with a chance of 1 in 400 000."""
    import numpy as np
    import pandas as pd

    texts = ids.astype(str).to_numpy(dtype=object)
    # Nearly all ids differ: to look for equal ones first, as pandas would, takes as long again.
    return np.asarray(pd.util.hash_array(texts, categorize=False))
