"""The words of the life of a version. Imports nothing of the package."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"
    ARCHIVED = "archived"
    DELETED = "deleted"


class Gate(StrEnum):
    VALIDATION = "validation"
    SHADOW = "shadow"
    AB_TEST = "ab_test"
    APPROVAL = "approval"
    #: An additional check, by a name that the policy gives: ``fairness-audit``.
    CHECK = "check"


class Cause(StrEnum):
    """Why a version moves. A request moves one version; the others are parts of one operation."""

    REQUEST = "request"
    SUPERSEDED = "superseded"
    ROLLBACK = "rollback"
    DELETION = "deletion"
    ERASURE = "erasure"
