"""Frameworks: how their models are saved without pickle, and loaded as predictors."""

from .detection import framework_of
from .factory import SUPPORTED, adapter_for
from .protocol import Column, FrameworkAdapter, Predictor, SavedModel

__all__ = [
    "SUPPORTED",
    "Column",
    "FrameworkAdapter",
    "Predictor",
    "SavedModel",
    "adapter_for",
    "framework_of",
]
