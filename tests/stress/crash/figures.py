"""Figures of a long run: tests add them, one JSON line each; this file as a command tells them.

``STRESS_FIGURES`` names the file of lines; without it nothing is kept.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ENVIRONMENT = "STRESS_FIGURES"


def figure(section: str, what: str, **values: Any) -> None:
    """Keep one row of the table ``section``; rows of a section have the same values."""
    place = os.environ.get(ENVIRONMENT)
    if place:
        with Path(place).open("a") as lines:
            lines.write(json.dumps({"section": section, "what": what, **values}) + "\n")


def table(lines: list[str]) -> str:
    """The figures as Markdown, one table a section, in the order in which they came."""
    sections: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        row = json.loads(line)
        sections.setdefault(row.pop("section"), []).append(row)
    day = datetime.now(UTC).date().isoformat()
    text = [
        "# Figures of the last `make stress`",
        "",
        f"Written by the run itself, {day}: Python {platform.python_version()}, "
        f"{os.cpu_count()} cores. [Reliability](reliability.md) explains them.",
    ]
    for section, rows in sections.items():
        names = list(rows[0])
        text += ["", f"## {section}", "", f"| {' | '.join(['', *names[1:]])} |"]
        text += ["|" + "---|" * len(names)]
        text += [f"| {' | '.join(str(row.get(name, '')) for name in names)} |" for row in rows]
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(table(source.read_text().splitlines()))
