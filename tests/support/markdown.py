"""Code blocks and inline code of the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: The pages whose code is tested. The API's intro is the beginning of `docs/reference/api.md`.
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "dags/**/*.md")
    for path in ROOT.glob(pattern)
)
_BLOCK = re.compile(r"^[ ]*```([a-z]*)\n(.*?)^[ ]*```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the number of its first line, its language or "", its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(*languages: str, pages: list[str] = PAGES) -> list[Block]:
    """The blocks of these languages, in order."""
    return [block for page in pages for block in _blocks(page) if block.language in languages]


def inline_code(page: str) -> list[str]:
    """Inline code of a page, its line breaks replaced."""
    text = _BLOCK.sub("", (ROOT / page).read_text(encoding="utf-8"))
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", text)]


def _blocks(page: str) -> Iterator[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 2
        yield Block(page, line, match[1], match[2])
