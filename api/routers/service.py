"""Probes, metrics, and the API's own description."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse

from ..describing import problems
from ..health import Health
from ..json_response import encode
from ..metrics import CONTENT_TYPE
from ..reference import html
from ..schemas.answers import Alive, Ready
from ..strict_route import StrictRoute

router = APIRouter(route_class=StrictRoute, tags=["service"])
_TEXT = {200: {"description": "Text.", "content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/healthz", operation_id="alive", response_model=Alive, responses=problems())
async def alive() -> Response:
    """Whether the process answers."""
    return Response(b'{"status":"alive"}', media_type="application/json")


@router.get(
    "/readyz",
    operation_id="ready",
    response_model=Ready,
    responses={**problems(), 503: {"model": Ready, "description": "A store does not answer."}},
)
async def ready(request: Request) -> Response:
    """Whether ledger, MLflow and artifact store answer, each by name."""
    health: Health = request.app.state.health
    parts = await health.parts()
    document = {
        "ready": not any(parts.values()),
        "parts": {name: {"ready": not said, "problem": said} for name, said in parts.items()},
    }
    status = 200 if document["ready"] else 503
    return Response(encode(document), status, media_type="application/json")


@router.get(
    "/metrics", operation_id="metrics", response_class=Response, responses={**problems(), **_TEXT}
)
async def metrics(request: Request) -> Response:
    """Metrics in Prometheus's text format."""
    return Response(request.app.state.metrics.text(), headers={"Content-Type": CONTENT_TYPE})


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """The API's description."""
    return Response(encode(request.app.openapi()), media_type="application/json")


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """The same for people: one page without scripts, so that nothing foreign runs on it."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
    return HTMLResponse(html(request.app.openapi()), headers={"Content-Security-Policy": policy})
