"""A skops payload: what it names is read before anything of it is built."""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from model_lifecycle.registry.domain.errors import UntrustedModel

from .trusted_types import trusted_types

_SCHEMA = "schema.json"
_MODULE = re.compile(r'"__module__":\s*("(?:[^"\\]|\\.)*")')


def _skops_io() -> Any:
    """``skops.io``. On its first import skops looks its own names up in every module loaded so
    far; inside Airflow that wakes hundreds of lazy names, each with a deprecation warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import skops.io
    return skops.io


def dump(model: Any) -> bytes:
    """``model`` as a skops payload. Raises :class:`UntrustedModel` when skops cannot hold it."""
    skops_io = _skops_io()
    try:
        payload: bytes = skops_io.dumps(model)
    except Exception as error:
        # skops asks each object for its state, so whatever an object raises arrives here.
        raise UntrustedModel(
            f"the model cannot be saved without pickle: {error}; "
            "use functions and classes that are importable by name"
        ) from error
    return payload


def require_trusted(payload: bytes | Path, extra: Iterable[str] = ()) -> None:
    """Return if every type that ``payload`` names is trusted; nothing is built or imported.

    Raises :class:`UntrustedModel` with the names of the others.
    """
    skops_io = _skops_io()
    try:
        if isinstance(payload, bytes):
            named = skops_io.get_untrusted_types(data=payload)
        else:
            named = skops_io.get_untrusted_types(file=payload)
    except Exception as error:
        # Any bytes may come here; none of them may become another error than this.
        raise UntrustedModel(f"the model's payload is not a sound skops file: {error}") from error
    unknown = sorted(set(named) - set(trusted_types(extra)))
    if unknown:
        raise UntrustedModel(
            f"the model holds types that nobody reviewed: {', '.join(unknown)}; nothing was "
            "executed. Use reviewed types, or review these and allow them with the setting "
            f"MODEL_LIFECYCLE_TRUSTED_TYPES={','.join(unknown)}",
            types=unknown,
        )


def load(file: Path, extra: Iterable[str] = ()) -> Any:
    """The model in ``file``. Raises :class:`UntrustedModel` before anything is built when it
    names a type that is not trusted."""
    skops_io = _skops_io()
    require_trusted(file, extra)
    try:
        return skops_io.load(file, trusted=trusted_types(extra))
    except Exception as error:
        # Trusted types from unsound data raise whatever they like.
        raise UntrustedModel(f"the model's payload cannot be loaded: {error}") from error


def modules(payload: bytes | Path) -> set[str]:
    """The modules that ``payload`` names."""
    source = io.BytesIO(payload) if isinstance(payload, bytes) else payload
    try:
        with ZipFile(source) as archive:
            schema = archive.read(_SCHEMA).decode()
    except (BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise UntrustedModel(f"the model's payload is not a skops file: {error}") from None
    return {json.loads(name) for name in _MODULE.findall(schema)}
