"""Which adapter saves and loads the models of a framework."""

from __future__ import annotations

from collections.abc import Iterable

from model_lifecycle.registry.rules.errors import UnknownFramework

from .protocol import FrameworkAdapter
from .sklearn import SklearnAdapter

#: Frameworks whose models can be registered. The metadata knows more; their adapters come later.
SUPPORTED = (SklearnAdapter.name,)


def adapter_for(
    framework: str, settings_trusted_types: Iterable[str] = (), allow_pickle: bool = False
) -> FrameworkAdapter:
    """The adapter of ``framework``; imports nothing of it yet.

    Raises :class:`UnknownFramework`, naming the supported ones.
    """
    if framework == SklearnAdapter.name:
        return SklearnAdapter(settings_trusted_types, allow_pickle=allow_pickle)
    raise UnknownFramework(framework, SUPPORTED)
