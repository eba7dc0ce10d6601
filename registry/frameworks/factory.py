"""Which adapter saves and loads the models of a framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from model_lifecycle.registry.domain.errors import UnknownFramework
from model_lifecycle.registry.domain.models import Framework

from .protocol import FrameworkAdapter

#: Frameworks whose models can be registered.
SUPPORTED = tuple(framework.value for framework in Framework)


def adapter_for(
    framework: str, settings_trusted_types: Iterable[str] = (), allow_pickle: bool = False
) -> FrameworkAdapter:
    """The adapter of ``framework``; imports its module, and nothing of the framework yet.

    Raises :class:`UnknownFramework`, naming the supported ones.
    """
    make = _ADAPTERS.get(framework)
    if make is None:
        raise UnknownFramework(framework, SUPPORTED)
    return make(tuple(settings_trusted_types), allow_pickle)


def _sklearn(trusted: tuple[str, ...], allow_pickle: bool) -> FrameworkAdapter:
    from .sklearn_model.adapter import SklearnAdapter

    return SklearnAdapter(trusted, allow_pickle=allow_pickle)


def _pytorch(trusted: tuple[str, ...], allow_pickle: bool) -> FrameworkAdapter:
    from .pytorch_model.adapter import PytorchAdapter

    return PytorchAdapter(allow_pickle=allow_pickle)


def _tensorflow(trusted: tuple[str, ...], allow_pickle: bool) -> FrameworkAdapter:
    from .tensorflow_model.adapter import TensorflowAdapter

    return TensorflowAdapter(trusted)


def _onnx(trusted: tuple[str, ...], allow_pickle: bool) -> FrameworkAdapter:
    from .onnx_model.adapter import OnnxAdapter

    return OnnxAdapter()


_ADAPTERS: Mapping[str, Callable[[tuple[str, ...], bool], FrameworkAdapter]] = {
    Framework.SKLEARN: _sklearn,
    Framework.PYTORCH: _pytorch,
    Framework.TENSORFLOW: _tensorflow,
    Framework.ONNX: _onnx,
}
