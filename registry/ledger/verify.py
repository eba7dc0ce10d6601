"""Checks a model's ledger: the chain, the rules it was written by, and what it adds up to.

The entries are read a page at a time within one consistent state, so that memory does not grow
with their number.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from sqlalchemy import Column, Select, Table, bindparam, select

from ..attestation.hash_chain import ChainCheck
from ..domain.errors import LedgerCorrupt
from ..domain.evidence import Evidence
from ..domain.identifiers import ModelId, TenantId
from ..domain.ledger_head import AnchorCheck, LedgerHead
from ..domain.ledger_replay import LedgerReplay
from ..domain.models import EntryKind, LedgerEntry
from ..domain.promotion_policy import PromotionPolicy
from ..domain.stage_record import StageRecord
from ..domain.stages import Stage
from . import tables
from .ledger import Ledger
from .mappers import entry_of_row, stage_record
from .timeouts import MAINTENANCE
from .unit_of_work import ModelUnitOfWork

#: Entries that are held in memory at a time.
_PAGE = 1000


def _page_query(table: Table, order: Column[int], *columns: Column[Any]) -> Select[Any]:
    return (
        select(*(columns or table.c))
        .where(
            table.c.tenant_id == bindparam("tenant"),
            table.c.model_id == bindparam("model"),
            order > bindparam("after"),
        )
        .order_by(order)
        .limit(_PAGE)
    )


_ENTRIES = _page_query(tables.entries, tables.entries.c.sequence)
_VERSIONS = _page_query(
    tables.versions,
    tables.versions.c.version,
    tables.versions.c.version,
    tables.versions.c.bundle_digest,
    tables.versions.c.stage,
    tables.versions.c.evidence_since,
    tables.versions.c.first_production,
    tables.versions.c.left_production,
)
_ENTERING = (EntryKind.REGISTERED, EntryKind.ADOPTED)


async def verify_model(
    ledger: Ledger, tenant: TenantId, model: ModelId, anchored: Iterable[LedgerHead] = ()
) -> int:
    """Number of entries of an intact ledger. ``anchored`` are its heads that other stores have;
    they were read before, so the ledger has to have them all.

    Raises :class:`LedgerCorrupt` naming the first entry that was edited, removed or moved, that the
    rules do not allow, whose evidence was changed since, or whose outcome (stages, bundles,
    policy) is no longer shown; :class:`LedgerTruncated` and :class:`LedgerForked` for an anchored
    head that is not in it.
    """
    async with ledger.snapshot(tenant, model, limits=MAINTENANCE) as work:
        chain, replay = ChainCheck(model), LedgerReplay(model)
        anchors = AnchorCheck(model, anchored)
        digests: dict[int, tuple[int, Any]] = {}
        policy, policy_entry = PromotionPolicy().fingerprint, 0
        last: LedgerEntry | None = None
        async for page in _pages(work):
            known = await work.evidence_by_id(_evidence_ids(page))
            for entry in page:
                chain.follow(entry)
                if entry.evidence:
                    _check_evidence(model, entry, known)
                replay.follow(entry, known)
                anchors.follow(entry.sequence, entry.hash, entry.detail)
                if entry.kind in _ENTERING:
                    for move in entry.moves:
                        digests[move.version] = entry.sequence, entry.detail.get("bundle_digest")
                elif entry.kind is EntryKind.POLICY_SET:
                    policy, policy_entry = str(entry.detail.get("fingerprint")), entry.sequence
                last = entry
        anchors.finish(chain.count)
        chain.finish(epoch=work.model.epoch, head_hash=work.model.head_hash)
        await _check_versions(work, replay.records, digests)
        if (last.production if last else None) != work.model.production_version:
            raise LedgerCorrupt(
                model, last.sequence if last else 0, "left another production version than is shown"
            )
        # A gate that was weakened without an entry is found.
        if {work.model.policy_fingerprint, work.model.policy.fingerprint} != {policy}:
            raise LedgerCorrupt(model, policy_entry, "left another promotion policy than is shown")
    return chain.count


async def _pages(work: ModelUnitOfWork) -> AsyncIterator[list[LedgerEntry]]:
    after = 0
    while True:
        rows = await work.connection.execute(_ENTRIES, {**_names(work), "after": after})
        page = [entry_of_row(row) for row in rows]
        if not page:
            return
        yield page
        after = page[-1].sequence


async def _version_rows(work: ModelUnitOfWork) -> AsyncIterator[Mapping[str, Any]]:
    """The fields of each version that the check needs, without its metrics and tags."""
    after = 0
    while True:
        rows = await work.connection.execute(_VERSIONS, {**_names(work), "after": after})
        page = rows.mappings().all()
        if not page:
            return
        for row in page:
            yield row
        after = page[-1]["version"]


def _names(work: ModelUnitOfWork) -> dict[str, str]:
    return {"tenant": work.model.tenant_id, "model": work.model.model_id}


def _evidence_ids(entries: Iterable[LedgerEntry]) -> set[str]:
    return {str(reference.get("evidence_id")) for item in entries for reference in item.evidence}


def _check_evidence(model: str, entry: LedgerEntry, known: Mapping[str, Evidence]) -> None:
    for reference in entry.evidence:
        evidence = known.get(str(reference.get("evidence_id")))
        if evidence is None or evidence.digest() != reference.get("digest"):
            raise LedgerCorrupt(
                model,
                entry.sequence,
                f"stands on evidence {reference.get('evidence_id')} that was changed since",
            )


async def _check_versions(
    work: ModelUnitOfWork,
    expected: Mapping[int, StageRecord],
    digests: Mapping[int, tuple[int, Any]],
) -> None:
    """The table of versions is what the entries leave: no version more or less, each with its
    stage, its past and its bundle."""
    model, unseen = work.model.model_id, set(expected)
    async for row in _version_rows(work):
        number, bundle_digest = row["version"], row["bundle_digest"]
        unseen.discard(number)
        record = expected.get(number, StageRecord())
        sequence, digest = digests.get(number, (record.sequence, bundle_digest))
        # Evidence is about a digest: a version with another one would borrow its proof.
        if bundle_digest != digest:
            raise LedgerCorrupt(
                model,
                sequence,
                f"entered version {number} with another bundle digest than is shown",
            )
        _check_record(model, number, record, stage_record(row))
    for number in sorted(unseen):
        _check_record(model, number, expected[number], StageRecord())


def _check_record(model: str, version: int, record: StageRecord, table: StageRecord) -> None:
    if table.stage is not record.stage:
        raise LedgerCorrupt(
            model,
            record.sequence,
            f"left version {version} {_stage(record.stage)}, "
            f"but the table of versions has it {_stage(table.stage)}",
        )
    for name in ("evidence_since", "first_production", "left_production"):
        if getattr(table, name) != getattr(record, name):
            raise LedgerCorrupt(
                model,
                record.sequence,
                f"left version {version} with {name} {getattr(record, name)}, "
                f"but the table of versions has {getattr(table, name)}",
            )


def _stage(stage: Stage | None) -> str:
    return f"in {stage}" if stage else "nowhere"
