"""The root of the tree."""

from __future__ import annotations

from typing import Any, ClassVar


class RegistryError(Exception):
    """Base of everything the registry raises on purpose.

    ``retryable`` is true where repeating the same call, with the same operation id, is safe and
    may succeed.
    """

    code: ClassVar[str] = "registry_error"
    retryable: ClassVar[bool] = False

    def details(self) -> dict[str, Any]:
        """The error's fields as plain JSON, for XCom, problem documents and logs."""
        return {}
