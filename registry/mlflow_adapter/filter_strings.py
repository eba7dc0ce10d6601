"""MLflow filters from typed fields: no caller's text ever becomes part of one.

What may enter a filter has been matched in full against a pattern without quotes. LIKE has no
ESCAPE in MLflow, so its callers check the prefix again on what comes back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from ..domain.errors import InvalidName
from ..domain.identifiers import TenantId, experiment_prefix, split_registered_name
from .tags import OPERATION_KEY, operation_key

IDS_PER_SEARCH = 500

_PROMPT_KEY = "mlflow.prompt.is_prompt"
_EXPERIMENT_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_LOGGED_MODEL_ID = re.compile(r"m-[0-9a-f]{32}", re.ASCII)


def is_experiment_id(value: object) -> bool:
    return isinstance(value, str) and _EXPERIMENT_ID.fullmatch(value) is not None


def is_run_id(value: object) -> bool:
    return isinstance(value, str) and _RUN_ID.fullmatch(value) is not None


def is_logged_model_id(value: object) -> bool:
    return isinstance(value, str) and _LOGGED_MODEL_ID.fullmatch(value) is not None


def checked_name(name: str) -> str:
    """``name`` if it is a registered model of some tenant. Raises InvalidName."""
    if isinstance(name, str) and split_registered_name(name) is not None:
        return name
    raise InvalidName(
        f"registered model name {name!r:.80} is not valid: it is '{{tenant_id}}.{{model name}}'",
        field="name",
    )


def runs_in(run_ids: Iterable[str]) -> str:
    """Filter for the runs with these ids, which :func:`is_run_id` has accepted."""
    return f"attributes.run_id IN ({', '.join(repr(run_id) for run_id in run_ids)})"


def started_by(millis: int) -> str:
    """Filter for runs that started at this instant or before."""
    return f"attributes.start_time <= {int(millis)}"


def experiments_of(tenant: TenantId) -> str:
    return f"name LIKE '{experiment_prefix(tenant)}%'"


def models_of(tenant: TenantId) -> str:
    return f"name LIKE '{tenant}.%'"


def named(name: str) -> str:
    return f"name = '{checked_name(name)}'"


def registry_marker_name(registry_id: str) -> str:
    """The registered model that shows that a registry uses an MLflow. No tenant's name holds an
    underscore, so it is no tenant's model. Raises InvalidName."""
    if not _UUID.fullmatch(registry_id):
        raise InvalidName(
            f"registry id {registry_id!r:.80} is not valid: it is a UUID", field="registry_id"
        )
    return f"model_lifecycle.registry-{registry_id}"


def registry_marker(registry_id: str) -> str:
    """Filter for that registered model."""
    return f"name = '{registry_marker_name(registry_id)}'"


def without_prompts(condition: str | None) -> str:
    """``condition`` for registered models: MLflow keeps prompts among them, marked by a tag."""
    models = f"tag.`{_PROMPT_KEY}` != 'true'"
    return f"{condition} AND {models}" if condition else models


def made_by(operation_id: str) -> str:
    return f"tags.`{OPERATION_KEY}` = '{operation_key(operation_id)}'"


def chunks(values: Iterable[str], size: int = IDS_PER_SEARCH) -> Iterator[list[str]]:
    """``values`` in lists of at most ``size``: databases limit IN lists."""
    remaining = iter(values)
    while chunk := list(islice(remaining, size)):
        yield chunk


def of_run(run_id: str) -> str:
    """Filter for what the run with this id, which :func:`is_run_id` has accepted, made."""
    return f"source_run_id = '{run_id}'"
