"""Arguments and options that commands share: one spelling, one help text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from model_lifecycle.registry.domain.identifiers import parse_version
from model_lifecycle.registry.domain.preconditions import ANY, ExpectedProduction

_COMMON = "Common options"

Model = Annotated[str, typer.Argument(metavar="MODEL", help="Name of the model.")]
VersionNumber = Annotated[
    int, typer.Argument(metavar="VERSION", help="Number of the version.", parser=parse_version)
]
_TENANT = typer.Option(
    "--tenant",
    envvar="MODEL_LIFECYCLE_TENANT",
    help="The tenant that owns the models.",
    rich_help_panel=_COMMON,
)
Tenant = Annotated[str, _TENANT]
#: For commands that may also serve the models of all tenants.
AnyTenant = Annotated[str | None, _TENANT]
AllTenants = Annotated[bool, typer.Option("--all", help="The models of all tenants.")]
Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="MODEL_LIFECYCLE_HOME",
        help="Folder of an embedded registry; ./.model-lifecycle by default.",
        rich_help_panel=_COMMON,
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="One JSON document instead of tables.", rich_help_panel=_COMMON),
]
Limit = Annotated[
    int, typer.Option("--limit", min=1, max=1000, help="Length of the page, 1 to 1000.")
]
Actor = Annotated[
    str | None,
    typer.Option(
        "--actor",
        help="The name that the ledger shows for this change. cli:<login name> by default.",
    ),
]
Expect = Annotated[
    str | None,
    typer.Option(
        "--expect",
        metavar="N|none",
        help="Only if this version is in production now ('none': only if there is none).",
    ),
]
WithoutVerification = Annotated[
    bool,
    typer.Option(
        "--without-verification",
        help="Move the ledger although the artifact store or MLflow does not answer; MLflow "
        "follows later. Needs a reason and the role admin.",
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the ledger.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; needed where there is no terminal.")]
OperationId = Annotated[
    str | None,
    typer.Option(
        "--operation-id",
        help="Makes the command idempotent: the same id gives the same answer and one effect.",
    ),
]


def expected_production(text: str | None) -> ExpectedProduction:
    """The value of ``--expect``: a version, ``none`` for no version, or absent.

    Raises InvalidName.
    """
    if text is None:
        return ANY
    return None if text == "none" else parse_version(text)
