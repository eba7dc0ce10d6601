"""Numbers and intervals in words, the same in sentences, tables and plots."""

from __future__ import annotations

import math

from model_lifecycle.registry.domain.evidence import Verdict

from .report import DEMANDS, Check, MetricRow


def amount(value: float | None) -> str:
    """A number with about four digits that matter; a dash for none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    digits = 4 if abs(value) < 1 else 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
    text = f"{value:.{digits}f}" if abs(value) >= 0.001 else f"{value:.2g}"
    if "." in text and "e" not in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", "−") if "e" not in text else text


def interval(lower: float | None, upper: float | None) -> str:
    """``[lower, upper]``; an end that does not exist is infinite and open."""
    low, high = (
        -math.inf if lower is None else min(lower, upper if upper is not None else lower),
        math.inf if upper is None else max(upper, lower if lower is not None else upper),
    )
    return (
        f"{'(' if math.isinf(low) else '['}{amount(low)}, "
        f"{amount(high)}{')' if math.isinf(high) else ']'}"
    )


def count(number: int) -> str:
    """A count with thin spaces between thousands."""
    return f"{number:,}".replace(",", " ")


def plural(noun: str, number: int) -> str:
    return noun if number == 1 else f"{noun}s"


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
