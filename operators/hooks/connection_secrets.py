"""The secrets within a connection, so that Airflow masks them in logs, rendered fields and XCom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

#: Scheme, and what stands before the last ``@``, also where the rest is no valid address.
_USER_INFO = re.compile(r"([\w+.-]*)://([^\s/?#\"']*)@")
_SECRET_NAME = re.compile(r"pass|pwd|secret|token|key|credential|signature|auth", re.IGNORECASE)
_QUERY = re.compile(r"[?&;]([^=&;\s]+)=([^&;\s\"']+)")


def secrets_of(value: Any, name: str = "") -> set[str]:
    """Every secret in a connection's value: text, or JSON nested to any depth.

    Secret are: the value of a key that is named like one; the password of an address, or the user
    of a web address without one; values in its query that are named like one. Each counts as it
    is written, and decoded.
    """
    return {text for text in _texts(value, name) if text}


def _texts(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, name if _SECRET_NAME.search(name) else str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, name)
    elif isinstance(value, str):
        if _SECRET_NAME.search(name):
            yield from _forms(value)
        yield from _within(value)


def _within(text: str) -> Iterator[str]:
    """Secrets of the addresses in the text, also in one that cannot be read as JSON."""
    for match in _USER_INFO.finditer(text):
        user, _, password = match[2].partition(":")
        # A database's user without a password is a name; a web server's is an access token.
        if password or match[1].startswith("http"):
            yield from _forms(password or user)
    for match in _QUERY.finditer(text):
        if _SECRET_NAME.search(match[1]):
            yield from _forms(match[2])
    try:
        split = urlsplit(text)
        if split.password:
            yield from _forms(split.password)
        query = parse_qsl(split.query)
    except ValueError:
        return
    for key, value in query:
        if _SECRET_NAME.search(key):
            yield value


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield unquote(secret)
    yield unquote_plus(secret)
