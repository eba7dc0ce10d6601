"""Modules that can be saved, and those that cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.networks import absent, frame, torch_module

from model_lifecycle.registry.domain.errors import InvalidInput, UntrustedModel
from model_lifecycle.registry.frameworks import adapter_for

pytestmark = pytest.mark.skipif(bool(absent("pytorch")), reason="PyTorch is not installed")


def test_a_module_that_cannot_be_exported(tmp_path: Path) -> None:
    """It would need pickle: refused with the reason; with the setting it is saved and loaded, and
    the folder says so."""
    import torch

    class Choosing(torch.nn.Module):
        def forward(self, rows: Any) -> Any:
            # A branch on the values of the input cannot be traced.
            return torch.sigmoid(rows[:, :1]) if rows.sum() > 0 else torch.sigmoid(rows[:, 1:2])

    globals()["Choosing"] = Choosing
    Choosing.__qualname__ = "Choosing"
    model = Choosing()
    with pytest.raises(UntrustedModel, match="would need pickle"):
        adapter_for("pytorch").save(model, tmp_path / "model", input_example=frame())

    assert not (tmp_path / "model").exists()

    allowing = adapter_for("pytorch", allow_pickle=True)
    saved = allowing.save(model, tmp_path / "model", input_example=frame())

    assert saved.pickled
    assert saved.notes["serialization"] == "pickle"
    assert "could not be exported" in saved.onnx.reason
    assert len(allowing.load(tmp_path / "model").predict(frame(3))) == 3
    with pytest.raises(UntrustedModel, match="saved with pickle"):
        adapter_for("pytorch").load(tmp_path / "model")


def test_logits_are_no_probabilities(tmp_path: Path) -> None:
    """A classifier without a sigmoid is refused at registration, not by the gates."""
    import torch

    with pytest.raises(InvalidInput, match="probabilities"):
        adapter_for("pytorch").save(
            torch.nn.Linear(3, 2), tmp_path / "model", input_example=frame()
        )

    assert not (tmp_path / "model").exists()


def test_the_given_module_stays_as_it_is(tmp_path: Path) -> None:
    """Saving evaluates a copy: the module goes on training."""
    model = torch_module()
    adapter_for("pytorch").save(model, tmp_path / "model", input_example=frame())

    assert model.training
