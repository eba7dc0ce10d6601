"""Names: which are valid, and how a tenant's names map to MLflow's.

A tenant id holds no dot, so the first dot of a registered model always ends the tenant, and it
holds neither ``_`` nor ``%``, so no LIKE pattern built from it reaches another tenant.
"""

from __future__ import annotations

import re
from numbers import Integral
from typing import Any, NewType

from .errors import InvalidName

TenantId = NewType("TenantId", str)
ModelId = NewType("ModelId", str)

_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_MODEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?", re.ASCII)
_OPERATION = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,510}[\x21-\x7e])?")
_VERSION = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
_MAX_VERSION = 2**31 - 1


def tenant_id(value: Any) -> TenantId:
    """``value`` as a tenant id. Raises :class:`InvalidName`."""
    if isinstance(value, str) and _TENANT.fullmatch(value):
        return TenantId(value)
    raise InvalidName(
        f"tenant id {_excerpt(value)} is not valid: 1 to 63 of a-z, 0-9 and '-', "
        "starting and ending with a letter or digit",
        field="tenant_id",
    )


def model_id(value: Any) -> ModelId:
    """``value`` as the name of a model within its tenant. Raises :class:`InvalidName`."""
    if isinstance(value, str) and _MODEL.fullmatch(value):
        return ModelId(value)
    raise InvalidName(
        f"model name {_excerpt(value)} is not valid: 1 to 128 of A-Z, a-z, 0-9, '.', '_' and '-', "
        "starting and ending with a letter or digit",
        field="model_id",
    )


def version_number(value: Any, *, field: str = "version") -> int:
    """``value``, a positive integer or its text, as a version number. Raises :class:`InvalidName`.

    Text has plain ASCII digits only, without a leading zero: ``1_0``, ``01``, ``+1`` and
    full-width digits are refused, although ``int()`` would take them.
    """
    number = value
    if isinstance(value, str) and _VERSION.fullmatch(value):
        number = int(value)
    elif isinstance(value, Integral) and not isinstance(value, bool):
        # numpy's integers, as a task that counts with numpy returns them.
        number = int(value)
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= _MAX_VERSION:
        return number
    raise InvalidName(
        f"version {_excerpt(value)} is not valid: versions are whole numbers from 1", field=field
    )


def parse_version(value: Any) -> int:
    """:func:`version_number`, for converters that take a function of one argument."""
    return version_number(value)


def operation_id(value: Any) -> str:
    """``value`` as an operation id: 1 to 512 printable ASCII characters. Raises InvalidName."""
    if isinstance(value, str) and _OPERATION.fullmatch(value):
        return value
    raise InvalidName(
        f"operation id {_excerpt(value)} is not valid: 1 to 512 printable ASCII characters, "
        "without spaces at the ends",
        field="operation_id",
    )


def registered_name(tenant: TenantId, model: ModelId) -> str:
    """The model's name in MLflow: ``{tenant_id}.{name}``."""
    return f"{tenant}.{model}"


def split_registered_name(name: str) -> tuple[TenantId, ModelId] | None:
    """Tenant and model of an MLflow name; None if it is not one of ours."""
    tenant, _, model = name.partition(".")
    if _TENANT.fullmatch(tenant) and _MODEL.fullmatch(model):
        return TenantId(tenant), ModelId(model)
    return None


def experiment_name(tenant: TenantId, model: ModelId) -> str:
    """The model's experiment in MLflow: ``tenants/{tenant_id}/models/{name}``."""
    return f"{experiment_prefix(tenant)}{model}"


def experiment_prefix(tenant: TenantId) -> str:
    """The prefix of the names of a tenant's experiments."""
    return f"tenants/{tenant}/models/"


def _excerpt(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
