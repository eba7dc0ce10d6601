"""A ``.keras`` archive: what it names is read before anything of it is built.

Keras has a safe mode against code in a file; this is what it leaves open: layers that load other
files (``TFSMLayer``, vocabularies), classes of other packages, and HDF5's links to other files.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from model_lifecycle.registry.domain.errors import UntrustedModel

_WEIGHTS = "model.weights.h5"
_MEMBERS = frozenset({"metadata.json", "config.json", _WEIGHTS})
_MODULES = frozenset(
    {
        *("keras", "keras.models", "keras.layers", "keras.initializers", "keras.regularizers"),
        *("keras.constraints", "keras.activations", "keras.ops", "builtins"),
    }
)
#: Where Keras keeps the graph of a functional model and the operations on its tensors, which it
#: names by the file of their definition. Each operation is a pure function of tensors; of the
#: module ``core`` those that take a function as well are left out.
_OPERATIONS = frozenset(
    f"keras.src.ops.{name}" for name in ("numpy", "nn", "math", "linalg", "image", "einops")
)
_INTERNAL = {
    "keras.src.models.functional": frozenset({"Functional"}),
    "keras.src.models.sequential": frozenset({"Sequential"}),
    "keras.src.ops.core": frozenset(
        {"Cast", "ConvertToTensor", "SaturateCast", "Scatter", "ScatterUpdate", "Slice"}
        | {"SliceUpdate", "StopGradient", "Unstack"}
    ),
}
_OPERATION = re.compile(r"[A-Z][A-Za-z0-9]*", re.ASCII)
#: Of those modules, what holds code, or reads files of its own choosing.
_REFUSED = frozenset(
    {
        *("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "__lambda__"),
        *("StringLookup", "IntegerLookup", "TextVectorization", "Hashing", "SavedModel"),
    }
)
#: Parts of a configuration that are not built: the model is loaded without them.
_NOT_BUILT = frozenset({"compile_config"})
_LARGEST_CONFIG = 64 * 1024 * 1024


def require_reviewed(file: Path, extra: Iterable[str] = ()) -> None:
    """Return if the archive holds layers of Keras alone; nothing is built or imported.

    ``extra`` are classes that are allowed too, as ``module.Class``. Raises
    :class:`UntrustedModel` with the names of the others.
    """
    try:
        with ZipFile(file) as archive:
            names = archive.namelist()
            if set(names) != _MEMBERS or len(names) != len(_MEMBERS):
                raise _refused(f"holds {', '.join(sorted(names)):.200}, not {sorted(_MEMBERS)}")
            if archive.getinfo("config.json").file_size > _LARGEST_CONFIG:
                raise _refused("has a configuration of more than 64 MiB")
            config = json.loads(archive.read("config.json"))
            damaged = archive.testzip()
    except (BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError) as error:
        raise _refused(f"is no sound .keras file ({error})") from None
    except (RuntimeError, OSError, ValueError, OverflowError, RecursionError) as error:
        raise _refused(f"is no sound .keras file ({type(error).__name__})") from None
    if damaged:
        raise _refused(f"is no sound .keras file ({damaged} is damaged)")
    allowed = set(extra)
    unknown = sorted({name for name in _classes(config) if name not in allowed})
    if unknown:
        raise UntrustedModel(
            f"the model holds layers or classes that nobody reviewed: {', '.join(unknown)}; "
            "nothing was executed. Use layers and operations of Keras without code or files of "
            "their own, or export the model to ONNX and register that with framework onnx, or "
            "review these and allow them with the setting "
            f"MODEL_LIFECYCLE_TRUSTED_TYPES={','.join(unknown)}",
            types=unknown,
        )


def require_own_weights(file: Path) -> None:
    """Return if the weights are all in the archive: HDF5 can link to any file.

    Needs h5py, which comes with Keras. Raises :class:`UntrustedModel`.
    """
    import h5py

    try:
        with (
            ZipFile(file) as archive,
            archive.open(_WEIGHTS) as stream,
            h5py.File(stream, "r") as h5,
        ):
            _check_group(h5, h5py)
    except (OSError, RuntimeError, KeyError, ValueError, BadZipFile) as error:
        raise _refused(f"has weights that cannot be read ({error!s:.200})") from None


def _classes(config: Any) -> Iterator[str]:
    """Names of what a configuration would build that is not plainly Keras's own."""
    todo = [config]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo += item
        elif isinstance(item, Mapping):
            name = _unreviewed(item)
            if name is not None:
                yield name
            todo += [value for key, value in item.items() if key not in _NOT_BUILT]


def _unreviewed(item: Mapping[str, Any]) -> str | None:
    if "class_name" not in item and "module" not in item:
        return None
    module, kind = item.get("module"), item.get("class_name")
    if kind == "function":
        kind = item.get("config")
    if kind in ("__tuple__", "__tensor__", "__numpy__", "__keras_tensor__", "__slice__") or (
        kind == "__ellipsis__" and module is None
    ):
        return None
    own = isinstance(kind, str) and _is_of_keras(module, kind)
    plain = item.get("registered_name") in (None, kind)
    return None if own and plain and kind not in _REFUSED else f"{module}.{kind}"[:120]


def _is_of_keras(module: Any, kind: str) -> bool:
    if not isinstance(module, str):
        return False
    if module in _OPERATIONS:
        return _OPERATION.fullmatch(kind) is not None
    return kind in _INTERNAL.get(module, ()) or (module in _MODULES and kind.isidentifier())


def _check_group(group: Any, h5py: Any) -> None:
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise _refused(f"links its weights {name!r:.80} to another place")
        item = group[name]
        if isinstance(item, h5py.Group):
            _check_group(item, h5py)
        elif isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            raise _refused(f"keeps its weights {name!r:.80} in another file")


def _refused(what: str) -> UntrustedModel:
    return UntrustedModel(f"the Keras model {what}; nothing was executed")
