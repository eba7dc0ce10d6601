"""The composition root: the only place that names concrete stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from importlib import import_module

from .artifacts.factory import open_artifacts
from .domain.promotion_policy import PromotionPolicy
from .ledger.clock import utc_now
from .ledger.ledger import Ledger
from .mlflow_adapter.client import MlflowTracking
from .model_registry import ModelRegistry
from .services.backends import Backends
from .services.signing_keys import SigningKeys
from .services.store_identity import StoreIdentity
from .settings import Settings

#: The module that gives the gates' sections of a policy their meaning. It is named and not
#: imported: the core depends on no gate, and every registry that is opened checks its policies.
_POLICY_RULES = "model_lifecycle.gates.policy.files"


@asynccontextmanager
async def open_registry(
    settings: Settings | None = None, *, clock: Callable[[], datetime] = utc_now
) -> AsyncIterator[ModelRegistry]:
    """The registry at ``settings`` (default: from the environment), closed at the end.

    An embedded registry on an empty folder just works. A ledger in service must have been
    upgraded (``model-lifecycle db upgrade``). MLflow and the artifact store are not asked for
    anything yet: that they are those of this ledger is checked before the first use of each. Raises
    InvalidInput for settings, and for another artifact root than that of the ledger;
    BackendUnavailable for the ledger.
    """
    async with open_backends(settings or Settings(), clock) as backends:
        await StoreIdentity(backends).open()
        registry = ModelRegistry(backends)
        try:
            yield registry
        finally:
            await registry.close()


@asynccontextmanager
async def open_backends(
    settings: Settings, clock: Callable[[], datetime] = utc_now
) -> AsyncIterator[Backends]:
    """The three stores at ``settings``, not yet compared with each other. Raises as
    :func:`open_registry` does."""
    SigningKeys(settings).check()
    async with AsyncExitStack() as stack:
        artifacts = open_artifacts(settings)
        stack.push_async_callback(artifacts.close)
        tracking = MlflowTracking(
            settings.tracking_uri,
            call_timeout=settings.call_timeout,
            transfer_timeout=settings.transfer_timeout,
        )
        stack.push_async_callback(tracking.close)
        ledger = await Ledger.open(settings.database_url, clock)
        stack.push_async_callback(ledger.close)
        yield Backends(settings, ledger, tracking, artifacts, _complete_policy)


def _complete_policy(policy: PromotionPolicy) -> PromotionPolicy:
    complete: PromotionPolicy = import_module(_POLICY_RULES).complete_policy(policy.document())
    return complete
