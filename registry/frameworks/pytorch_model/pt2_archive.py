"""A pt2 archive of ``torch.export``: what it names is read before anything of it is built.

The format holds no code, but torch's loader would run some for a crafted file: it unpickles
tensors that say so, and example inputs; it looks operators up by any name below ``torch``; it
hands shapes to sympy's parser, node names to generated Python, and guards to ``exec``
(torch/export/pt2_archive/_package.py, torch/_export/serde/serialize.py). So an archive is read
with the standard library first, and what torch is given is built anew from what was reviewed.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from model_lifecycle.registry.domain.errors import UntrustedModel

_MODEL = "models/model.json"
_CONFIGS = {
    "data/weights/model_weights_config.json": ("data/weights/", "weight_"),
    "data/constants/model_constants_config.json": ("data/constants/", "tensor_"),
}
_PLAIN = ("archive_format", "archive_version", "byteorder", ".data/version")
_EXAMPLES = "data/sample_inputs/model.pt"
_IGNORED = (".data/serialization_id", ".format_version", ".storage_alignment")

_OPERATOR = re.compile(
    r"torch\.ops\.(?:aten|prims)\.(?!__|from_file|save)[a-z_][a-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)?"
    r"|torch\.ops\.aten\.__(?:and|or|xor|lshift|rshift)__(?:\.[A-Za-z]+)?"
    r"|torch\.(?:sym_(?:int|float|max|min|not|ite|sum)|_sym_sqrt)"
    r"|_operator\.(?:add|sub|mul|truediv|floordiv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|getitem)"
    r"|math\.trunc"
    # Their bodies are graphs of the program, and are reviewed like the rest of it.
    r"|torch\.ops\.higher_order\.(?:wrap_with_set_grad_enabled|wrap_with_autocast|cond)",
    re.ASCII,
)
#: Operators that take a text, none of which names a file.
_WITH_TEXT = re.compile(
    r"torch\.ops\.aten\.(?:gelu|einsum|div|divide|pad|pad_sequence|scatter_reduce|index_reduce"
    r"|segment_reduce|meshgrid|searchsorted|bucketize|conv[123]d|_convolution_mode|quantile"
    r"|nanquantile|linalg_[a-z]+|fft_[a-z0-9]+|stft)_?(?:\.[A-Za-z_]+)?"
    r"|torch\.ops\.higher_order\.wrap_with_autocast",
    re.ASCII,
)
#: A dash, as in the keys of a ModuleDict, ends a name in Python, and begins nothing.
_NAME = re.compile(r"[A-Za-z0-9_.-]*", re.ASCII)
#: Fields that hold floats, and the floats that JSON has no number for, as torch writes them.
_FLOATS = ("as_float", "as_floats", "as_float_lists", "real", "imag")
_NO_NUMBER = ("Infinity", "-Infinity", "NaN")
_SHAPE = re.compile(
    r"(?:Symbol|Integer|Add|Mul|Pow|Mod|FloorDiv|CleanDiv|CeilDiv|Max|Min|Eq|Ne|Lt|Le|Gt|Ge"
    r"|Rational|positive|nonnegative|integer|evaluate|True|False|'[su][0-9]+'|[su]?[0-9]+"
    r"|[\s(),+\-*/=<>])*",
    re.ASCII,
)
_CONTAINERS = (None, "builtins.tuple", "builtins.list", "builtins.dict")


def require_reviewed(file: Path) -> None:
    """Return if the archive holds a plain program of reviewed operators; nothing is executed.

    Raises :class:`UntrustedModel` with what it holds otherwise.
    """
    reviewed(file)


def reviewed(file: Path) -> bytes:
    """The archive built anew from its reviewed parts: program, weights and constants, without
    example inputs. Raises :class:`UntrustedModel`."""
    try:
        with ZipFile(file) as archive:
            parts = _parts(archive)
            members = {name: archive.read(full) for name, full in parts.items()}
    except (BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError) as error:
        raise _refused(f"is no sound pt2 archive ({error})") from None
    except (RuntimeError, OSError, ValueError, OverflowError) as error:
        raise _refused(f"is no sound pt2 archive ({type(error).__name__})") from None
    try:
        _check_program(json.loads(members[_MODEL]))
        for name, (folder, prefix) in _CONFIGS.items():
            _check_payloads(json.loads(members[name]), members, folder, prefix)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _refused(f"cannot be read ({error!r:.120})") from None
    built = io.BytesIO()
    with ZipFile(built, "w") as archive:
        for name, data in {**members, _EXAMPLES: b""}.items():
            archive.writestr(f"model/{name}", data)
    return built.getvalue()


def _parts(archive: ZipFile) -> dict[str, str]:
    """Full names of the members to keep by their names below the archive's one folder."""
    names = archive.namelist()
    roots = {name.partition("/")[0] for name in names}
    if len(roots) != 1 or len(set(names)) != len(names):
        raise _refused("holds two folders, or two files of one name")
    parts = {name.partition("/")[2]: name for name in names}
    reviewed_parts = {}
    for name, full in parts.items():
        payload = any(
            re.fullmatch(re.escape(folder + prefix) + "[0-9]+", name)
            for folder, prefix in _CONFIGS.values()
        )
        if payload or name in (_MODEL, *_CONFIGS, *_PLAIN):
            reviewed_parts[name] = full
        elif name not in (_EXAMPLES, *_IGNORED):
            raise _refused(f"holds {name!r:.80}, which is no part of a plain program")
    missing = {_MODEL, *_CONFIGS, "archive_format", "archive_version", "byteorder"} - set(
        reviewed_parts
    )
    if missing:
        raise _refused(f"lacks {min(missing)}")
    return reviewed_parts


def _check_payloads(
    document: Mapping[str, Any], members: Mapping[str, bytes], folder: str, prefix: str
) -> None:
    for name, entry in document["config"].items():
        path = entry["path_name"]
        if entry["use_pickle"] is not False or not str(path).startswith(prefix):
            raise _refused(f"keeps {name!r:.80} as a pickle, and loading it would run code")
        if folder + path not in members:
            raise _refused(f"lacks the data of {name!r:.80}")


def _check_program(document: Mapping[str, Any]) -> None:
    if document.get("guards_code"):
        raise _refused("brings guards along, which are Python code")
    _check(
        {
            key: value
            for key, value in document.items()
            if key not in ("torch_version", "guards_code")
        }
    )


def _check(value: Any, target: str = "") -> None:
    """``target`` is the operator that ``value`` is an argument of."""
    if isinstance(value, str):
        _match(_NAME, value, "has the name")
    elif isinstance(value, list):
        for item in value:
            _check(item, target)
    elif isinstance(value, dict):
        if "target" in value:
            target = _match(_OPERATOR, value["target"], "calls")
        for key, item in value.items():
            _match(_NAME, key, "has the name")
            _check_entry(key, item, target)


def _check_entry(key: str, item: Any, target: str) -> None:
    if key in ("target", "metadata"):
        # Metadata tells where an operator came from; it is kept as text.
        return
    if key == "expr_str":
        _match(_SHAPE, item, "has the shape")
    elif key in ("in_spec", "out_spec"):
        _check_spec(json.loads(item)[1])
    elif key in _FLOATS and not isinstance(item, dict):
        _check_floats(item)
    elif key in ("as_string", "as_strings"):
        if item is not None and not _WITH_TEXT.fullmatch(target):
            raise _refused(f"gives a text to {target!r:.80}")
    elif key in ("custom_obj_values", "treespec_namedtuple_fields", "as_custom_obj", "as_operator"):
        if item:
            raise _refused("holds objects of classes of its own")
    else:
        _check(item, target)


def _check_floats(value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _check_floats(item)
    elif isinstance(value, str) and value not in _NO_NUMBER:
        raise _refused(f"has the number {value!r:.80}")
    elif isinstance(value, dict):
        raise _refused("has an object for a number")


def _check_spec(spec: Mapping[str, Any]) -> None:
    if spec["type"] not in _CONTAINERS:
        raise _refused(f"takes or gives a {spec['type']!r:.80}")
    keys = json.loads(spec["context"]) if spec["context"] is not None else None
    if not (keys is None or (isinstance(keys, list) and all(isinstance(key, str) for key in keys))):
        raise _refused("takes or gives a container of its own")
    for child in spec["children_spec"]:
        _check_spec(child)


def _match(pattern: re.Pattern[str], value: Any, what: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _refused(f"{what} {value!r:.80}")
    return value


def _refused(what: str) -> UntrustedModel:
    return UntrustedModel(
        f"the exported program {what}, which nobody reviewed; nothing was executed. Save it with "
        "torch.export.save from a module of plain operators"
    )
