"""What keeps a registry's stores in agreement: probes, verification, reconciliation, the outbox."""

from __future__ import annotations

from .domain.models import Finding, OutboxStatus
from .services.backends import Backends
from .services.projection.adoption import Adoption
from .services.projection.projection import Projection
from .services.projection.reconciliation import Reconcile
from .services.projection.sweeper import OutboxSweeper
from .services.version_files import VersionFiles


class RegistryMaintenance:
    """The upkeep of :class:`~model_lifecycle.registry.model_registry.ModelRegistry`."""

    def __init__(
        self, backends: Backends, projection: Projection, adoption: Adoption, files: VersionFiles
    ) -> None:
        self._backends = backends
        self._files = files
        self._reconcile = Reconcile(backends, projection, adoption, files)
        self._sweeper = OutboxSweeper(backends, projection)

    def clock_warning(self) -> str | None:
        """What is wrong with this process's clock, in a sentence; None if it agrees with the
        ledger's, as of the last call that reached it."""
        return self._backends.ledger.clock_warning()

    async def ping(self) -> None:
        """Return if ledger, MLflow and artifact store answer; BackendUnavailable names one."""
        await self._backends.ledger.ping()
        await self._backends.tracking.ping()
        await self._backends.artifacts.ping()

    async def verify_files(self, tenant_id: str, model_id: str, version: int | str) -> None:
        """Read every file of a version again, and of the copy that MLflow serves where that is not
        the bundle itself. Raises BundleCorrupt, naming the first file that is missing, added or
        different; VersionNotFound."""
        await self._files.verify_version(tenant_id, model_id, version)

    async def reconcile(self, tenant_id: str | None = None) -> list[Finding]:
        """Compare MLflow with the ledger, of one tenant or of all; heal and tell what differs."""
        return await self._reconcile.reconcile(tenant_id)

    async def outbox_status(self) -> OutboxStatus:
        """How many changes of all tenants MLflow may not show yet, and how old the oldest is."""
        return await self._backends.ledger.outbox_status()

    async def sweep_outbox(self) -> int:
        """Show in MLflow what killed, cancelled or cut off writers of all tenants left in the
        outbox; the number of changes that were finished. Several processes may do it at once.

        Raises BackendUnavailable if the ledger does not answer; while MLflow does not, the changes
        stay in the outbox, and a later sweep tries again.
        """
        return await self._sweeper.sweep()
