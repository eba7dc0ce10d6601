"""Every policy in the README and the documentation promotes a version that is clearly better."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.model_fixture import ModelFixture

from model_lifecycle.gates.evaluation.shadow_test import shadow_test_version
from model_lifecycle.gates.evaluation.validation import validate_version
from model_lifecycle.gates.policy import promotion
from model_lifecycle.gates.policy.files import complete_policy
from model_lifecycle.gates.policy.strict_yaml import read_yaml
from model_lifecycle.gates.report import GateReport
from model_lifecycle.registry.domain.evidence import Verdict
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy

ROOT = Path(__file__).parents[3]
DAYS = 21


def _blocks(file: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / file).read_text(), flags=re.DOTALL)


def _documented() -> Iterator[Any]:
    """Each policy by its place: calls of promotion_policy in Python, documents in YAML."""
    for file in ("README.md", "docs/guides/gates.md", "docs/guides/airflow.md"):
        for block in _blocks(file, "python"):
            for node in ast.walk(ast.parse(block)) if "promotion_policy(" in block else ():
                if (
                    isinstance(node, ast.Call)
                    and getattr(node.func, "id", "") == "promotion_policy"
                ):
                    code = compile(ast.Expression(node), file, "eval")
                    yield pytest.param(eval(code, dict(vars(promotion))), id=f"{file}, Python")
        for block in _blocks(file, "yaml"):
            if "comparisons:" in block:
                document = read_yaml(block).value
                yield pytest.param(
                    complete_policy(document.get("policy", document)), id=f"{file}, YAML"
                )


DOCUMENTED = list(_documented())


def test_there_are_documented_policies() -> None:
    """The README's, and those of both pages."""
    assert {param.id.split(",")[0] for param in DOCUMENTED} == {
        "README.md",
        "docs/guides/gates.md",
        "docs/guides/airflow.md",
    }


@pytest.mark.parametrize("policy", DOCUMENTED)
async def test_a_better_version_passes(
    world: ModelFixture,
    make_requests: Callable[..., pd.DataFrame],
    start: str,
    policy: PromotionPolicy,
) -> None:
    """Both gates say PASS for a version that is clearly better than the champion, and for a first
    version that is good."""
    await world.register("weak")
    await world.registry.set_policy(world.tenant, world.model, policy, actor="tests")
    label = policy.validation["label"]
    held_out = world.held_out(make_requests(3000, 7).rename(columns={"label": label}))

    async def gates(version: int, end: str) -> tuple[GateReport, GateReport]:
        where = (world.registry, world.tenant, world.model, version)
        return (
            await validate_version(*where, data=held_out, actor="tests"),
            await shadow_test_version(*where, start=start, end=end, actor="tests"),
        )

    def country(log: pd.DataFrame) -> pd.DataFrame:
        return log.assign(country=["at" if row % 2 else "fr" for row in range(len(log))])

    good = await world.register("good")
    end = await world.serve(1, hours=24 * DAYS, rows=60, step=6, change=country)
    first = await gates(good, end)
    await world.promote(1)
    second = await gates(good, end)

    for report in (*first, *second):
        assert report.verdict is Verdict.PASS, report.sentence
