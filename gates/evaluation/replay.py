"""The constant part of a shadow test's replay: it is the same for every batch of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..aggregates.distributions import Edges
from ..checks.self_replay import Precision
from ..data.predictions import FITS, Needs
from ..metrics.classes import Classes
from ..metrics.definitions import CLASSIFICATION, REGRESSION
from ..policy.hypotheses import Hypothesis

if TYPE_CHECKING:
    from model_lifecycle.registry.frameworks.protocol import Predictor


@dataclass(frozen=True)
class Replay:
    """The settings of every batch of a test. Without a champion all recorded requests are replayed,
    whichever version answered them. ``mature_until``: later requests are left out, their labels
    being early ones. ``challenger`` is None where its answers were recorded too (``candidate`` is
    its version then). ``warm_until``: served latencies count from then on. ``timed_calls``: so many
    single requests of each day's first batch are timed, or of every batch. ``classes`` are those of
    the labels, ``positive`` the policy's positive label."""

    hypotheses: tuple[Hypothesis, ...]
    block: str
    challenger: Predictor | None
    champion: Predictor | None
    production: int | None
    mature_until: datetime
    model_type: str
    candidate: int = 0
    unit: str = "block"
    cluster: str | None = None
    identity: str = ""
    edges: Edges | None = None
    feature_time: str | None = None
    warm_until: datetime | None = None
    timed_calls: int = 0
    times_every_batch: bool = False
    judges_errors: bool = False
    categories: Mapping[str, frozenset[str]] = field(default_factory=dict)
    classes: Classes | None = None
    positive: Any = None
    #: The challenger where its answers were recorded: it predicts a sample of them again.
    recorded: Predictor | None = None
    tolerance: float | None = None

    @property
    def needs(self) -> Needs:
        """The kinds of answers that the challenger has to give."""
        names = {
            hypothesis.metric.name
            for hypothesis in self.hypotheses
            if hypothesis.metric.uses == "fit"
        }
        fits = tuple(name for name in FITS if name in names)
        return Needs(self.positive, fits, scores=self.model_type == CLASSIFICATION)

    def classes_of(self, model: Predictor | None) -> Sequence[Any] | None:
        """The classes in the order of a model's recorded probabilities."""
        named = None if model is None else model.classes
        return named or (None if self.classes is None else self.classes.values)

    @property
    def precision(self) -> Precision:
        """How near an answer of a model must be to its recorded answer."""
        return Precision(self.model_type == REGRESSION, self.tolerance, Needs(self.positive))


def block_name(block: str, hour: datetime) -> str:
    """The block that an hour belongs to: names sort by time."""
    return f"{hour:%Y-%m-%d}" if block == "day" else f"{hour:%Y-%m-%d %H:00}"
