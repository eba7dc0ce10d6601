"""Inputs and outputs of a task for OpenLineage, if its provider is installed.

A version is the dataset ``{model}/versions/{number}`` in ``x-model-lifecycle://{tenant}``, and what
is in production is ``{model}/production`` there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .assets import SCHEME

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

log = logging.getLogger(__name__)

#: Attribute of a running task that holds its datasets.
_DRAWN = "_lineage_drawn"
Named = tuple[str, str]


def version_dataset(tenant_id: str, model_id: str, version: int) -> Named:
    """Namespace and name of a version."""
    return f"{SCHEME}://{tenant_id}", f"{model_id}/versions/{version}"


def stage_dataset(tenant_id: str, model_id: str, stage: str) -> Named:
    """Namespace and name of what is in a stage."""
    return f"{SCHEME}://{tenant_id}", f"{model_id}/{stage}"


def file_dataset(uri: str) -> Named:
    """Namespace and name of a file or folder, as OpenLineage splits an address."""
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme == "file":
        return "file", rest or uri
    authority, _, path = rest.partition("/")
    return f"{scheme}://{authority}", path or "/"


def record(task: BaseOperator, *, inputs: Iterable[Named], outputs: Iterable[Named]) -> None:
    """Keep what the running task read and made."""
    vars(task)[_DRAWN] = (tuple(inputs), tuple(outputs))


def facets(task: BaseOperator) -> Any:
    """The recorded datasets as ``OperatorLineage``; None without any, or without OpenLineage."""
    inputs, outputs = vars(task).get(_DRAWN, ((), ()))
    if not inputs and not outputs:
        return None
    try:
        from airflow.providers.common.compat.openlineage.facet import Dataset
        from airflow.providers.openlineage.extractors import OperatorLineage

        return OperatorLineage(
            inputs=[Dataset(namespace=space, name=name) for space, name in inputs],
            outputs=[Dataset(namespace=space, name=name) for space, name in outputs],
        )
    except Exception as error:
        log.debug("no lineage: %s", error)
        return None
