"""Consent to what cannot be undone: given at a terminal, or by ``--yes``; never by silence."""

from __future__ import annotations

import sys

import typer


def require_consent(question: str, *, yes: bool) -> None:
    """Return if the caller has consented. Raises Abort for a person who declines, and a usage
    error where there is no terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            f"there is no terminal to ask at: {question} If you mean it, say --yes. "
            "Nothing was changed"
        )
    typer.confirm(question, abort=True, err=True)
