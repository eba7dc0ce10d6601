"""Standard output of a command: one JSON document, or text and tables for people."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

#: Columns to write where there is no terminal to ask, as in a pipe or a log.
_WITHOUT_TERMINAL = 140


def answer(as_json: bool, document: Any, *for_people: RenderableType) -> None:
    """Write ``document`` as JSON, or else what is meant for people."""
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
        return
    if sys.stdout.isatty():
        _print(Console(highlight=False), for_people)
        return
    page = io.StringIO()
    width = None if "COLUMNS" in os.environ else _WITHOUT_TERMINAL
    _print(Console(file=page, width=width, highlight=False), for_people)
    sys.stdout.writelines(f"{text.rstrip()}\n" for text in page.getvalue().splitlines())


def _print(console: Console, items: Iterable[RenderableType]) -> None:
    for item in items:
        console.print(line(item) if isinstance(item, str) else item)


def line(value: object, style: str = "") -> Text:
    """``value`` as text that cannot steer the terminal: names and reasons are other people's."""
    return Text(printable(str(value)), style=style, overflow="fold")


def printable(text: str) -> str:
    """``text`` with what is neither printable nor a line break shown as '�'."""
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in text)
