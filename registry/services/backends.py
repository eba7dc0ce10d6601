"""The backends of every service: the three stores, the settings they were opened with, and what the
gates make of a policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..artifacts.protocol import ArtifactStore
from ..domain.promotion_policy import PromotionPolicy
from ..ledger.ledger import Ledger
from ..mlflow_adapter.client import MlflowTracking
from ..settings import Settings

#: A policy with its gates' sections checked as a whole and complete with their defaults. Raises
#: InvalidInput for a policy that the gates do not understand, or that can never PASS.
CompletePolicy = Callable[[PromotionPolicy], PromotionPolicy]


def opaque(policy: PromotionPolicy) -> PromotionPolicy:
    """The policy as it is: for a core without gates, which gives its sections no meaning."""
    return policy


@dataclass(frozen=True)
class Backends:
    settings: Settings
    ledger: Ledger
    tracking: MlflowTracking
    artifacts: ArtifactStore
    complete_policy: CompletePolicy = opaque
