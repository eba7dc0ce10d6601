"""The registry as the gates need it: two small protocols that its façade fulfils."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from model_lifecycle.registry.domain.authorization import Principal
    from model_lifecycle.registry.domain.evidence import Evidence
    from model_lifecycle.registry.domain.models import ModelMetadata, VersionMetadata
    from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
    from model_lifecycle.registry.frameworks.protocol import Predictor


class StoredFile(Protocol):
    """A file in the artifact store; ``path`` is relative to its root, ``size`` in bytes.
    ``revision`` changes when the file is replaced."""

    @property
    def path(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def revision(self) -> str: ...


class ArtifactFiles(Protocol):
    """The part of the artifact store that gates use. Paths are relative to its root."""

    def uri(self, path: str) -> str: ...

    def path_of(self, uri: str) -> str | None: ...

    async def put_bytes(self, path: str, data: bytes) -> object: ...

    async def get_bytes(self, path: str) -> bytes: ...

    async def files(self, path: str) -> Sequence[StoredFile]: ...


class EvaluationRegistry(Protocol):
    """The part of the registry that gates use. Every call names the tenant first."""

    @property
    def artifacts(self) -> ArtifactFiles: ...

    async def get_model(self, tenant_id: str, model_id: str) -> ModelMetadata | None: ...

    async def get_version(
        self, tenant_id: str, model_id: str, version: int
    ) -> VersionMetadata | None: ...

    async def get_policy(self, tenant_id: str, model_id: str) -> PromotionPolicy: ...

    async def check_signing(self, policy: PromotionPolicy) -> None: ...

    async def get_evidence(
        self, tenant_id: str, model_id: str, version: int, evidence_id: str
    ) -> Evidence: ...

    async def list_model_evidence(self, tenant_id: str, model_id: str) -> Sequence[Evidence]: ...

    async def load_model(
        self, tenant_id: str, model_id: str, version: int | None = None
    ) -> Predictor: ...

    async def record_evidence(
        self,
        tenant_id: str,
        model_id: str,
        version: int,
        evidence: Evidence,
        *,
        actor: Principal | str,
    ) -> Evidence: ...
