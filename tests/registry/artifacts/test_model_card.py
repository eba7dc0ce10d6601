"""The model card: complete, deterministic, and safe to show."""

from __future__ import annotations

from typing import Any

from model_lifecycle.registry.artifacts import model_card

FACTS: dict[str, Any] = {
    "tenant_id": "acme",
    "model_id": "churn",
    "version": 3,
    "framework": "sklearn",
    "model_type": "classification",
    "description": "Who will leave.\n\nTrained weekly.",
    "metrics": {"brier": 0.12345678, "auc": 0.9},
    "parameters": {"depth": "3"},
    "dataset": {"name": "customers", "digest": "sha256:00", "start": "2026-01-01"},
    "columns": [("age", "long"), ("plan", "string")],
    "requirements": ["numpy==2.4.6", "scikit-learn==1.9.1"],
    "run_id": "a" * 32,
    "logged_model_id": "m-1",
    "created_by": "ada",
}


def test_what_a_card_tells() -> None:
    """A card tells what, from what, how good, how to load it, and on what it depends."""
    card = model_card(**FACTS)
    expected = [
        "# churn, version 3",
        "Trained weekly.",
        "| brier | 0.123457 |",
        "| depth | 3 |",
        "| start | 2026-01-01 |",
        "| age | long |",
        f"| run | {'a' * 32} |",
        "registry.load_model('acme', 'churn', 3)",
        "scikit-learn==1.9.1",
    ]

    assert [line for line in expected if line not in card] == []


def test_the_same_facts_give_the_same_card() -> None:
    """The order of metrics and parameters does not change a card."""
    turned = {**FACTS, "metrics": dict(reversed(FACTS["metrics"].items()))}

    assert model_card(**turned) == model_card(**FACTS)


def test_text_stays_text() -> None:
    """Text that people write into a card can be neither markup nor another row or section."""
    hostile = "x | y\n\n# Head <script>alert(1)</script> `code` [a](javascript:b)"
    card = model_card(**{**FACTS, "description": hostile, "parameters": {hostile: hostile}})
    lines = card.splitlines()

    assert [line for line in lines if line.startswith("# ")] == ["# churn, version 3"]
    assert "<script>" not in card
    assert "[a](" not in card
    assert len([line for line in lines if line.startswith("| x")]) == 1


def test_a_card_of_few_facts() -> None:
    """A card says what is not known instead of leaving it out."""
    card = model_card(
        tenant_id="acme",
        model_id="churn",
        version=1,
        framework="sklearn",
        model_type="regression",
        metrics={},
        parameters={},
    )

    assert card.count("None recorded.") == 3
    assert "Saved without a signature." in card


def test_slices_and_onnx_have_their_places() -> None:
    """Metrics of slices follow those of all rows; a pickled payload is a limit."""
    card = model_card(
        **{**FACTS, "metrics": {"brier": 0.1, "brier/plan/basic": 0.2}},
        onnx="There is no checked model.onnx: nobody asked.",
        limits=["Loading it runs code."],
    )

    assert card.index("| brier | 0.1 |") < card.index("### By slice")
    assert "| brier/plan/basic | 0.2 |" in card
    assert "## ONNX\n\nThere is no checked model.onnx: nobody asked." in card
    assert "- Loading it runs code." in card
