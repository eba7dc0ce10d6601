"""Checks a model's ledger: the chain, the rules it was written by, and what it adds up to.

The entries are read a page at a time within one consistent state, so that memory does not grow
with their number.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping

from ..attestation.hash_chain import ChainCheck
from ..domain.errors import LedgerCorrupt
from ..domain.evidence import Evidence
from ..domain.identifiers import ModelId, TenantId
from ..domain.ledger_head import AnchorCheck, LedgerHead
from ..domain.ledger_replay import LedgerReplay
from ..domain.models import EntryKind, LedgerEntry, VersionMetadata
from ..domain.promotion_policy import PromotionPolicy
from ..domain.stage_record import StageRecord
from ..domain.stages import Stage
from .ledger import Ledger
from .timeouts import MAINTENANCE
from .unit_of_work import ModelUnitOfWork

#: Entries that are held in memory at a time.
_PAGE = 1000


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
        versions = {item.version: item for item in await work.versions(deleted=True)}
        chain, replay = ChainCheck(model), LedgerReplay(model)
        anchors = AnchorCheck(model, anchored)
        policy, policy_entry = PromotionPolicy().fingerprint, 0
        last: LedgerEntry | None = None
        async for page in _pages(work):
            known = await work.evidence_by_id(_evidence_ids(page))
            for entry in page:
                chain.follow(entry)
                _check_evidence(model, entry, known)
                _check_bundles(model, entry, versions)
                replay.follow(entry, known)
                anchors.follow(entry.sequence, entry.hash, entry.detail)
                if entry.kind is EntryKind.POLICY_SET:
                    policy, policy_entry = str(entry.detail.get("fingerprint")), entry.sequence
                last = entry
        anchors.finish(chain.count)
        chain.finish(epoch=work.model.epoch, head_hash=work.model.head_hash)
        _check_fold(model, replay.records, {number: work.record(number) for number in versions})
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
    while page := await work.entries(after=after, limit=_PAGE):
        yield page
        after = page[-1].sequence


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


def _check_bundles(model: str, entry: LedgerEntry, versions: Mapping[int, VersionMetadata]) -> None:
    """Evidence is about a digest: a version with another one would borrow its proof."""
    if entry.kind not in (EntryKind.REGISTERED, EntryKind.ADOPTED):
        return
    for move in entry.moves:
        version = versions.get(move.version)
        if version is None or version.bundle_digest != entry.detail.get("bundle_digest"):
            raise LedgerCorrupt(
                model,
                entry.sequence,
                f"entered version {move.version} with another bundle digest than is shown",
            )


def _check_fold(
    model: str, expected: Mapping[int, StageRecord], stored: Mapping[int, StageRecord]
) -> None:
    for version in sorted(set(expected) | set(stored)):
        record, table = expected.get(version, StageRecord()), stored.get(version, StageRecord())
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
