"""``export-proof`` and ``verify-proof``: a version's record for readers outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model_lifecycle.registry.domain.errors import InvalidInput

from ..context import with_registry
from ..options import AsJson, Home, Model, Tenant, VersionNumber
from ..output import answer

if TYPE_CHECKING:
    from model_lifecycle.registry.attestation.proof_check import CheckedProof

_Since = Annotated[
    Path | None,
    typer.Option(
        "--since", metavar="FILE", help="An earlier proof, with which the ledger has to begin."
    ),
]


def export_proof(
    model: Model,
    version: VersionNumber,
    tenant: Tenant,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="The file to write."),
    ] = None,
    since: _Since = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write the signed record of a version to a file, and a summary of it as a page beside it.

    The file holds the model's entries, the evidence, the policy and a head of the ledger, signed
    with MODEL_LIFECYCLE_LEDGER_KEY. `verify-proof` checks it without the registry.
    """
    from model_lifecycle.gates.rendering.proof_page import proof_page
    from model_lifecycle.registry import verify_proof

    earlier = None if since is None else _read_json(since)
    size = None if earlier is None else verify_proof(earlier).tree_size
    proof = with_registry(
        home, lambda registry: registry.export_proof(tenant, model, version, since=size)
    )
    checked = verify_proof(proof, earlier=earlier)
    target = output or Path(f"{model}-{version}-proof.json")
    page = target.with_suffix(".html")
    _write(target, json.dumps(proof, indent=1, allow_nan=False) + "\n")
    _write(page, proof_page(checked, file_name=target.name))
    document = {"file": str(target), "page": str(page), **checked.document()}
    answer(as_json, document, f"Proof: {target}", f"Summary: {page}", *_facts(checked))


def verify_proof(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file from `export-proof`.")],
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE", help="The registry's public key as PEM, from its operators."
        ),
    ] = None,
    since: _Since = None,
    as_json: AsJson = False,
) -> None:
    """Check a proof without the registry: no database, no MLflow, no settings.

    Without --key only that the file agrees with the key that it names itself. Exit code 8, and
    every part that does not hold, where it does not.
    """
    from model_lifecycle.registry import verify_proof as verify

    checked = verify(
        _read_json(file),
        trusted_key=None if key is None else _read(key),
        earlier=None if since is None else _read_json(since),
    )
    version = checked.content.version
    answer(
        as_json,
        checked.document(),
        f"The proof holds: {version.tenant_id}/{version.model_id}/{version.version} is in "
        f"{version.stage}.",
        *_facts(checked),
    )


def _facts(checked: CheckedProof) -> list[str]:
    content = checked.content
    trust = (
        "the key that you named"
        if checked.is_key_trusted
        else "the key that the file names: compare it with the one that the operators gave you"
    )
    return [
        f"{len(content.entries)} entries and {len(content.evidence)} pieces of evidence, in a tree "
        f"of {checked.tree_size} entries.",
        f"Signed {checked.signed_at} with {checked.key_id}, {trust}.",
    ]


def _read_json(file: Path) -> Any:
    try:
        return json.loads(_read(file))
    except (ValueError, RecursionError):
        raise InvalidInput(
            f"{file} is no JSON; name a file from `export-proof`", field="file"
        ) from None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise InvalidInput(f"{file} cannot be read: {why}", field="file") from None


def _write(target: Path, text: str) -> None:
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInput(
            f"{target} cannot be written: {error.strerror}", field="output"
        ) from None
