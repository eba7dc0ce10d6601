"""Handwritten digits: scikit-learn's 1 797 images of 8 by 8 pixels, split once and for all.

The images lie in scikit-learn's own package (``load_digits``, from the UCI repository's optical
recognition of handwritten digits). They come writer by writer, so they are mixed first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SIDE = 8
PIXELS = [f"pixel_{row}_{column}" for row in range(SIDE) for column in range(SIDE)]
LABEL = "digit"
#: First image and the one after the last, of those to learn from, to validate on, and to sort.
PARTS = {"training": (0, 800), "validation": (800, 1200), "requests": (1200, 1797)}

_SEED = 20
_DARKEST = 16.0


def load_part(name: str) -> pd.DataFrame:
    """The images of a part of :data:`PARTS`: pixels from 0 (paper) to 1 (ink), and the digit."""
    import numpy as np
    import pandas as pd
    from sklearn.datasets import load_digits

    pixels, digits = load_digits(return_X_y=True)
    chosen = np.random.default_rng(_SEED).permutation(len(digits))[slice(*PARTS[name])]
    frame = pd.DataFrame(pixels[chosen] / _DARKEST, columns=PIXELS)
    return frame.assign(**{LABEL: digits[chosen].astype("int64")})
