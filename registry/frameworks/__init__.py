"""Frameworks: how their models are saved without pickle, and loaded as predictors."""

from .adapters import SUPPORTED, adapter_for
from .protocol import Column, FrameworkAdapter, Predictor, SavedModel
from .recognition import framework_of

__all__ = [
    "SUPPORTED",
    "Column",
    "FrameworkAdapter",
    "Predictor",
    "SavedModel",
    "adapter_for",
    "framework_of",
]
