"""The measures a gate can judge by: one table. Standard library only; the formulas are in losses
and clustering.

Most measures are a mean over requests, so that they can be judged from sums; those of a table of
clusters are judged from its counts. Measures that are neither (area under the ROC curve) are shown
in reports, and never decide. Some need no labels: they measure how the two models differ, how often
a model gave no answer, or what a clustering looks like."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.models import ModelType

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CLASSIFICATION = ModelType.CLASSIFICATION.value
REGRESSION = ModelType.REGRESSION.value
CLUSTERING = ModelType.CLUSTERING.value

#: Scores are kept this far from 0 and 1, so that the log loss of one request is bounded.
LOG_LOSS_CLIP = 1e-6
#: -ln(1e-6), the largest log loss of one request.
LOG_LOSS_RANGE = 13.815510557964274


@dataclass(frozen=True)
class Metric:
    """One measure.

    ``uses`` is what it needs of a model: its ``score`` (probabilities of classes), its
    ``prediction``, its ``fit`` to each row (a clustering's inertia), the ``table`` of clusters
    that two sides give to the same rows, the ``share`` of each cluster, ``distances`` of rows from
    each other, or nothing but an ``answer``. ``best`` is the value at no loss of a measure where
    higher is better. ``span`` is the largest loss of one request, None where there is none;
    ``span_of_classes`` that of more than two classes. ``binary``: each request counts 0 or 1.
    ``labels``: it needs the truth. ``differs``: it is about how two models differ. ``compares``: a
    difference between two models means that one is better. ``model_types`` are those it is for,
    empty where any will do. ``traffic``: it can be judged block by block. ``lacks`` states which
    models have it, for those that do not.
    """

    name: str
    title: str
    model_types: tuple[str, ...]
    uses: str
    higher_is_better: bool = False
    best: float = 1.0
    span: float | None = 1.0
    span_of_classes: float | None = None
    binary: bool = False
    labels: bool = True
    differs: bool = False
    compares: bool = True
    traffic: bool = True
    lacks: str = ""

    @property
    def range(self) -> tuple[float, float]:
        """The range of a mean of the measure, infinite where it has no end."""
        if self.span is None:
            return (-math.inf if self.higher_is_better else 0.0, math.inf)
        most = max(self.span, self.span_of_classes or 0.0)
        return (self.best - most, self.best) if self.higher_is_better else (0.0, most)

    def fits(self, model_type: str) -> bool:
        """Whether models of this type can be judged by it."""
        return not self.model_types or model_type in self.model_types

    def loss(self, values: Floats) -> Floats:
        """The loss that each value of the measure is."""
        return self.best - values if self.higher_is_better else values

    def measure(self, loss: float) -> float:
        """The value of the measure at a loss, and the other way round."""
        return self.best - loss if self.higher_is_better else loss

    def largest_loss(self, classes: int) -> float | None:
        """The largest loss of one request where there are so many classes."""
        return self.span_of_classes if classes > 2 and self.span_of_classes else self.span


_CLASSES = (CLASSIFICATION,)
_NUMBERS = (REGRESSION,)
_CLUSTERS = (CLUSTERING,)

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("brier", "Brier score", _CLASSES, "score", span_of_classes=2.0),
        Metric("log_loss", "log loss", _CLASSES, "score", span=LOG_LOSS_RANGE),
        Metric("accuracy", "accuracy", _CLASSES, "prediction", higher_is_better=True, binary=True),
        Metric("zero_one", "error rate", _CLASSES, "prediction", binary=True),
        Metric("absolute_error", "mean absolute error", _NUMBERS, "prediction", span=None),
        Metric("squared_error", "mean squared error", _NUMBERS, "prediction", span=None),
        Metric(
            "agreement",
            "agreement with the champion",
            (CLASSIFICATION, REGRESSION),
            "prediction",
            higher_is_better=True,
            binary=True,
            labels=False,
            differs=True,
            compares=False,
        ),
        Metric(
            "score_shift",
            "mean change of the score",
            _CLASSES,
            "score",
            labels=False,
            differs=True,
            compares=False,
        ),
        Metric(
            "errors", "share of requests without answer", (), "answer", binary=True, labels=False
        ),
        Metric(
            "smallest_cluster",
            "share of the smallest cluster",
            _CLUSTERS,
            "share",
            binary=True,
            labels=False,
            compares=False,
        ),
        Metric(
            "largest_cluster",
            "share of the largest cluster",
            _CLUSTERS,
            "share",
            binary=True,
            labels=False,
            compares=False,
        ),
        Metric(
            "inertia",
            "inertia per row",
            _CLUSTERS,
            "fit",
            span=None,
            labels=False,
            lacks="the model has no cluster centres; use log_likelihood for a mixture, or "
            "silhouette in validation",
        ),
        Metric(
            "log_likelihood",
            "mean log-likelihood per row",
            _CLUSTERS,
            "fit",
            higher_is_better=True,
            best=0.0,
            span=None,
            labels=False,
            lacks="the model is no mixture with a density; use inertia for a model with centres, "
            "or silhouette in validation",
        ),
        Metric(
            "silhouette",
            "silhouette",
            _CLUSTERS,
            "distances",
            higher_is_better=True,
            span=2.0,
            labels=False,
            traffic=False,
        ),
        Metric(
            "cluster_agreement",
            "agreement with the champion up to relabeling (adjusted Rand index)",
            _CLUSTERS,
            "table",
            higher_is_better=True,
            labels=False,
            differs=True,
            compares=False,
        ),
        Metric(
            "adjusted_rand",
            "adjusted Rand index with the labels",
            _CLUSTERS,
            "table",
            higher_is_better=True,
        ),
        Metric(
            "adjusted_mutual_info",
            "adjusted mutual information with the labels",
            _CLUSTERS,
            "table",
            higher_is_better=True,
            traffic=False,
        ),
    )
}


def metric(name: object, *, field: str = "metric") -> Metric:
    """The measure of that name. Raises :class:`InvalidInput` with the names that exist."""
    definition = METRICS.get(name) if isinstance(name, str) else None
    if definition is None:
        raise InvalidInput(
            f"{field} {name!r:.80} is not known; use one of: {', '.join(METRICS)}", field=field
        )
    return definition
