"""Responses with a model."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from model_lifecycle.registry.domain.models import ModelMetadata

from ..http.etags import model_etag
from ..http.responses import written


def location(request: Request, model: ModelMetadata) -> str:
    """The path of the model, below wherever the app is mounted."""
    below = request.app.url_path_for("get_model", model_id=model.model_id)
    return f"{request.scope.get('root_path', '')}{below}"


def changed(model: ModelMetadata) -> Response:
    """The model as a write left it."""
    return written(model, headers={"ETag": model_etag(model)})
