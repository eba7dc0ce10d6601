"""Which framework a saved model is of, from its ``MLmodel`` file alone."""

from __future__ import annotations

from pathlib import Path

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.models import Framework

from .mlmodel import read_mlmodel


def framework_of(folder: Path) -> str:
    """The framework of the MLflow model in ``folder``. Raises :class:`InvalidInput`."""
    flavors = read_mlmodel(folder).flavors
    frameworks = [framework.value for framework in Framework if framework.value in flavors]
    if not frameworks:
        raise InvalidInput(
            f"the model's flavors are {', '.join(sorted(map(str, flavors))) or 'none'}; "
            f"one of {', '.join(Framework)} is needed",
            field="framework",
        )
    return frameworks[0]
