"""``recompute``: whether a gate's report says what its own numbers show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote, urlsplit

import typer

from model_lifecycle.registry.domain.errors import InvalidInput

from ..context import with_registry
from ..exit_codes import ExitCode
from ..options import AsJson, Home
from ..output import answer, line

if TYPE_CHECKING:
    from model_lifecycle.registry.model_registry import ModelRegistry


def recompute(
    report: Annotated[
        str, typer.Argument(metavar="REPORT", help="report.json, its folder, or its address.")
    ],
    traffic: Annotated[
        bool,
        typer.Option("--traffic/--no-traffic", help="Compare the traffic's digests, too."),
    ] = True,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Recompute a gate's verdict from its report, and compare the two.

    With the registry at hand, the digests of the traffic that was judged are compared as well;
    without it, --no-traffic works on a copy of the report alone. Exit code 8 when it disagrees.
    """
    local = _local(report)
    if not traffic and local is not None:
        document = _read(local.read_bytes())
        read, stated, problems = 0, 0, list[str]()
    else:
        document, read, stated, problems = with_registry(
            home, lambda stored: _with(stored, report, _content(local))
        )
    from model_lifecycle.gates.evaluation.recompute import recompute as again

    result = again(document)
    differences = [*result.differences, *problems]
    agrees = not differences
    answer(
        as_json,
        {
            **result.document(),
            "agrees": agrees,
            "differences": differences,
            "digests_read": read,
            "digests_stated": stated,
        },
        line(result.sentence),
        line(
            f"{'Agrees' if agrees else 'Does not agree'}: the report says {result.recorded}, its "
            f"numbers say {result.verdict}. {read} of {stated} partitions could be read again.",
            "bold green" if agrees else "bold red",
        ),
        *(line(difference, "red") for difference in differences),
    )
    if not agrees:
        raise typer.Exit(ExitCode.DAMAGE)


async def _with(
    registry: ModelRegistry, report: str, content: bytes | None
) -> tuple[dict[str, Any], int, int, list[str]]:
    from model_lifecycle.gates.evaluation.recompute import compare_digests

    store = registry.artifacts
    if content is None:
        path = store.path_of(report)
        if path is None:
            raise InvalidInput(
                f"{report!r:.200} is neither a file here nor an address below the artifact root",
                field="report",
            )
        path = path.rstrip("/")
        name = path if path.endswith(".json") else f"{path}/report.json"
        content = await store.get_bytes(name)
    document = _read(content)
    return document, *await compare_digests(store, document)


def _local(report: str) -> Path | None:
    parts = urlsplit(report)
    if parts.scheme not in ("", "file"):
        return None
    path = Path(unquote(parts.path) if parts.scheme else report)
    path = path / "report.json" if path.is_dir() else path
    return path if path.is_file() else None


def _content(local: Path | None) -> bytes | None:
    return None if local is None else local.read_bytes()


def _read(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "reproduction" not in document:
        raise InvalidInput("this is no report of a gate: report.json is", field="report")
    return document
