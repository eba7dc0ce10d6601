"""Errors at the command line: one or two plain sentences on standard error, and the exit code."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from model_lifecycle.registry.domain.errors import RegistryError
from model_lifecycle.registry.settings import PREFIX

from .exit_codes import ExitCode, exit_code
from .logging import own_warnings
from .output import printable


class LifecycleGroup(TyperGroup):
    """Runs a command line to its exit code; no error leaves it as a traceback."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        given = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in given
        with own_warnings(as_json):
            try:
                code = super().main(given, prog_name, complete_var, standalone_mode=False, **extra)
            except Exception as error:
                code = report(error, as_json)
        sys.exit(int(code or ExitCode.DONE))


def report(error: Exception, as_json: bool) -> int:
    """Say what went wrong on standard error; returns the exit code."""
    code, problem = _problem(error)
    hint = " ".join(getattr(error, "__notes__", ()))
    if as_json:
        document = {**problem, **({"hint": hint} if hint else {})}
        sys.stderr.write(json.dumps(document) + "\n")
    elif problem["message"]:
        sys.stderr.write(f"error: {printable(problem['message'])}\n")
        if hint:
            sys.stderr.write(f"{hint}\n")
    return code


def _problem(error: Exception) -> tuple[int, dict[str, Any]]:
    if isinstance(error, RegistryError):
        problem = {
            "code": error.code,
            "message": str(error),
            **error.details(),
            "retryable": error.retryable,
        }
        return exit_code(error), problem
    if isinstance(error, typer.TyperException):
        return ExitCode.BAD_INPUT, {"code": "usage", "message": _usage(error)}
    if isinstance(error, typer.Abort):
        return ExitCode.UNEXPECTED, {"code": "aborted", "message": "nothing was changed"}
    if os.environ.get(f"{PREFIX}TRACEBACK"):
        traceback.print_exception(error)
    # Its text may hold addresses and SQL, perhaps with credentials.
    message = (
        f"unexpected {type(error).__name__}, a mistake in this program. "
        f"Set {PREFIX}TRACEBACK=1 to see where it comes from."
    )
    return ExitCode.UNEXPECTED, {"code": "unexpected", "message": message}


def _usage(error: typer.TyperException) -> str:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if not message or context is None:
        return message
    return f"{message.rstrip('.')}. See `{context.command_path} --help`."
