"""Response models whose fields are declared once, in the core's dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar, cast, get_args, get_type_hints

from pydantic import AwareDatetime, BaseModel, create_model
from pydantic.fields import FieldInfo

M = TypeVar("M", bound=BaseModel)


def model_of(source: type[Any], without: Collection[str] = ()) -> Callable[[type[M]], type[M]]:
    """Give a response model the fields of the dataclass ``source``, in its order, ``without``
    those that are no part of an answer.

    What the decorated class declares itself goes before: a field that is another type in JSON, or
    that an answer adds. All fields are required, as an answer has all of them, and every timestamp
    has its time zone.
    """
    hints = get_type_hints(source)

    def decorate(model: type[M]) -> type[M]:
        own: dict[str, Any] = {
            name: (info.annotation, info) for name, info in model.model_fields.items()
        }
        derived = {
            item.name: own.pop(item.name, (_in_json(hints[item.name]), FieldInfo()))
            for item in fields(source)
            if item.name not in without
        }
        built = create_model(
            model.__name__,
            __config__=model.model_config,
            __doc__=model.__doc__,
            __module__=model.__module__,
            **{**derived, **own},
        )
        return cast("type[M]", built)

    return decorate


def _in_json(kind: Any) -> Any:
    """The type that a field of the core has in an answer."""
    if kind is datetime:
        return AwareDatetime
    if datetime in get_args(kind):
        return AwareDatetime | None
    return kind
