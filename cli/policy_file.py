"""Reads a promotion policy from a file, or from standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy


def read_policy(file: Path) -> PromotionPolicy:
    """The policy in ``file``, YAML or JSON (``-`` for standard input). Raises InvalidInput, with
    the line of the mistake."""
    from model_lifecycle.gates.policy import files

    if str(file) == "-":
        return files.parse_policy(sys.stdin.read(), "standard input")
    return files.read_policy(file)
