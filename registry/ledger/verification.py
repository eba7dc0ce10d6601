"""Checks a model's ledger: the chain, the evidence it stands on, and what it adds up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..rules.errors import LedgerCorrupt
from ..rules.metadata import EntryKind, LedgerEntry, VersionMetadata
from ..rules.policy import PromotionPolicy
from ..rules.stages import Stage
from ..rules.tenancy import ModelId, TenantId
from .chain import verify_chain
from .ledger import Ledger
from .rows import ModelRow


async def verify_model(ledger: Ledger, tenant: TenantId, model: ModelId) -> int:
    """Number of entries of an intact ledger.

    Raises :class:`LedgerCorrupt` naming the first entry that was edited, removed or moved, whose
    evidence was changed since, or whose outcome (stages, bundles, policy) is no longer shown.
    """
    async with ledger.snapshot(tenant, model) as book:
        entries = await book.entries()
        versions = {item.version: item for item in await book.versions(deleted=True)}
        count = verify_chain(model, entries, epoch=book.model.epoch, head_hash=book.model.head_hash)
        for entry in entries:
            for reference in entry.evidence:
                found = await book.find_evidence(reference["evidence_id"])
                if found is None or found.digest() != reference["digest"]:
                    raise LedgerCorrupt(
                        model,
                        entry.sequence,
                        f"stands on evidence {reference['evidence_id']} that was changed since",
                    )
        stages = {number: item.stage for number, item in versions.items()}
        _verify_fold(model, entries, stages, book.model.production_version)
        _verify_bundles(model, entries, versions)
        _verify_policy(model, entries, book.model)
    return count


def _verify_fold(
    model: str, entries: list[LedgerEntry], stages: dict[int, Stage], production: int | None
) -> None:
    told = fold(entries)
    for version in sorted(set(stages) | set(told)):
        expected, entry = told.get(version, (None, 0))
        if stages.get(version) is not expected:
            raise LedgerCorrupt(
                model,
                entry,
                f"left version {version} {_stage(expected)}, "
                f"but the table of versions has it {_stage(stages.get(version))}",
            )
    last = entries[-1] if entries else None
    if (last.production if last else None) != production:
        raise LedgerCorrupt(
            model, last.sequence if last else 0, "left another production version than is shown"
        )


def _verify_bundles(
    model: str, entries: list[LedgerEntry], versions: Mapping[int, VersionMetadata]
) -> None:
    """Evidence is about a digest: a version with another one would borrow its proof."""
    for entry in entries:
        if entry.kind not in (EntryKind.REGISTERED, EntryKind.ADOPTED):
            continue
        for move in entry.moves:
            if versions[move.version].bundle_digest != entry.detail.get("bundle_digest"):
                raise LedgerCorrupt(
                    model,
                    entry.sequence,
                    f"entered version {move.version} with another bundle digest than is shown",
                )


def _verify_policy(model: str, entries: list[LedgerEntry], row: ModelRow) -> None:
    """A gate that was weakened without an entry is found."""
    fingerprint, sequence = PromotionPolicy().fingerprint, 0
    for entry in entries:
        if entry.kind is EntryKind.POLICY_SET:
            fingerprint, sequence = str(entry.detail.get("fingerprint")), entry.sequence
    if {row.policy_fingerprint, row.policy.fingerprint} != {fingerprint}:
        raise LedgerCorrupt(model, sequence, "left another promotion policy than is shown")


def fold(entries: Iterable[LedgerEntry]) -> dict[int, tuple[Stage, int]]:
    """What entries add up to: each version's stage, and the entry that put it there."""
    stages: dict[int, tuple[Stage, int]] = {}
    for entry in entries:
        for move in entry.moves:
            stages[move.version] = (move.target, entry.sequence)
    return stages


def _stage(stage: Stage | None) -> str:
    return f"in {stage}" if stage else "nowhere"
