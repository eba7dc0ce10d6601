"""Probes, metrics, and the API's own description."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from ..health import Health
from ..http.responses import encode
from ..http.strict_route import StrictRoute
from ..metrics import CONTENT_TYPE
from ..openapi import docs_page
from ..openapi.route_responses import Responses, problems
from ..schemas.responses import Alive, Ready

router = APIRouter(route_class=StrictRoute, tags=["service"])
_TEXT: Responses = {
    200: {"description": "Text.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


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
    """Whether ledger, MLflow and artifact store answer, each by name; whether this process's clock
    agrees with the ledger's; and how many changes MLflow may not show yet."""
    health: Health = request.app.state.health
    parts = await health.parts()
    outbox = health.outbox()
    document = {
        "ready": not any(parts.values()),
        "parts": {
            name: {"ready": not problem, "problem": problem} for name, problem in parts.items()
        },
        "warnings": health.warnings(),
        "outbox": outbox.document() if outbox else None,
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
    """The API's description; its server is wherever the app is mounted."""
    document = request.app.openapi()
    root = request.scope.get("root_path", "")
    if root:
        document = {**document, "servers": [{"url": root}]}
    return Response(encode(document), media_type="application/json")


@router.get("/docs", include_in_schema=False)
async def docs() -> Response:
    """The same for people, in Swagger UI."""
    headers = {"Content-Security-Policy": docs_page.CONTENT_SECURITY_POLICY}
    return HTMLResponse(docs_page.PAGE, headers=headers)


@router.get("/docs/start.js", include_in_schema=False)
async def start() -> Response:
    """The script that starts Swagger UI: a file, as the page's policy allows no inline script."""
    return Response(docs_page.START, media_type="text/javascript; charset=utf-8")


@router.get("/", include_in_schema=False)
async def root(request: Request) -> Response:
    """To the page for people."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/docs")
