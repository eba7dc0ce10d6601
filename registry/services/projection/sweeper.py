"""Finishes what writers left in the outbox: they were killed, cancelled, or cut off from MLflow.

Several processes may sweep: each row is claimed by one of them, and no writer waits for it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

from ...domain.errors import BackendUnavailable
from ...domain.identifiers import ModelId, TenantId
from ...ledger.outbox import OutboxRow
from ..backends import Backends
from .projection import Projection

log = logging.getLogger(__name__)

#: Rows claimed at once; a sweeper that ends early leaves so many until their lease ends.
_BATCH = 20
#: The longest pause between two attempts at a row.
_LONGEST_PAUSE = timedelta(seconds=10)


class OutboxSweeper:
    def __init__(self, stores: Backends, projection: Projection) -> None:
        self._stores = stores
        self._projection = projection

    async def sweep(self) -> int:
        """Show in MLflow every change whose writer did not; the number of rows that were finished.

        A row of a change that is younger than a late request may be is shown at once, and finished
        by a later sweep, which looks again. Raises BackendUnavailable if the ledger does not
        answer; where MLflow does not, the rows stay and are tried again later.
        """
        finished = 0
        while rows := await self._stores.ledger.claim_outbox(_BATCH):
            rows = sorted(rows, key=_model)
            for key, group in groupby(rows, key=_model):
                of_model = list(group)
                try:
                    finished += await self._finish(*key, of_model)
                except BackendUnavailable as error:
                    # MLflow does not answer: the other models would only wait for it as well.
                    log.warning("the outbox is swept later: %s", error)
                    await self._postpone(rows[rows.index(of_model[0]) :])
                    return finished
                except Exception:
                    # One model must not keep the others from being swept.
                    log.exception("model %s of %s cannot be shown in MLflow", key[1], key[0])
                    await self._postpone(of_model)
        return finished

    async def _finish(self, tenant: TenantId, model: ModelId, rows: Sequence[OutboxRow]) -> int:
        ledger = self._stores.ledger
        now = ledger.clock()
        settled = [row for row in rows if row.settles_at <= now]
        versions = {version for row in rows for version in row.versions}
        await self._projection.write_until_current(
            tenant, model, versions, [row.token for row in settled]
        )
        for row in rows:
            if row.settles_at > now:
                await ledger.postpone_outbox([row.key], row.settles_at)
        return len(settled)

    async def _postpone(self, rows: Sequence[OutboxRow]) -> None:
        attempts = min(row.attempts for row in rows)
        pause = min(timedelta(seconds=2 ** min(attempts, 10)), _LONGEST_PAUSE)
        keys = [row.key for row in rows]
        await self._stores.ledger.postpone_outbox(keys, self._stores.ledger.clock() + pause)


def _model(row: OutboxRow) -> tuple[TenantId, ModelId]:
    return TenantId(row.tenant_id), ModelId(row.model_id)
