"""An ONNX file, looked at before a runtime gets it: sound, and its weights all in its folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from model_lifecycle.registry.domain.errors import InvalidInput, UntrustedModel

from ..dependencies import require_installed
from ..outputs import OutputSpec
from ..suppress_output import quiet

#: ``TensorProto.EXTERNAL``
_EXTERNAL = 1


def require_sound(file: Path) -> None:
    """Return if ``file`` is an ONNX model that names no file outside of its folder; nothing of it
    is computed.

    Raises UntrustedModel for weights elsewhere, InvalidInput for what is no sound ONNX model,
    FrameworkUnavailable where the package ``onnx`` is not installed.
    """
    require_installed("onnx", "onnx")
    import onnx
    from google.protobuf.message import DecodeError, Message

    try:
        model = onnx.load_model(file, load_external_data=False)
    except (DecodeError, ValueError, RuntimeError, OSError) as error:
        raise InvalidInput(
            f"{file.name} is not an ONNX model, or not all of one: {error}", field="model"
        ) from None
    for tensor in _messages(model, Message, onnx.TensorProto):
        if tensor.data_location == _EXTERNAL or tensor.external_data:
            _check_location(tensor, file.parent)
    try:
        with quiet():
            onnx.checker.check_model(str(file))
    except Exception as error:
        # The checker raises its own kinds and the decoder's for files that lie about themselves.
        reason = " ".join(str(error).split())
        raise InvalidInput(
            f"{file.name} is not a sound ONNX model: {reason:.300}", field="model"
        ) from None


def output_specs(file: Path) -> list[OutputSpec]:
    """The outputs of a sound model, as its graph describes them."""
    import onnx

    graph = onnx.load_model(file, load_external_data=False).graph
    return [_spec(item.name, item.type, onnx) for item in graph.output]


def _spec(name: str, kind: Any, onnx: Any) -> OutputSpec:
    if not kind.HasField("tensor_type"):
        return OutputSpec(name, "map" if "map_type" in str(kind) else "sequence", ())
    element = onnx.TensorProto.DataType.Name(kind.tensor_type.elem_type).lower()
    element = {"float": "float32", "double": "float64"}.get(element, element)
    shape = tuple(
        size.dim_value if size.HasField("dim_value") else size.dim_param or None
        for size in kind.tensor_type.shape.dim
    )
    return OutputSpec(name, element, shape)


def _messages(message: Any, kind: type, target: type) -> Iterator[Any]:
    """Every message of the type ``wanted`` in ``message``, wherever it lies."""
    todo = [message]
    while todo:
        item = todo.pop()
        if isinstance(item, target):
            yield item
            continue
        for field, value in item.ListFields():
            if field.message_type is None:
                continue
            todo += [value] if isinstance(value, kind) else list(value)


def _check_location(tensor: Any, folder: Path) -> None:
    external = {entry.key: entry.value for entry in tensor.external_data}
    location = external.get("location", "")
    parts = PurePosixPath(location).parts
    path = folder.joinpath(*parts)
    plain = (
        parts
        and ".." not in parts
        and "\\" not in location
        and not PurePosixPath(location).is_absolute()
        and location.isprintable()
    )
    if not plain or path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
        raise UntrustedModel(
            f"the ONNX model keeps the weights of {tensor.name!r:.80} in {location!r:.120}, "
            "outside of its folder; nothing was read. Save it with its weights inside"
        )
    if not path.is_file():
        raise InvalidInput(
            f"the ONNX model's weights {location!r:.120} are missing; save it with its weights "
            "inside",
            field="model",
        )
