"""Names of tags that the registry or MLflow writes; a caller cannot set them."""

from __future__ import annotations

from collections.abc import Iterable

from .errors import InvalidInput
from .models import ONNX_PARITY

_NAMES = frozenset({"framework", "model_type", "stage", "tenant_id", ONNX_PARITY})
_PREFIXES = ("lifecycle.", "mlflow.")
#: What a caller may say of the training data: see ``TRAINING_END`` of the gates' checks.
_ALLOWED_PREFIXES = ("lifecycle.dataset.", "lifecycle.dataset_")


def is_reserved(name: str) -> bool:
    """Whether only the registry or MLflow may set a tag of this name."""
    if name in _NAMES:
        return True
    return name.startswith(_PREFIXES) and not name.startswith(_ALLOWED_PREFIXES)


def refuse_reserved(names: Iterable[str]) -> None:
    """Raises :class:`InvalidInput`, naming the first reserved name and what is reserved."""
    for name in names:
        if is_reserved(name):
            raise InvalidInput(
                f"the tag {name!r:.80} is set by the registry alone; choose a name other than "
                f"{', '.join(sorted(_NAMES))}, and without the prefix {' or '.join(_PREFIXES)}",
                field="tags",
            )
