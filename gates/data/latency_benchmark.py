"""Latency of both models for single requests: interleaved, in one process, after a warm-up.

What is measured in replay is not what users wait for: no network, no queue, other hardware. Only
the ratio of two models is meaningful, and the report states how it was measured.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .columns import features
from .predictions import MODEL_FAILURES
from .traffic import REQUEST_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

    from model_lifecycle.registry.frameworks.protocol import Predictor

#: Calls of each model, one request each, before the clock counts.
_WARM_UP = 1


def time_interleaved(
    models: Mapping[str, Predictor], frame: pd.DataFrame, calls: int
) -> dict[str, list[float]]:
    """Milliseconds of each model for single requests of ``frame``; the model that begins changes
    with each request."""
    chosen = np.linspace(0, len(frame) - 1, min(len(frame), calls + _WARM_UP)).astype(int)
    rows = frame.iloc[chosen]
    inputs = {who: features(rows, model.columns, REQUEST_COLUMNS) for who, model in models.items()}
    durations: dict[str, list[float]] = {who: [] for who in models}
    order = list(models)
    for number in range(len(rows)):
        for who in order if number % 2 else order[::-1]:
            request = inputs[who].iloc[[number]]
            begun = time.perf_counter()
            try:
                models[who].predict(request)
            except MODEL_FAILURES:
                continue
            if number >= _WARM_UP:
                durations[who].append(1000 * (time.perf_counter() - begun))
    return durations
