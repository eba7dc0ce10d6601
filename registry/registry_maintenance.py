"""Maintenance of a registry's stores: probes, verification, reconciliation, the outbox."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from .domain import identifiers
from .domain.authorization import Action, Principal, principal, require
from .domain.errors import BackendUnavailable
from .domain.models import Finding, OutboxStatus, PruneCounts
from .services.anchors import Anchors
from .services.backends import Backends
from .services.projection.adoption import Adoption
from .services.projection.projection import Projection
from .services.projection.reconciliation import Reconcile
from .services.projection.sweeper import OutboxSweeper
from .services.version_files import VersionFiles

#: How long answered operations and finished rows of the outbox are kept, if nothing else is said.
RETENTION = timedelta(days=90)


class RegistryMaintenance:
    """The upkeep of :class:`~model_lifecycle.registry.model_registry.ModelRegistry`."""

    def __init__(
        self,
        backends: Backends,
        projection: Projection,
        adoption: Adoption,
        files: VersionFiles,
        anchors: Anchors,
    ) -> None:
        self._backends = backends
        self._files = files
        self._reconcile = Reconcile(backends, projection, adoption, files, anchors)
        self._projection = projection
        self._anchors = anchors
        self._sweeper = OutboxSweeper(backends, projection)

    async def close(self) -> None:
        """Wait for what is still on its way to MLflow and to the artifact store, for seconds."""
        await self._projection.close()
        await self._anchors.close()

    def clock_warning(self) -> str | None:
        """A sentence about this process's clock if it is wrong; None if it agrees with the
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

    async def verify_api_keys(self, tenant_id: str) -> int:
        """Number of recorded changes of the tenant's API keys, if the table of keys is what they
        leave. Raises LedgerCorrupt naming the first change or the key that is not."""
        return await self._backends.ledger.api_keys.verify_chain(tenant_id)

    async def api_key_tenants(self) -> tuple[str, ...]:
        """The tenants that have API keys, or had one. For operators of the platform."""
        return await self._backends.ledger.api_keys.tenants()

    async def reconcile(
        self,
        tenant_id: str | None = None,
        *,
        accept_restored_ledger_as: Principal | str | None = None,
    ) -> list[Finding]:
        """Compare MLflow with the ledger, of one tenant or of all; heal and tell what differs.

        A model whose ledger is older than what was anchored of it outside of the database is left
        as it is, alias included, unless ``accept_restored_ledger_as`` names who accepts it: role
        admin, and an entry of the ledger.
        """
        accepted_by = None
        if accept_restored_ledger_as is not None:
            accepted_by = principal(accept_restored_ledger_as)
            require(accepted_by, Action.ACCEPT_RESTORED_LEDGER)
        findings = await self._reconcile.reconcile(tenant_id, accepted_by)
        await self.anchor_heads(tenant_id)
        return findings

    async def anchor_heads(self, tenant_id: str | None = None, *, limit: int = 1000) -> int:
        """Anchor the heads of at most ``limit`` models whose newest entry is known to the ledger's
        database alone, as after a writer was killed; how many were anchored. Raises
        BackendUnavailable."""
        tenant = None if tenant_id is None else identifiers.tenant_id(tenant_id)
        return await self._anchors.catch_up(tenant, limit)

    async def count_prunable(self, older_than: timedelta = RETENTION) -> PruneCounts:
        """How many rows of all tenants :meth:`prune` would remove. Raises InvalidInput."""
        return await self._backends.ledger.retention.count(older_than)

    async def prune(
        self, older_than: timedelta = RETENTION, *, actor: Principal | str
    ) -> PruneCounts:
        """Remove answered operations and finished rows of the outbox, of all tenants, that are
        older; how many. Entries, evidence and versions stay. A call that is repeated with an
        operation id that was removed acts again, so 7 days are the least. Role: admin.

        Raises InvalidInput for a shorter time, PermissionDenied, BackendUnavailable.
        """
        require(principal(actor), Action.PRUNE)
        return await self._backends.ledger.retention.prune(older_than)

    async def outbox_status(self) -> OutboxStatus:
        """How many changes of all tenants MLflow may not show yet, and how old the oldest is."""
        return await self._backends.ledger.outbox_status()

    async def sweep_outbox(self) -> int:
        """Show in MLflow what killed, cancelled or cut off writers of all tenants left in the
        outbox; the number of changes that were finished. Several processes may do it at once. Then
        anchor heads that are behind.

        Raises BackendUnavailable if the ledger does not answer; while MLflow does not, the changes
        stay in the outbox, and a later sweep tries again.
        """
        finished = await self._sweeper.sweep()
        # What MLflow or the artifact store does not accept now, a later sweep anchors.
        with suppress(BackendUnavailable):
            await self._anchors.catch_up()
        return finished
