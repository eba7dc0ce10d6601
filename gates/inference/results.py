"""Results of testing one hypothesis: its numbers, and the report's row and sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass

from model_lifecycle.registry.domain.evidence import Verdict

from ..formatting import amount, count, interval, plural
from ..policy.hypotheses import Hypothesis
from ..report import MetricRow


@dataclass(frozen=True)
class TestResult:
    """The estimate of the mean of a hypothesis's x, in x's orientation (larger is better).

    ``units`` of kind ``unit`` (row, hour, day, cluster) were counted as independent; ``things``
    names the rows (rows, requests). ``equal_weights`` says that the estimate is a mean of units,
    not of rows. ``decided_at`` is the unit at which the verdict was reached; where the last of
    ``all_units`` units does not show it alone, the numbers are those of ``decided_at``, and
    ``all_estimate`` is the estimate in the end. ``forecast`` is how many units a verdict would
    take. ``unstable`` means that an earlier look reached another verdict. ``too_little`` is why
    no verdict may be reached yet.
    """

    hypothesis: Hypothesis
    verdict: Verdict
    estimate: float
    lower: float
    upper: float
    p_pass: float
    p_fail: float
    rows: int
    units: int
    unit: str
    things: str
    equal_weights: bool = False
    decided_at: int | None = None
    all_units: int = 0
    all_estimate: float = math.nan
    forecast: int | None = None
    unstable: bool = False
    too_little: str = ""

    def row(
        self, champion: float | None, challenger: float | None, slice_value: str | None = None
    ) -> MetricRow:
        """The finding as a person reads it. ``champion`` and ``challenger`` are each model's
        mean loss."""
        hypothesis = self.hypothesis
        bounds = [hypothesis.to_display(self.lower), hypothesis.to_display(self.upper)]
        return MetricRow(
            name=hypothesis.metric.name,
            title=hypothesis.metric.title,
            kind=hypothesis.kind,
            verdict=self.verdict,
            sentence=self.sentence(slice_value),
            estimate=hypothesis.to_display(self.estimate),
            lower=min(bounds),
            upper=max(bounds),
            threshold=hypothesis.to_display(hypothesis.threshold),
            passes="above" if hypothesis.scale > 0 else "below",
            champion=_measure(hypothesis, champion),
            challenger=_measure(hypothesis, challenger),
            p_pass=self.p_pass,
            p_fail=self.p_fail,
            rows=self.rows,
            units=self.units,
            slice_column=hypothesis.column,
            slice_value=slice_value,
            decided_at=self.decided_at,
            forecast=self.forecast,
            too_little=self.too_little if self.verdict is Verdict.INCONCLUSIVE else "",
        )

    def sentence(self, slice_value: str | None = None) -> str:
        """The finding in one sentence, with its verdict."""
        where = ""
        if slice_value is not None:
            column = self.hypothesis.column
            where = (
                f" (cluster {slice_value})"
                if column is None
                else f" where {column} is {slice_value}"
            )
        text = f"{self._what()}{where} {self._basis()}; {self._demand()}: {self.verdict}"
        if self.unstable:
            earlier = (
                "the opposite"
                if self.verdict is Verdict.FAIL
                else "a verdict that the later data contradict"
            )
            text += f"; an earlier look reached {earlier}, so the difference is not stable"
        elif self.verdict is Verdict.INCONCLUSIVE and self.too_little:
            return f"No verdict ({self.too_little}): {text}"
        elif self.verdict is Verdict.INCONCLUSIVE:
            return text + self._what_it_would_take()
        if self.decided_at is None or self.unstable:
            return text
        if self.units < self.all_units:
            after_all = amount(self.hypothesis.to_display(self.all_estimate))
            return (
                f"{text} at {self.unit} {self.decided_at}; after all {count(self.all_units)} it is "
                f"{after_all}, which does not change the verdict"
            )
        if self.decided_at < self.units:
            return f"{text} at {self.unit} {self.decided_at} of {self.units}"
        return text

    def _what(self) -> str:
        hypothesis, title = self.hypothesis, self.hypothesis.metric.title
        title = title[0].upper() + title[1:]
        if math.isnan(self.estimate):
            return f"{title} could not be computed"
        interval_text = interval(
            hypothesis.to_display(self.lower), hypothesis.to_display(self.upper)
        )
        if not hypothesis.comparative:
            return f"{title} is {amount(hypothesis.to_display(self.estimate))} {interval_text}"
        if self.estimate >= 0:
            return f"{title} improved by {amount(self.estimate)} {interval_text}"
        return (
            f"{title} worsened by {amount(-self.estimate)} (improvement "
            f"{amount(self.estimate)} {interval_text})"
        )

    def _basis(self) -> str:
        things = f"{count(self.rows)} {self.things}"
        if self.unit in ("row", "request"):
            different = f", {count(self.units)} of them different" if self.units < self.rows else ""
            return f"over {things}{different}"
        units = f"{count(self.units)} {plural(self.unit, self.units)}"
        if self.equal_weights:
            return f"over {units} of equal weight with {things}"
        return f"over {things} {'of' if self.unit == 'cluster' else 'in'} {units}"

    def _demand(self) -> str:
        """The demand, and with a verdict which side of it the hypothesis is shown to be on."""
        hypothesis = self.hypothesis
        if not hypothesis.comparative:
            side = "above" if hypothesis.scale > 0 else "below"
            return f"must be {side} {amount(hypothesis.configured_threshold)}"
        if not hypothesis.configured_threshold:
            return "must be better than the champion"
        if self.verdict is Verdict.PASS:
            return f"within the margin of {amount(hypothesis.configured_threshold)}"
        if self.verdict is Verdict.FAIL:
            return f"beyond the margin of {amount(hypothesis.configured_threshold)}"
        return f"margin {amount(hypothesis.configured_threshold)}"

    def _what_it_would_take(self) -> str:
        if self.forecast is None:
            return " (too close to the threshold to say how much more it would take)"
        return (
            f" (if it goes on like this, a verdict takes about {count(self.forecast)} "
            f"{plural(self.unit, self.forecast)} in all)"
        )


def _measure(hypothesis: Hypothesis, loss: float | None) -> float | None:
    if loss is None:
        return None
    return hypothesis.metric.measure(loss)
