"""YAML, SQL and JavaScript in the documentation: each block is read by what it is meant for."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from shutil import which

import pytest
from support.markdown import ROOT, Block, blocks
from support.servers.postgres import Postgres

from model_lifecycle.gates.policy.files import parse_policy
from model_lifecycle.operators.dag_factory.yaml_file import read_lifecycle

SECTIONS = ("validation:", "shadow:", "ab_test:")
#: Salt, unit, and the arms at the shares 0.5 and 0.1, from the table of test vectors.
VECTORS = re.findall(
    r"^\| (\S+) \| (\S+) \| [0-9a-f]{16} \| 0\.\d+ \| (\w+) \| (\w+) \|$",
    (ROOT / "docs/guides/ab-tests.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_yaml_is_a_lifecycle_or_a_policy(tmp_path: Path, block: Block) -> None:
    """The product's own loaders accept each YAML block; there is no other kind."""
    if block.text.startswith(SECTIONS):
        policy = parse_policy(block.text)
        assert policy.validation or policy.shadow or policy.ab_test
    else:
        file = tmp_path / "churn.yaml"
        file.write_text(block.text)
        assert read_lifecycle(file).policy is not None


@pytest.mark.parametrize("language", ["js", "sql"])
def test_there_is_an_implementation_of_the_assignment(language: str) -> None:
    """The A/B page has one in each language, and five test vectors."""
    assert [block.page for block in blocks(language)] == ["docs/guides/ab-tests.md"]
    assert len(VECTORS) == 5


@pytest.mark.skipif(which("node") is None, reason="node is not installed")
def test_javascript_assigns_as_documented() -> None:
    """The JavaScript function returns the arms of the test vectors."""
    calls = [[unit, salt, share] for salt, unit, *_ in VECTORS for share in (0.5, 0.1)]
    program = (
        f"{blocks('js')[0].text}\n"
        f"console.log(JSON.stringify({json.dumps(calls)}.map((call) => arm(...call))));"
    )

    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == [arm for *_, half, tenth in VECTORS for arm in (half, tenth)]


@pytest.mark.postgres
async def test_sql_assigns_as_documented(postgres_server: Postgres) -> None:
    """The query returns the arms of the test vectors at the share 0.1."""
    import asyncpg

    statement = blocks("sql")[0].text
    connection = await asyncpg.connect(postgres_server.url("asyncpg").replace("+asyncpg", ""))
    try:
        for salt, unit, _, tenth in VECTORS:
            query = statement.replace("'spring:' || unit", "$1::text || ':' || $2::text")
            challenger = await connection.fetchval(query, salt, unit)
            assert challenger is (tenth == "challenger"), (salt, unit)
    finally:
        await connection.close()
