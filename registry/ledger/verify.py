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
from ..domain.ledger_head import (
    ABANDONED,
    ABANDONED_EVIDENCE,
    AnchorCheck,
    LedgerHead,
    contradiction,
)
from ..domain.ledger_replay import REGISTRATION_DIGEST, LedgerReplay
from ..domain.models import EntryKind, LedgerEntry
from ..domain.promotion_policy import PromotionPolicy
from ..domain.stage_record import StageRecord
from ..domain.stages import Stage
from . import tables
from .evidence_chain import SEAL, EvidenceCheck
from .ledger import Ledger
from .mappers import entry_of_row, evidence_item, stage_record, version_metadata
from .timeouts import MAINTENANCE
from .unit_of_work import ModelUnitOfWork

#: Entries that are held in memory at a time.
_PAGE = 1000


def _page_query(
    table: Table, order: Column[int], *columns: Column[Any], size: int = _PAGE
) -> Select[Any]:
    return (
        select(*(columns or table.c))
        .where(
            table.c.tenant_id == bindparam("tenant"),
            table.c.model_id == bindparam("model"),
            order > bindparam("after"),
        )
        .order_by(order)
        .limit(size)
    )


_ENTRIES = _page_query(tables.entries, tables.entries.c.sequence)
# Evidence has summaries of up to 64 KiB.
_EVIDENCE = _page_query(tables.evidence, tables.evidence.c.chain_position, size=100)
_METADATA = _page_query(tables.versions, tables.versions.c.version, size=100)
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
    ledger: Ledger,
    tenant: TenantId,
    model: ModelId,
    anchored: Iterable[LedgerHead] = (),
    anchored_evidence: Iterable[LedgerHead] = (),
) -> int:
    """Number of entries of an intact ledger. ``anchored`` are its heads that other stores have,
    ``anchored_evidence`` those of the chain over its evidence; they were read before, so the ledger
    has to have them all.

    Raises :class:`LedgerCorrupt` naming the first entry that was edited, removed or moved, that the
    rules do not allow, whose evidence was changed since, or whose outcome (stages, bundles,
    policy) is no longer shown; :class:`LedgerTruncated` and :class:`LedgerForked` for an anchored
    head that is not in it.
    """
    async with ledger.snapshot(tenant, model, limits=MAINTENANCE) as work:
        chain, replay = ChainCheck(model), LedgerReplay(model)
        anchors = AnchorCheck(anchored, ABANDONED)
        evidence = _EvidenceStream(work, AnchorCheck(anchored_evidence, ABANDONED_EVIDENCE))
        digests: dict[int, tuple[int, Any, Any]] = {}
        policy, policy_entry = PromotionPolicy().fingerprint, 0
        last: LedgerEntry | None = None
        async for page in entry_pages(work):
            known = await work.evidence_by_id(_evidence_ids(page))
            for entry in page:
                chain.follow(entry)
                if entry.evidence:
                    _check_evidence(model, entry, known)
                if SEAL in entry.detail:
                    await evidence.advance(entry)
                replay.follow(entry, known)
                anchors.follow(entry.sequence, entry.hash)
                if entry.kind is EntryKind.LEDGER_RESTORED:
                    anchors.give_up(entry.detail)
                    evidence.anchors.give_up(entry.detail)
                if entry.kind in _ENTERING:
                    for move in entry.moves:
                        digests[move.version] = (
                            entry.sequence,
                            entry.detail.get("bundle_digest"),
                            entry.detail.get(REGISTRATION_DIGEST),
                        )
                elif entry.kind is EntryKind.POLICY_SET:
                    policy, policy_entry = str(entry.detail.get("fingerprint")), entry.sequence
                last = entry
        if lost := anchors.contradictions():
            raise contradiction(model, chain.count, lost[-1])
        await evidence.finish()
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


async def entry_pages(work: ModelUnitOfWork) -> AsyncIterator[list[LedgerEntry]]:
    """All entries of the model, a page at a time, oldest first."""
    after = 0
    while True:
        rows = await work.connection.execute(_ENTRIES, {**_names(work), "after": after})
        page = [entry_of_row(row) for row in rows]
        if not page:
            return
        yield page
        after = page[-1].sequence


class _EvidenceStream:
    """Reads the evidence of a model in the order of its chain, a page at a time, as far as the
    entries have come."""

    def __init__(self, work: ModelUnitOfWork, anchors: AnchorCheck) -> None:
        self._work = work
        self.anchors = anchors
        self._check = EvidenceCheck(work.model.model_id)
        self._page: list[Mapping[str, Any]] = []

    async def advance(self, entry: LedgerEntry) -> None:
        """Follow what was recorded before ``entry``, and compare it with the entry's seal."""
        await self._follow(entry.sequence)
        self._check.compare(entry.sequence, entry.detail)

    async def finish(self) -> None:
        """Follow the rest, and compare it with the model's row."""
        model = self._work.model
        await self._follow(model.epoch + 1)
        self._check.finish(model.epoch, model.evidence_count, model.evidence_head)
        if lost := self.anchors.contradictions():
            raise LedgerCorrupt(
                model.model_id,
                model.epoch,
                f"is followed by {self._check.count} pieces of evidence, but the artifact store "
                f"has the hash of evidence {lost[-1].epoch}, which is missing or another one",
            )

    async def _follow(self, sequence: int) -> None:
        while row := await self._next():
            if row["epoch"] >= sequence:
                return
            self._page.pop()
            self._check.follow(row["chain_position"], row["chain_hash"], evidence_item(row))
            self.anchors.follow(self._check.count, self._check.head)

    async def _next(self) -> Mapping[str, Any] | None:
        if not self._page:
            rows = await self._work.connection.execute(
                _EVIDENCE, {**_names(self._work), "after": self._check.count}
            )
            self._page = [*rows.mappings()][::-1]
        return self._page[-1] if self._page else None


async def _version_rows(
    work: ModelUnitOfWork, query: Select[Any]
) -> AsyncIterator[Mapping[str, Any]]:
    """The rows of the model's versions, by number."""
    after = 0
    while True:
        rows = await work.connection.execute(query, {**_names(work), "after": after})
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
    digests: Mapping[int, tuple[int, Any, Any]],
) -> None:
    """The table of versions is what the entries leave: no version more or less, each with its
    stage, its past and its bundle."""
    model, unseen = work.model.model_id, set(expected)
    query = _METADATA if any(item[2] for item in digests.values()) else _VERSIONS
    async for row in _version_rows(work, query):
        number, bundle_digest = row["version"], row["bundle_digest"]
        unseen.discard(number)
        record = expected.get(number, StageRecord())
        sequence, digest, registered = digests.get(number, (record.sequence, bundle_digest, None))
        # Evidence is about a digest: a version with another one would borrow its proof.
        if bundle_digest != digest:
            raise LedgerCorrupt(
                model,
                sequence,
                f"entered version {number} with another bundle digest than is shown",
            )
        # Entries from before have no digest of the version's metadata.
        if registered is not None and version_metadata(row).registration_digest() != registered:
            raise LedgerCorrupt(
                model, sequence, f"entered version {number} with other metadata than is shown"
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
