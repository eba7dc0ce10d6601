"""Reads a promotion policy from a file, or from standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from model_lifecycle.registry.rules.policy import PromotionPolicy


def read_policy(file: Path) -> PromotionPolicy:
    """The policy in ``file``, YAML or JSON (``-`` for standard input). Raises InvalidInput, with
    the line of the mistake."""
    from model_lifecycle.gates import policy_files

    if str(file) == "-":
        return policy_files.parse_policy(sys.stdin.read(), "standard input")
    return policy_files.read_policy(file)
