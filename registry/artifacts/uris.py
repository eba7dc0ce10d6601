"""Addresses of stored files: relative paths that mean the same in a folder, in S3 and in a URI."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from model_lifecycle.registry.domain.errors import InvalidInput

#: Backslash separates on some systems; %, ? and # are read differently by URIs and by stores.
_ODD = re.compile(r"[\x00-\x1f\x7f\\%?#]")
_MAX_SEGMENT = 255
_MAX_PATH = 900


def checked_path(path: str) -> str:
    """``path`` if it is a plain relative path, '/'-separated.

    Raises :class:`InvalidInput` for everything that could lead elsewhere: ``..``, ``.``, empty
    segments, absolute paths, control characters, and characters that URIs and stores read
    differently. S3 keys hold 1024 bytes, of which the root's prefix takes some.
    """
    problem = _problem(path)
    if problem:
        raise InvalidInput(
            f"artifact path {path!r:.120} is not valid: {problem}; "
            "use a relative path like 'a/b.json'",
            field="path",
        )
    return path


def path_below(uri_path: str, root_path: str) -> str | None:
    """The checked path of ``uri_path`` below ``root_path``; None when it is not below it."""
    root = root_path.rstrip("/")
    if root and not uri_path.startswith(f"{root}/"):
        return None
    relative = uri_path[len(root) :].lstrip("/") if root else uri_path
    return relative if _problem(relative) is None else None


def former_path(uri: str, roots: Iterable[str]) -> str | None:
    """The checked path of ``uri`` below one of the addresses ``roots``, under which the same files
    were before; None when it is below none of them."""
    for root in roots:
        if uri.startswith(f"{root}/"):
            path = unquote(uri.removeprefix(f"{root}/").rstrip("/"))
            return path if _problem(path) is None else None
    return None


def local_path(uri: str) -> str | None:
    """The absolute file-system path that a path or ``file:`` URI names; None for other URIs."""
    if uri.startswith("/"):
        return _collapsed(uri)
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return None
    if parts.query or parts.fragment:
        return None
    return _collapsed(unquote(parts.path))


def local_root(root: str | Path) -> Path:
    """The folder that ``root``, a path or ``file:`` URI, names. Raises InvalidInput."""
    text = str(root)
    if "://" not in text and not text.startswith("file:"):
        return Path(text).expanduser().absolute()
    path = local_path(text)
    if path is None:
        raise InvalidInput(
            f"artifact root {text.partition('://')[0]}:// is not supported: "
            "use a folder or s3://bucket/prefix",
            field="artifact_root",
        )
    return Path(path)


def _collapsed(path: str) -> str:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return "/" + "/".join(parts)


def _problem(path: str) -> str | None:
    if not isinstance(path, str) or not path:
        return "it is empty"
    if odd := _ODD.search(path):
        return f"it holds the character {odd.group()!r}"
    segments = path.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        return "it has an empty segment, '.' or '..'"
    try:
        sizes = [len(segment.encode()) for segment in segments]
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if max(sizes) > _MAX_SEGMENT or sum(sizes) + len(sizes) > _MAX_PATH:
        return f"a segment has more than {_MAX_SEGMENT} bytes, or all of it more than {_MAX_PATH}"
    return None
