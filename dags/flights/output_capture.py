"""Everything a process prints goes to a file, but for what is said on purpose."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO


def _nobody(line: str) -> None:
    """Hear nothing."""


@dataclass
class Quiet:
    """``out`` is the real standard output. ``overhear``, when set, is called with each line that
    went to the file, from a thread of its own."""

    out: TextIO
    overhear: Callable[[str], None] = _nobody


@contextmanager
def quiet(log: Path) -> Iterator[Quiet]:
    """Send standard output and error to ``log`` instead, by file descriptor: that catches native
    code, and loggers that keep the streams they found."""
    sys.stdout.flush()
    sys.stderr.flush()
    originals = [os.dup(1), os.dup(2)]
    source, sink = os.pipe()
    for descriptor in (1, 2):
        os.dup2(sink, descriptor)
    os.close(sink)
    _by_line(sys.stdout)
    try:
        with os.fdopen(os.dup(originals[0]), "w", encoding="utf-8") as out:
            quieted = Quiet(out)
            reader = threading.Thread(target=_copy, args=(source, log, quieted), daemon=True)
            reader.start()
            yield quieted
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, original in enumerate(originals, start=1):
            os.dup2(original, descriptor)
            os.close(original)
        # A process that was left behind may still hold the pipe: the log is not worth a wait.
        reader.join(timeout=2)


def _copy(source: int, log: Path, quieted: Quiet) -> None:
    with (
        os.fdopen(source, encoding="utf-8", errors="replace") as lines,
        log.open("a", encoding="utf-8") as file,
    ):
        for line in lines:
            file.write(line)
            file.flush()
            quieted.overhear(line)


def _by_line(stream: object) -> None:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure:
        reconfigure(line_buffering=True)
