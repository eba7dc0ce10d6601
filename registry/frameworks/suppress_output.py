"""Third parties at work: their advice to each other is not for those who register models."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

_TALKATIVE = (
    "torch.onnx",
    "torch.export",
    "onnxscript",
    "onnx_ir",
    "tf2onnx",
    "skl2onnx",
    "mlflow",
)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Warnings of the block are dropped, and so is what its libraries log below an error."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
