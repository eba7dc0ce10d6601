"""Values that requests are made of. Names are checked by the core; patterns here describe them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.identifiers import parse_version

MODEL_PATTERN = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$"
SOURCE_PATTERN = (
    r"^(models:/m-[0-9a-f]{32}|runs:/[0-9a-f]{32}/[A-Za-z0-9_-][A-Za-z0-9_./-]{0,400})$"
)
METRIC_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_ -]{0,200}$"
_PLAIN_TEXT = {"pattern": r"^[^\x00]*$"}
_LARGEST = 2**31 - 1
_NAMES = {"propertyNames": {"pattern": METRIC_PATTERN}}


class Strict(BaseModel):
    """A request's body: only the fields it declares, only of their own types."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def example(also: Mapping[str, Any] | None = None, /, **fields: Any) -> ConfigDict:
    """The addition to a schema's description: one body as it may be sent, and ``also`` rules that
    bind several fields."""
    return ConfigDict(json_schema_extra={"example": fields, **(also or {})})


def _whole_number(value: Any) -> Any:
    """Plain ASCII digits only: ``int()`` and pydantic also take ``1_0`` and full-width digits."""
    if isinstance(value, str) and not re.fullmatch(r"0|[1-9][0-9]{0,8}", value, re.ASCII):
        raise ValueError("must be a whole number in plain digits")
    return value


def _version(value: Any) -> Any:
    """A version as a number or as text, as the specification has it. To JSON, 1 and 1.0 are the
    same number."""
    if isinstance(value, str):
        return parse_version(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _instant(value: Any) -> datetime:
    if isinstance(value, str) and 10 < len(value) <= 40:
        try:
            timestamp = datetime.fromisoformat(value)
            if timestamp.tzinfo is not None:
                return timestamp.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise InvalidInput(
        "at must be a timestamp with its time zone, such as 2026-03-01T12:00:00Z", field="at"
    )


def now() -> datetime:
    return datetime.now(UTC)


def _model_schema(example: str) -> dict[str, Any]:
    return {"pattern": MODEL_PATTERN, "minLength": 1, "maxLength": 128, "example": example}


ModelName = Annotated[str, Field(json_schema_extra=_model_schema("churn"))]
ModelId = Annotated[
    str, Path(description="The model's name.", json_schema_extra=_model_schema("churn"))
]
ExperimentId = Annotated[
    str,
    Path(
        description="An id from the list of experiments.",
        json_schema_extra={"example": "1", "minLength": 1, "maxLength": 64},
    ),
]
VersionText = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,8}$")]
VersionPath = Annotated[
    int,
    Path(ge=1, le=_LARGEST, description="A version's number.", json_schema_extra={"example": 1}),
    BeforeValidator(parse_version),
]
VersionNumber = Annotated[
    int,
    Field(ge=1, le=_LARGEST),
    BeforeValidator(
        _version,
        json_schema_input_type=Annotated[int, Field(ge=1, le=_LARGEST)] | VersionText,
    ),
]
VersionQuery = Annotated[
    Annotated[int, Field(ge=1, le=_LARGEST), BeforeValidator(parse_version)] | None,
    Query(description="A version's number."),
]
Limit = Annotated[
    int, Query(ge=1, le=500, description="How many at most."), BeforeValidator(_whole_number)
]
After = Annotated[
    str | None,
    Query(description="The `next` of the previous page of the same query.", max_length=2000),
]
At = Annotated[
    datetime | None,
    BeforeValidator(lambda value: None if value is None else _instant(value)),
    Query(description="A timestamp with its time zone; now if left out."),
]
LiveStage = Literal["development", "staging", "production", "archived"]
PlainText = Annotated[str, Field(max_length=5000, json_schema_extra=_PLAIN_TEXT)]
Reason = Annotated[str, Field(max_length=5000, json_schema_extra=_PLAIN_TEXT)]
_NEEDED: dict[str, Any] = {"pattern": r"^[A-Za-z0-9][^\x00]*$", "minLength": 1}
NeededReason = Annotated[str, Field(min_length=1, max_length=5000, json_schema_extra=_NEEDED)]
ReasonQuery = Annotated[
    str,
    Query(
        description="Why; kept in the ledger, which says so if none is given.",
        min_length=1,
        max_length=5000,
        json_schema_extra=_NEEDED,
    ),
]
Metrics = Annotated[dict[str, float], Field(max_length=1000, json_schema_extra=_NAMES)]
Texts = Annotated[
    dict[str, Annotated[str, Field(max_length=5000, json_schema_extra=_PLAIN_TEXT)]],
    Field(max_length=200, json_schema_extra=_NAMES),
]
Parameters = Annotated[
    dict[
        str,
        Annotated[str, Field(max_length=5000, json_schema_extra=_PLAIN_TEXT)] | int | float | bool,
    ],
    Field(max_length=1000, json_schema_extra=_NAMES),
]
Document = Annotated[dict[str, Any], Field(max_length=200)]
