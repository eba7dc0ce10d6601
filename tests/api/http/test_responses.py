from __future__ import annotations

import json
from datetime import UTC, datetime

from model_lifecycle.api.http.responses import encode
from model_lifecycle.registry.domain.models import ModelMetadata, VersionMetadata
from model_lifecycle.registry.domain.stages import Stage

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODEL = ModelMetadata(
    "churn", "acme", "churn", "größe", "classification", "sklearn", 1, (1, 2), Stage.STAGING,
    {"auc": 0.9}, {"C": "1"}, {"a": "b"}, AT, AT, "kim", "s3://b/x", None, 3,
)  # fmt: skip
VERSION = VersionMetadata(
    "acme", "churn", 1, Stage.PRODUCTION, "sklearn", {"auc": 0.9}, {}, {}, "s3://b/x", "sha256:0",
    None, "m-1", AT, "kim", AT,
)  # fmt: skip


def test_models_and_versions_are_written_as_their_documents() -> None:
    """The quick way gives what ``document()`` gives, with the text that the specification has."""
    model = {**MODEL.document(), "current_version": "1", "versions": ["1", "2"]}

    assert json.loads(encode([MODEL, VERSION])) == [model, VERSION.document()]


def test_metrics_that_are_no_numbers_become_null() -> None:
    """MLflow keeps NaN and infinity; JSON does not."""
    encoded = encode({"a": [float("nan"), 1.5], "b": {"c": float("inf")}, "at": AT})

    assert encoded == b'{"a":[null,1.5],"b":{"c":null},"at":"2026-03-01T12:00:00.000000+00:00"}'
