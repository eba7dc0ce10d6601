"""Render the Sphinx roles of docstrings, such as ``:class:`InvalidInput```, as code."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|meth|func|mod|data|attr|exc|doc):`~?\.?([^`]+)`")


class SphinxRoles(griffe.Extension):
    """mkdocstrings shows docstrings as Markdown, which has no roles."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(r"`\1`", obj.docstring.value)
