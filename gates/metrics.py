"""The measures a gate can judge by: one table. Standard library only; the formulas are in losses.

Every measure is a mean over requests, so that it can be judged from sums. Measures that are not
(area under the ROC curve) are shown in reports, and never decide. Some need no labels: they say how
the two models differ, or how often a model gave no answer; only traffic is judged by these.
"""

from __future__ import annotations

from dataclasses import dataclass

from model_lifecycle.registry.rules.errors import InvalidInput
from model_lifecycle.registry.rules.metadata import ModelType

CLASSIFICATION = ModelType.CLASSIFICATION.value
REGRESSION = ModelType.REGRESSION.value

#: Scores are kept this far from 0 and 1, so that the log loss of one request is bounded.
LOG_LOSS_CLIP = 1e-6
#: -ln(1e-6), the largest log loss of one request.
LOG_LOSS_RANGE = 13.815510557964274


@dataclass(frozen=True)
class Metric:
    """One measure. ``uses`` says what it needs of a model: its ``score`` (probability of the
    positive class) or its ``prediction``. ``span`` is the largest loss of one request, None where
    there is none. ``binary``: each request counts 0 or 1. ``labels``: it needs the truth.
    ``differs``: it is about how two models differ. ``model_type`` is empty where any will do."""

    name: str
    title: str
    model_type: str
    uses: str
    higher_is_better: bool = False
    span: float | None = 1.0
    binary: bool = False
    labels: bool = True
    differs: bool = False

    def fits(self, model_type: str) -> bool:
        """Whether models of this type can be judged by it."""
        return self.model_type in ("", model_type)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("brier", "Brier score", CLASSIFICATION, "score"),
        Metric("log_loss", "log loss", CLASSIFICATION, "score", span=LOG_LOSS_RANGE),
        Metric(
            "accuracy", "accuracy", CLASSIFICATION, "prediction", higher_is_better=True, binary=True
        ),
        Metric("zero_one", "error rate", CLASSIFICATION, "prediction", binary=True),
        Metric("absolute_error", "mean absolute error", REGRESSION, "prediction", span=None),
        Metric("squared_error", "mean squared error", REGRESSION, "prediction", span=None),
        Metric(
            "agreement",
            "agreement with the champion",
            "",
            "prediction",
            higher_is_better=True,
            binary=True,
            labels=False,
            differs=True,
        ),
        Metric(
            "score_shift",
            "mean change of the score",
            CLASSIFICATION,
            "score",
            labels=False,
            differs=True,
        ),
        Metric(
            "errors", "share of requests without answer", "", "answer", binary=True, labels=False
        ),
    )
}


def metric(name: object, *, field: str = "metric") -> Metric:
    """The measure of that name. Raises :class:`InvalidInput`, naming those there are."""
    found = METRICS.get(name) if isinstance(name, str) else None
    if found is None:
        raise InvalidInput(
            f"{field} {name!r:.80} is not known; use one of: {', '.join(METRICS)}", field=field
        )
    return found
