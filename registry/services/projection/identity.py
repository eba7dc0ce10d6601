"""Whether a version in MLflow is the version of that number in the ledger. Pure.

MLflow's numbers are no identity: after a registered model was deleted and made again, or MLflow was
restored from a backup, a number belongs to other files.
"""

from __future__ import annotations

import re
from typing import Protocol

from ...domain import artifact_paths
from ...domain.identifiers import TenantId, split_registered_name
from ...domain.models import VersionMetadata
from ...mlflow_adapter.records import ModelVersionRecord

_BY_ID = re.compile(r"models:/(m-[0-9a-f]{32})", re.ASCII)
_BY_RUN = re.compile(r"runs:/([0-9a-f]{32})/.+", re.ASCII)


class Addresses(Protocol):
    """The part of an artifact store that reads addresses."""

    def path_of(self, uri: str) -> str | None:
        """The path that ``uri`` names below the root; None when it lies elsewhere."""


def mismatch(
    version: VersionMetadata, record: ModelVersionRecord, addresses: Addresses
) -> str | None:
    """A sentence that shows that ``record`` was not made from ``version``; None if
    nothing does.

    What MLflow serves is named by the record's source, which nobody can change; its tags anybody
    can, so they prove nothing.
    """
    differing = []
    if None not in (record.run_id, version.run_id) and record.run_id != version.run_id:
        differing.append(f"its run is {record.run_id} instead of {version.run_id}")
    logged = logged_model_of(TenantId(version.tenant_id), record, addresses)
    if logged is not None and logged != version.logged_model_id:
        differing.append(f"its logged model is {logged} instead of {version.logged_model_id}")
    elif not _is_source(version, record, addresses):
        differing.append(f"its source {record.source!r:.200} is not what was registered")
    return "; ".join(differing) or None


def logged_model_of(
    tenant: TenantId, record: ModelVersionRecord, addresses: Addresses
) -> str | None:
    """The LoggedModel that the record's source names, by its id or by its folder; else None."""
    if by_id := _BY_ID.fullmatch(record.source):
        return by_id[1]
    return logged_model_at(tenant, addresses.path_of(record.source))


def logged_model_at(tenant: TenantId, path: str | None) -> str | None:
    """The LoggedModel whose files MLflow keeps at ``path``; None for other paths."""
    match = re.fullmatch(
        rf"{artifact_paths.runs(tenant)}/models/(m-[0-9a-f]{{32}})/artifacts", path or ""
    )
    return match[1] if match else None


def is_own_bundle(tenant: TenantId, record: ModelVersionRecord, addresses: Addresses) -> bool:
    """Whether the record serves the bundle of its own number."""
    return bundle_number(tenant, record, addresses) == record.version


def bundle_number(tenant: TenantId, record: ModelVersionRecord, addresses: Addresses) -> int | None:
    """The number of the version of the record's model whose bundle its source names; else None."""
    owner = split_registered_name(record.name)
    path = addresses.path_of(record.source) or ""
    folder, _, number = path.rpartition("/")
    if owner is None or owner[0] != tenant or not re.fullmatch("[1-9][0-9]{0,9}", number):
        return None
    return (
        int(number) if f"{folder}/{number}" == artifact_paths.bundle(*owner, int(number)) else None
    )


def _is_source(version: VersionMetadata, record: ModelVersionRecord, addresses: Addresses) -> bool:
    """Whether the version, which has the record's name and number, can have been made from its
    source: the version's own bundle; its LoggedModel; or, of versions that were made from neither,
    a folder of the tenant's runs."""
    tenant = TenantId(version.tenant_id)
    if is_own_bundle(tenant, record, addresses):
        return True
    if logged_model_of(tenant, record, addresses) is not None:
        return True  # compared by its id
    if by_run := _BY_RUN.fullmatch(record.source):
        return by_run[1] == version.run_id
    path = addresses.path_of(record.source)
    return path is not None and path.startswith(f"{artifact_paths.runs(tenant)}/")
