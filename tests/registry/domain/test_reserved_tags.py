from __future__ import annotations

import pytest

from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.reserved_tags import is_reserved, refuse_reserved


@pytest.mark.parametrize(
    "name",
    ["stage", "tenant_id", "framework", "model_type", "onnx.parity", "lifecycle.stage", "mlflow.x"],
)
def test_reserved(name: str) -> None:
    """The error names the tag and what is reserved."""
    assert is_reserved(name)
    with pytest.raises(InvalidInput, match="set by the registry alone") as caught:
        refuse_reserved({"team": "a", name: "b"})
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    "name", ["team", "Stage", "dataset.end", "lifecycle.dataset.end", "my.lifecycle"]
)
def test_allowed(name: str) -> None:
    """A caller's own names, and what a caller says of the training data, are free."""
    refuse_reserved({name: "x"})
