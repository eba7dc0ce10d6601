"""``report``: a gate's report as a page in a file, in a browser, or as JSON."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model_lifecycle.registry.domain.artifact_paths import REPORT_HTML, REPORT_JSON
from model_lifecycle.registry.domain.errors import ArtifactNotFound, InvalidInput

from ..context import with_registry
from ..options import AsJson, Home, Model, Tenant, VersionNumber
from ..output import answer

if TYPE_CHECKING:
    from model_lifecycle.registry.domain.evidence import Evidence
    from model_lifecycle.registry.model_registry import ModelRegistry


def report(
    model: Model,
    version: VersionNumber,
    tenant: Tenant,
    evidence_id: Annotated[
        str | None,
        typer.Option(
            "--evidence", metavar="ID", help="Id of the evidence; the newest with a report if not."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="The file to write; named for the report."),
    ] = None,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the file in the browser, too.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write a gate's report to a file, which any browser opens. With --json print its numbers."""
    file = REPORT_JSON if as_json else REPORT_HTML

    async def read(registry: ModelRegistry) -> tuple[Evidence, bytes]:
        if evidence_id is None:
            item = await _newest(registry, tenant, model, version)
        else:
            item = await registry.get_evidence(tenant, model, version, evidence_id)
        return item, await registry.read_report(tenant, model, version, item.evidence_id, file)

    item, content = with_registry(home, read)
    if as_json:
        answer(as_json, json.loads(content))
        return
    target = output or Path(f"{model}-{version}-{item.gate}.html")
    _write(target, content, replace=output is not None)
    if open_browser:
        webbrowser.open(target.absolute().as_uri())
    sentence = item.summary.get("sentence", "")
    answer(as_json, {}, f"{item.gate}: {item.verdict}. {sentence}".rstrip(), f"Report: {target}")


async def _newest(registry: ModelRegistry, tenant: str, model: str, version: int) -> Evidence:
    evidence = await registry.list_evidence(tenant, model, version)
    item = next((item for item in reversed(evidence) if item.report_uri), None)
    if item is None:
        raise ArtifactNotFound(f"report about {model}/{version}")
    return item


def _write(target: Path, content: bytes, *, replace: bool) -> None:
    """Write the page; a file that was not named by the caller is never replaced by another."""
    if not replace and target.exists() and target.read_bytes() != content:
        raise InvalidInput(
            f"{target} exists with other content; name another file, or this one, with --output",
            field="output",
        )
    try:
        target.write_bytes(content)
    except OSError as error:
        raise InvalidInput(
            f"{target} cannot be written: {error.strerror}", field="output"
        ) from None
