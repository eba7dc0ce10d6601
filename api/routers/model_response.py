"""Responses with a model."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request
from starlette.responses import Response

from model_lifecycle.registry.domain.models import ModelMetadata

from ..http.etags import model_etag
from ..http.responses import model_document, written


def location(request: Request, model: ModelMetadata) -> str:
    """The path of the model, below wherever the app is mounted."""
    below = request.app.url_path_for("get_model", model_id=model.model_id)
    return f"{request.scope.get('root_path', '')}{below}"


def changed(
    model: ModelMetadata, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The model as a write left it, and as it is now where the write was repeated. The ETag is
    that of the state now."""
    receipt = model.receipt
    assert receipt is not None, "a write returns its receipt"
    document = {
        **model_document(model),
        "replayed": receipt.replayed,
        "current": receipt.current,
    }
    etag = model_etag(receipt.current or model)
    return written(document, status=status, headers={"ETag": etag, **(headers or {})})
