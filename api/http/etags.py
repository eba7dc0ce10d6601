"""ETags: which state of a model a caller has seen (RFC 9110, section 8.8.3 and 13.1)."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from fastapi import Header
from pydantic import Field

from model_lifecycle.registry.domain.models import ModelMetadata
from model_lifecycle.registry.domain.preconditions import ANY, ExpectedEpoch

from ..auth.caller import Caller

_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')

IfMatch = Annotated[
    Annotated[str, Field(max_length=1000)] | None,
    Header(
        alias="If-Match",
        description="Act only if the model is still in the state with this ETag; 412 otherwise.",
    ),
]


def model_etag(model: ModelMetadata) -> str:
    """The tag of a model's state."""
    return etag_at(model.tenant_id, model.model_id, model.epoch)


def etag_at(tenant_id: str, model_id: str, epoch: int) -> str:
    """The tag of the model at this epoch, which every ledger entry raises; bound to tenant and
    name, so that another tenant's tag never matches."""
    state = f"2\n{tenant_id}\n{model_id}\n{epoch}"
    return f'"{epoch}-{hashlib.sha256(state.encode()).hexdigest()[:32]}"'


def names(header: str | None, etag: str) -> bool:
    """Whether the list of tags in an If-None-Match names ``etag``, weak or not; ``*`` names any."""
    if header is None:
        return False
    if header.strip() == "*":
        return True
    return any(tag == etag for _, tag in _TAG.findall(header[:10_000]))


def expected_epoch(caller: Caller, model_id: str, if_match: str | None) -> ExpectedEpoch:
    """The epoch that If-Match requires; the core compares it inside the write.

    A weak tag, and one that is not of this tenant's model, is of no epoch.
    """
    if if_match is None or if_match.strip() == "*":
        return ANY
    return {
        int(epoch)
        for is_weak, tag in _TAG.findall(if_match)
        if not is_weak and (epoch := tag[1:].partition("-")[0]).isdecimal() and len(epoch) < 19
        if tag == etag_at(caller.tenant_id, model_id, int(epoch))
    }
