"""The app factory: the same app for a server of its own and, mounted, for Airflow's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from model_lifecycle import __version__
from model_lifecycle.registry.settings import Settings

from .auth.bearer import BearerCredentials
from .auth.caller import Authenticate
from .auth.jwt import JwtVerifier
from .health import Health
from .http import problem_details
from .http.strict_route import DeclaredInputs
from .lifespan import OpenRegistry
from .metrics import Metrics
from .middleware.access_log import AccessLogMiddleware
from .middleware.authentication import ASSETS, DESCRIPTION, PROBES, AuthenticationMiddleware
from .middleware.head_requests import HeadRequests
from .middleware.limits import Deadline, RequestLimitsMiddleware
from .middleware.request_id import RequestIdMiddleware
from .openapi import docs_page
from .openapi.document import describe
from .outbox_task import OutboxTask
from .routers import (
    documents,
    evidence,
    experiments,
    models,
    monitoring,
    policies,
    registration,
    stages,
    versions,
)
from .settings import ApiSettings

#: All routes of the API, in the order of its description.
ROUTERS = tuple(
    module.router
    for module in (
        registration,
        models,
        stages,
        policies,
        versions,
        evidence,
        documents,
        experiments,
        monitoring,
    )
)


def create_app(
    settings: Settings | Callable[[], Settings] | None = None,
    *,
    auth: Authenticate | None = None,
    api: ApiSettings | None = None,
) -> FastAPI:
    """The API over the registry at ``settings`` (default: from the environment).

    ``auth`` finds out who calls; without one the app asks for its own credentials, API keys and
    JWTs, and answers probes without any. The API's description is open either way; with ``auth``
    it is all that is answered without a credential.
    Making the app opens nothing; its lifespan opens one registry for the process.
    """
    api = api or ApiSettings()
    open_paths = PROBES | DESCRIPTION if auth is None else DESCRIPTION
    opened = OpenRegistry(settings if callable(settings) else lambda: settings or Settings())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(metrics.close)
            stack.push_async_callback(opened.close)
            await opened.start()
            sweeper = OutboxTask(opened, metrics, api.outbox_interval)
            stack.push_async_callback(sweeper.close)
            sweeper.start()
            if auth is None:
                warming = asyncio.create_task(opened.warm())
                stack.callback(warming.cancel)
            yield

    app = FastAPI(
        title="Model lifecycle",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    metrics = Metrics()
    app.state.api = api
    app.state.opened = opened
    app.state.health = Health(opened)
    app.state.metrics = metrics
    app.state.authenticate = auth or _own_credentials(opened, api)
    app.openapi = lambda: describe(app, open_paths)  # type: ignore[method-assign]  # as FastAPI documents
    app.state.inputs = DeclaredInputs(app.openapi)
    for router in ROUTERS:
        app.include_router(router)
    app.mount(ASSETS.rstrip("/"), docs_page.assets(), name="docs-assets")
    problem_details.install(app)
    # The last one added is the outermost.
    app.add_middleware(HeadRequests)
    app.add_middleware(RequestLimitsMiddleware, api=api)
    app.add_middleware(AuthenticationMiddleware, open_paths=open_paths)
    app.add_middleware(Deadline, api=api)
    app.add_middleware(AccessLogMiddleware, metrics=metrics)
    app.add_middleware(RequestIdMiddleware)
    return app


def _own_credentials(opened: OpenRegistry, api: ApiSettings) -> Authenticate:
    jwt = JwtVerifier(api) if api.accepts_jwt else None
    return BearerCredentials(opened.keys, jwt, api.key_cache_seconds)
