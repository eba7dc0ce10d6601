"""ETags: which state of a model a caller has seen (RFC 9110, section 8.8.3 and 13.1)."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from fastapi import Header
from pydantic import Field

from model_lifecycle.registry.model_registry import ModelRegistry
from model_lifecycle.registry.rules.errors import ModelNotFound
from model_lifecycle.registry.rules.expectation import ANY, ExpectedProduction
from model_lifecycle.registry.rules.metadata import ModelMetadata

from .caller import Caller
from .refusals import precondition_failed

_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')

IfMatch = Annotated[
    Annotated[str, Field(max_length=1000)] | None,
    Header(
        alias="If-Match",
        description="Act only if the model is still in the state with this ETag; 412 otherwise.",
    ),
]


def model_etag(model: ModelMetadata) -> str:
    """The tag of a model's state: its epoch, which every ledger entry raises, bound to tenant and
    name, so that another tenant's tag never matches."""
    state = f"1\n{model.tenant_id}\n{model.model_id}\n{model.epoch}"
    return f'"{hashlib.sha256(state.encode()).hexdigest()[:32]}"'


def matches(header: str | None, etag: str, *, weak: bool) -> bool:
    """Whether the list of tags in ``header`` names ``etag``; ``*`` names any."""
    if header is None:
        return False
    if header.strip() == "*":
        return True
    return any(
        tag == etag and (weak or not is_weak) for is_weak, tag in _TAG.findall(header[:10_000])
    )


async def expected_state(
    registry: ModelRegistry, caller: Caller, model_id: str, if_match: str | None
) -> ExpectedProduction:
    """What a write with this If-Match may assume to be in production.

    The tag is compared now, and production again inside the write, under its lock. Raises
    ModelNotFound; 412 if the model has changed, or the header holds no tag at all.
    """
    if if_match is None:
        return ANY
    model = await registry.get_model(caller.tenant_id, model_id)
    if model is None:
        raise ModelNotFound(model_id)
    if not matches(if_match, model_etag(model), weak=False):
        raise precondition_failed(model_etag(model))
    return ANY if if_match.strip() == "*" else model.production_version
