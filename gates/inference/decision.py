"""How bounds become a verdict, and how several become one.

PASS and FAIL reject complementary hypotheses, so both cannot be true and neither needs a split
error rate. PASS needs all demands (an intersection-union test: no correction); FAIL is any of
m demands, each tested at alpha / m. What cannot be computed never counts as proven.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from model_lifecycle.registry.domain.evidence import Verdict

from ..formatting import plural
from ..report import DEMANDS, Check, MetricRow


def from_bounds(lower: float, upper: float, threshold: float) -> Verdict:
    """PASS when the whole interval lies above ``threshold``, FAIL when it lies below.

    A bound may be infinite; NaN in any of the three is INVALID.
    """
    if math.isnan(lower) or math.isnan(upper) or math.isnan(threshold):
        return Verdict.INVALID
    if lower > threshold:
        return Verdict.PASS
    return Verdict.FAIL if upper < threshold else Verdict.INCONCLUSIVE


def latch(verdicts: Iterable[Verdict]) -> tuple[Verdict, int | None]:
    """The verdict after a sequence of looks, and the index of the look at which it fell.

    A verdict that one look reached stays. Should a later look show the opposite of an earlier
    PASS, the difference is not stable and the verdict is FAIL: that keeps both error rates, and a
    drifting candidate out.
    """
    fallen: tuple[Verdict, int | None] = (Verdict.INCONCLUSIVE, None)
    for look, verdict in enumerate(verdicts):
        if verdict is Verdict.FAIL:
            return verdict, look
        if verdict is Verdict.PASS and fallen[1] is None:
            fallen = (verdict, look)
    return fallen


def standing(verdict: Verdict, estimate: float, threshold: float) -> Verdict:
    """A verdict that an earlier look reached, after the last one: where the ``estimate`` from all
    data lies on the other side of ``threshold`` by now, neither PASS nor FAIL stands, and the
    verdict is INCONCLUSIVE. So no report shows an estimate that contradicts its verdict."""
    if verdict is Verdict.PASS and not estimate > threshold:
        return Verdict.INCONCLUSIVE
    if verdict is Verdict.FAIL and not estimate < threshold:
        return Verdict.INCONCLUSIVE
    return verdict


def combine(rows: Sequence[MetricRow], checks: Sequence[Check]) -> Verdict:
    """The gate's verdict. INVALID comes first: a model is not blamed for unusable data. A failed
    check whose ``otherwise`` is INCONCLUSIVE keeps the gate from PASS."""
    verdicts = {check.otherwise for check in checks if not check.ok}
    verdicts |= {row.verdict for row in rows if row.verdict in (Verdict.FAIL, Verdict.INVALID)}
    for verdict in (Verdict.INVALID, Verdict.FAIL):
        if verdict in verdicts:
            return verdict
    demands = [row for row in rows if row.kind in DEMANDS]
    if Verdict.INCONCLUSIVE in verdicts:
        return Verdict.INCONCLUSIVE
    if demands and all(row.verdict is Verdict.PASS for row in demands):
        return Verdict.PASS
    return Verdict.INCONCLUSIVE


def deciding_sentence(
    verdict: Verdict, rows: tuple[MetricRow, ...], checks: tuple[Check, ...]
) -> str:
    """The gate's verdict with the numbers that decided."""
    problems = [check.message for check in checks if not check.ok and check.otherwise is verdict]
    sentences = [row.sentence for row in rows if row.verdict is verdict]
    if verdict is Verdict.INVALID:
        return f"Not judged: {'; '.join(problems or sentences)}: INVALID"
    if verdict is Verdict.FAIL and problems:
        return f"{'; '.join(problems)}: FAIL"
    demands = [row.sentence for row in rows if row.kind in DEMANDS and row.verdict is verdict]
    if verdict is Verdict.INCONCLUSIVE:
        over = [check.message for check in checks if check.name == "duration" and not check.ok]
        unjudged = [f"{message}: INCONCLUSIVE" for message in problems]
        reasons = (demands or unjudged or sentences or ["nothing was judged"])[:1]
        return "; ".join([*reasons, *over])
    chosen = (demands or sentences or ["nothing was judged"])[0]
    others = len(demands) - 1
    if verdict is Verdict.PASS and others > 0:
        return f"{chosen}; {others} further {plural('demand', others)} met"
    if verdict is Verdict.FAIL and len(sentences) > 1:
        return (
            f"{chosen}; {len(sentences) - 1} further {plural('demand', len(sentences) - 1)} broken"
        )
    return chosen
