"""The command line's entry point: which commands there are, and how they are grouped in help."""

from __future__ import annotations

import io
import os
import sys
import threading
from typing import Annotated

import typer

from .commands import (
    catalog,
    history,
    maintenance,
    policy,
    proofs,
    recompute,
    report,
    serve,
    transitions,
    verify,
)
from .commands.keys import keys
from .errors import LifecycleGroup
from .exit_codes import legend
from .logging import hush_libraries

_EPILOG = f"""\b
Exit codes:
{legend()}

Where the registry is, and the rest of its settings, comes from MODEL_LIFECYCLE_* in the
environment: HOME, DATABASE_URL, TRACKING_URI, ARTIFACT_ROOT, and others; TENANT and ROLES too."""

app = typer.Typer(
    cls=LifecycleGroup,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
database = typer.Typer(no_args_is_help=True, help="The ledger's database.")
registry = typer.Typer(no_args_is_help=True, help="The stores that belong to the ledger.")

_INSPECT, _CHANGE, _MAINTENANCE = "Inspect", "Change", "Maintenance"
app.command(rich_help_panel=_INSPECT)(catalog.models)
app.command(rich_help_panel=_INSPECT)(catalog.show)
app.command(rich_help_panel=_INSPECT)(history.history)
app.command(rich_help_panel=_INSPECT)(history.production)
app.command(rich_help_panel=_INSPECT)(catalog.evidence)
app.command(rich_help_panel=_INSPECT)(report.report)
app.command(rich_help_panel=_INSPECT)(policy.readiness)
app.command(rich_help_panel=_CHANGE)(transitions.promote)
app.command(rich_help_panel=_CHANGE)(transitions.rollback)
app.command(rich_help_panel=_CHANGE)(transitions.retire)
app.command(rich_help_panel=_CHANGE)(transitions.delete)
app.command(rich_help_panel=_CHANGE)(transitions.erase)
app.command(rich_help_panel=_CHANGE)(policy.policy)
app.command(rich_help_panel=_MAINTENANCE)(verify.verify)
app.command(rich_help_panel=_MAINTENANCE)(recompute.recompute)
app.command(rich_help_panel=_MAINTENANCE)(proofs.export_proof)
app.command(rich_help_panel=_MAINTENANCE)(proofs.verify_proof)
app.command(rich_help_panel=_MAINTENANCE)(maintenance.reconcile)
app.command(rich_help_panel=_MAINTENANCE)(maintenance.prune)
app.add_typer(database, name="db", rich_help_panel=_MAINTENANCE)
app.add_typer(registry, name="registry", rich_help_panel=_MAINTENANCE)
app.add_typer(keys, name="keys", rich_help_panel=_MAINTENANCE)
app.command(rich_help_panel=_MAINTENANCE)(serve.serve)
database.command("upgrade")(maintenance.upgrade)
registry.command("move")(maintenance.move)


def _print_version(requested: bool) -> None:
    if requested:
        from model_lifecycle import __version__

        typer.echo(f"model-lifecycle {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """The life of machine-learning models: what is in production, why, and how to undo it."""


def main() -> None:
    """Run the command line of this process, and end it with an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that has no '→' must not turn an answer into an error.
            stream.reconfigure(errors="replace")
    hush_libraries()
    try:
        app(prog_name="model-lifecycle")
    finally:
        _leave_waiting_threads()


def _leave_waiting_threads() -> None:
    """End the process although threads still wait for a store that does not answer: they end with
    their sockets, minutes later, and nobody needs what they get."""
    waiting = [item for item in threading.enumerate() if item is not threading.main_thread()]
    error = sys.exception()
    code = error.code if isinstance(error, SystemExit) else 0 if error is None else error
    if all(item.daemon for item in waiting) or not isinstance(code, int):
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
