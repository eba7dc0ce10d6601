"""Exports to ONNX that are left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.networks import absent, fitted, frame

from model_lifecycle.registry.frameworks import adapter_for

pytestmark = pytest.mark.skipif(bool(absent("onnx")), reason="ONNX is not installed")


def test_an_onnx_export_that_answers_otherwise_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is saved without it, and the reason has both numbers."""
    from model_lifecycle.registry.frameworks.onnx_model import export

    monkeypatch.setattr(export, "TOLERANCE", 1e-12)
    saved = adapter_for("sklearn").save(
        fitted("sklearn").model, tmp_path / "model", input_example=frame()
    )

    assert not (tmp_path / "model" / "model.onnx").exists()
    assert not saved.onnx.exported
    assert "differs from the model by" in saved.onnx.reason


def test_what_no_converter_can_is_saved_without(tmp_path: Path) -> None:
    """HistGradientBoosting has no ONNX form today; the folder says so."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = frame(200)
    model = HistGradientBoostingClassifier(max_iter=3).fit(rows, rows["recent"] > 0)
    saved = adapter_for("sklearn").save(model, tmp_path / "model", input_example=rows)

    assert not (tmp_path / "model" / "model.onnx").exists()
    assert "could not be exported" in saved.onnx.sentence()
