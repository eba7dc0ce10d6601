"""The three stores that every service works on, and the settings they were opened with."""

from __future__ import annotations

from dataclasses import dataclass

from ..artifacts.store import ArtifactStore
from ..ledger.ledger import Ledger
from ..settings import Settings
from ..tracking.store import MlflowTracking


@dataclass(frozen=True)
class Stores:
    settings: Settings
    ledger: Ledger
    tracking: MlflowTracking
    artifacts: ArtifactStore
