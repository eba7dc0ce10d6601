"""Models, versions and their history: frozen, plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from .canonical_json import digest
from .evidence import Missing
from .stages import Stage

#: Tag of a version whose bundle has a ``model.onnx`` that answers as the model does: the largest
#: difference. Only the registry sets it.
ONNX_PARITY = "onnx.parity"


class Framework(StrEnum):
    SKLEARN = "sklearn"
    PYTORCH = "pytorch"
    TENSORFLOW = "tensorflow"
    ONNX = "onnx"


class ModelType(StrEnum):
    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    CLUSTERING = "clustering"


class EntryKind(StrEnum):
    """The kind of change that a ledger entry records."""

    REGISTERED = "registered"
    ADOPTED = "adopted"
    MOVED = "moved"
    ROLLED_BACK = "rolled_back"
    POLICY_SET = "policy_set"
    DELETED = "deleted"
    ERASED = "erased"
    #: A person accepted a ledger that was restored from a backup, older than its anchored heads.
    LEDGER_RESTORED = "ledger_restored"


_REGISTERED = (
    *("tenant_id", "model_id", "version", "framework", "metrics", "parameters", "tags"),
    *("artifact_uri", "bundle_digest", "run_id", "logged_model_id", "created_at", "created_by"),
)


@dataclass(frozen=True)
class VersionMetadata:
    """One version. ``artifact_uri`` is its bundle's folder, ``bundle_digest`` its manifest's."""

    tenant_id: str
    model_id: str
    version: int
    stage: Stage
    framework: str
    metrics: Mapping[str, float]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    artifact_uri: str
    bundle_digest: str
    run_id: str | None
    logged_model_id: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime

    def document(self) -> dict[str, Any]:
        return _document(self)

    def registration_digest(self) -> str:
        """Digest of what was registered. A field that is added to this class later is not in it:
        the entries of earlier versions have the digest without it."""
        document = _document(self)
        return digest({name: document[name] for name in _REGISTERED}, field="version")


@dataclass(frozen=True)
class Receipt:
    """The entry of a write in the ledger. ``replayed`` if an earlier call with the same operation
    id did the work, and this one only got its response; ``current`` is then the model as it is now,
    None where all of its versions were deleted since."""

    entry: LedgerEntry
    replayed: bool = field(compare=False)
    current: ModelMetadata | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class ModelMetadata:
    """A model and its current version: the production version, else the newest in staging, else
    the newest. ``stage``, ``framework``, ``metrics``, ``parameters``, ``tags`` and
    ``artifact_uri`` are those of the current version. ``versions`` are the numbers of all
    versions that were not deleted, ascending. ``epoch`` grows with every ledger entry. A write
    returns the model with its ``receipt``; a model that was read has none."""

    model_id: str
    tenant_id: str
    name: str
    description: str
    model_type: str
    framework: str
    current_version: int
    versions: tuple[int, ...]
    stage: Stage
    metrics: Mapping[str, float]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    created_at: datetime
    updated_at: datetime
    created_by: str
    artifact_uri: str
    production_version: int | None = None
    epoch: int = 0
    receipt: Receipt | None = field(default=None, compare=False, repr=False)

    def document(self) -> dict[str, Any]:
        """The model as plain JSON, without the receipt of the write that returned it."""
        return _document(self, without="receipt")

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ModelMetadata:
        """The inverse of :meth:`document`."""
        return cls(
            **{
                **document,
                "versions": tuple(document["versions"]),
                "stage": Stage(document["stage"]),
                "created_at": datetime.fromisoformat(document["created_at"]),
                "updated_at": datetime.fromisoformat(document["updated_at"]),
            }
        )


@dataclass(frozen=True)
class StageMove:
    """One version's step within an entry."""

    version: int
    source: Stage | None
    target: Stage

    def document(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "from": self.source.value if self.source else None,
            "to": self.target.value,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> StageMove:
        source = document["from"]
        return cls(document["version"], Stage(source) if source else None, Stage(document["to"]))


@dataclass(frozen=True)
class LedgerEntry:
    """One committed change of a model: who, when, what, why, on what evidence.

    ``moves`` holds every version the entry moved (a promotion moves two). ``evidence`` lists id,
    gate, verdict and digest of what the move stood on. ``production`` is the production version
    after the entry, ``previous_production`` the one before.
    """

    tenant_id: str
    model_id: str
    sequence: int
    kind: EntryKind
    at: datetime
    actor: str
    reason: str
    moves: tuple[StageMove, ...]
    production: int | None
    previous_production: int | None
    evidence: tuple[Mapping[str, Any], ...]
    forced: bool
    operation_id: str
    detail: Mapping[str, Any]
    previous_hash: str
    hash: str

    def content(self) -> dict[str, Any]:
        """The hashed content as plain JSON: everything but the hash itself."""
        return {
            "tenant_id": self.tenant_id,
            "model_id": self.model_id,
            "sequence": self.sequence,
            "kind": self.kind.value,
            "at": timestamp(self.at),
            "actor": self.actor,
            "reason": self.reason,
            "moves": [move.document() for move in self.moves],
            "production": self.production,
            "previous_production": self.previous_production,
            "evidence": [dict(item) for item in self.evidence],
            "forced": self.forced,
            "operation_id": self.operation_id,
            "detail": dict(self.detail),
            "previous_hash": self.previous_hash,
        }

    def document(self) -> dict[str, Any]:
        return {**self.content(), "hash": self.hash}


@dataclass(frozen=True)
class Readiness:
    """Whether a version may go to a stage now, and what is missing if not. ``warnings`` are
    sentences about what is wrong with the process that was called, such as its clock."""

    model_id: str
    version: int
    stage: Stage
    target: Stage
    production: int | None
    missing: tuple[Missing, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        return not self.missing

    def document(self) -> dict[str, Any]:
        return {
            "model_id": self.model_id,
            "version": self.version,
            "stage": self.stage.value,
            "target": self.target.value,
            "production": self.production,
            "ready": self.ready,
            "missing": [item.document() for item in self.missing],
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class Finding:
    """One thing ``reconcile`` saw. ``healed`` is false for damage that a person has to look at."""

    model_id: str
    code: str
    message: str
    healed: bool
    version: int | None = None
    tenant_id: str = ""

    def document(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class OutboxStatus:
    """The changes that MLflow may not show yet: their number, and the age of the oldest in
    seconds."""

    pending: int
    oldest_seconds: float

    def document(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class PruneCounts:
    """Rows that were removed, or would be: ``operations`` that were answered, and rows of the
    ``outbox`` that were finished, ``before`` the cut-off."""

    operations: int
    outbox: int
    before: datetime

    def document(self) -> dict[str, Any]:
        return {**asdict(self), "before": timestamp(self.before)}


@dataclass(frozen=True)
class TrainedModel:
    """The result of a training function: the fitted model and its description.

    ``dataset`` says what it was trained on, plain JSON; the keys ``name``, ``digest``, ``start``
    and ``end`` (ISO dates) are used by the gates and the model card. ``training_log`` is text.
    ``input_example`` is a small frame of features, from which the signature is inferred.
    ``outputs`` names the outputs of a network or an ONNX model with several, as for
    ``register_model``.
    """

    model: Any
    framework: str
    metrics: Mapping[str, float]
    parameters: Mapping[str, Any]
    model_type: str = ModelType.CLASSIFICATION.value
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    input_example: Any = None
    training_log: str | None = None
    dataset: Mapping[str, Any] | None = None
    outputs: Mapping[str, str] | None = None


def timestamp(at: datetime) -> str:
    """``at`` in UTC as ISO 8601 with microseconds: one way to write each instant."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def plain(value: Any) -> Any:
    """``value`` with dates, enums and mappings turned into plain JSON."""
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [plain(item) for item in value]
    return value


def _document(value: VersionMetadata | ModelMetadata, without: str = "") -> dict[str, Any]:
    return {
        item.name: plain(getattr(value, item.name))
        for item in fields(value)
        if item.name != without
    }
