from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from model_lifecycle.gates.formatting import amount, count, interval
from model_lifecycle.gates.rendering.html import report_page
from model_lifecycle.gates.rendering.plots import pictures
from model_lifecycle.gates.report import Check, GateReport, MetricRow
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.stages import Gate


def _report(**values: Any) -> GateReport:
    return GateReport(
        **{
            "gate": Gate.SHADOW,
            "verdict": Verdict.INVALID,
            "sentence": "Not judged",
            "tenant_id": "acme",
            "model_id": "churn",
            "version": 2,
            "baseline": 1,
            "bundle_digest": "sha256:0",
            "policy": {"block": "day"},
            "policy_fingerprint": "sha256:1",
            "evidence_id": "e1",
            **values,
        }
    )


def test_nothing_is_markup() -> None:
    """Texts of data and policies are shown as text, never as markup."""
    bad = "<script>alert('x')</script>"
    page = report_page(
        _report(
            sentence=bad,
            checks=(Check(bad, False, bad),),
            metrics=(
                MetricRow(
                    "brier", "Brier", "slice", Verdict.FAIL, bad, slice_column="c", slice_value=bad
                ),
            ),
            reproduction={"data": bad},
        )
    )

    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 5


@pytest.mark.parametrize("verdict", [Verdict.INVALID, Verdict.INCONCLUSIVE])
@pytest.mark.parametrize("row", [Verdict.PASS, Verdict.FAIL])
def test_no_verdict_stands_on_a_page_without_one(verdict: Verdict, row: Verdict) -> None:
    """Neither a badge nor a picture says PASS or FAIL where the report says neither."""
    metrics = (MetricRow("brier", "Brier score", "comparison", row, "better", threshold=-0.01),)
    detail = {"looks": [_looks(verdict=row.value)]}
    page = report_page(_report(verdict=verdict, metrics=metrics, detail=detail))
    images = [
        base64.b64decode(source).decode()
        for source in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page)
    ]

    assert re.findall(r'<span class="badge (\w+)">', page) == [verdict.value.lower(), "neutral"]
    assert "<!-- line reached -->" in images[0]
    assert not any(f"<!-- {row} -->" in image for image in images)


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL])
def test_requirements_have_verdicts_where_the_report_has_one(verdict: Verdict) -> None:
    """Each with its own badge."""
    metrics = (MetricRow("brier", "Brier score", "comparison", verdict, "as it is"),)
    page = report_page(_report(verdict=verdict, metrics=metrics))

    assert re.findall(r'<span class="badge (\w+)">', page) == [verdict.value.lower()] * 2


def test_long_names_of_blocks_do_not_touch() -> None:
    """Hours have longer names than days, so fewer of them stand below the picture."""
    points = [{**_looks()["points"][0], "block": f"2024-03-{i:02} 05:00"} for i in range(1, 29)]
    days = [{**point, "block": point["block"][:10]} for point in points]
    (hourly,), (daily,) = (_drawn({"looks": [_looks(points=item)]}) for item in (points, days))

    hours = set(re.findall(r"<!-- (2024-03-\d\d 05:00) -->", hourly))

    assert 2 <= len(hours) <= 5
    assert len(hours) < len(set(re.findall(r"<!-- (2024-03-\d\d) -->", daily))) <= 8


def test_empty_report() -> None:
    """A report without numbers is a page all the same."""
    page = report_page(_report())

    assert "Not judged" in page
    assert "<img" not in page


def _looks(**values: Any) -> dict[str, Any]:
    return {
        "title": "Brier score",
        "comparative": True,
        "threshold": -0.01,
        "passes": "above",
        "verdict": "PASS",
        "decided_at": 2,
        "points": [
            {
                "block": f"b{i}",
                "blocks": i,
                "requests": i,
                "own": 0.1,
                "own_requests": 1,
                "mean": 0.1,
                "lower": 0.0,
                "upper": 0.2,
            }
            for i in range(1, 9)
        ],
        **values,
    }


def _drawn(detail: dict[str, Any]) -> list[str]:
    """The pictures as SVG; each of its texts is a comment before its outlines."""
    return [
        base64.b64decode(picture.source.partition("base64,")[2]).decode()
        for picture in pictures(detail)
    ]


def test_same_report_same_page() -> None:
    """The page depends on the report alone."""
    detail = {"looks": [_looks()]}

    assert report_page(_report(detail=detail)) == report_page(_report(detail=detail))


@pytest.mark.parametrize("decided_at", [1, 4, 8])
def test_the_verdict_in_the_picture(decided_at: int) -> None:
    """It stands above the axes, where no legend covers it."""
    (svg,) = _drawn({"looks": [_looks(decided_at=decided_at)]})
    axes = svg.split('id="patch_2"')[1].split("/>")[0]
    top = min(float(y) for y in re.findall(r"L \S+ (\S+)\s", axes))
    (baseline,) = re.findall(r"<!-- PASS -->\s*<g [^>]*translate\(\S+ ([^)]+)\)", svg)

    assert 8.5 < float(baseline) < top


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ((2.4, 3.1, 4.6), ["2.4 ms", "2.8 ms", "3.2 ms", "3.6 ms", "4 ms", "4.4 ms"]),
        ((0.7, 90.0), ["1 ms", "2 ms", "5 ms", "10 ms", "20 ms", "50 ms", "100 ms"]),
        ((3.0,), ["1 ms", "2 ms", "5 ms", "10 ms"]),
    ],
)
def test_times_in_the_picture(
    times: tuple[float, float, float] | tuple[float, float] | tuple[float], expected: list[str]
) -> None:
    """Ticks of latencies are plain numbers, over less than a decade as over several."""
    curve = [[time, (index + 1) / len(times)] for index, time in enumerate(times)]
    latency = {"measured": "as served", "n": len(times), "curve": curve}

    (svg,) = _drawn({"latency": {"champion served": latency}})

    assert re.findall(r"<!-- (\S+ ms) -->", svg) == expected


def test_words_of_numbers() -> None:
    """Numbers are short, and what is not there is a dash."""
    assert [amount(x) for x in (0.03124, -0.5, 12.3456, 2e-5, 0, None, float("nan"))] == [
        *("0.0312", "−0.5", "12.35", "2e-05", "0", "–", "–")
    ]
    assert interval(None, 0.2) == "(−∞, 0.2]"
    assert count(28000) == "28 000"
