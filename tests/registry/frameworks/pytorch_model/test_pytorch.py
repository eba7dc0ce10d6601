"""PyTorch modules in their usual form register, and answer as they did."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.networks import COLUMNS, absent, frame

from model_lifecycle.registry.frameworks import adapter_for

pytestmark = pytest.mark.skipif(bool(absent("pytorch")), reason="PyTorch is not installed")


def module(forward: Callable[[Any, Any], Any], **parts: Any) -> Any:
    """A classifier: ``forward`` gives what its last layer and a sigmoid are computed from."""
    import torch

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = torch.nn.Linear(len(COLUMNS), 1)
            for name, part in parts.items():
                setattr(self, name, part)

        def forward(self, x: Any) -> Any:
            return torch.sigmoid(self.head(forward(self, x)))

    torch.manual_seed(0)
    return Module().eval()


def _attention(self: Any, x: Any) -> Any:
    import torch

    return torch.nan_to_num(torch.softmax(x.masked_fill(x < -1, float("-inf")), 1))


def _causal(self: Any, x: Any) -> Any:
    import torch

    mask = torch.full((3, 3), float("-inf")).triu(1)
    query = x.unsqueeze(-1).expand(-1, -1, 4)
    attention = torch.nn.functional.scaled_dot_product_attention
    return attention(query, query, query, attn_mask=mask).mean(-1)


def _clamped(self: Any, x: Any) -> Any:
    return x.clamp(min=-math.inf, max=math.inf).nan_to_num(0.0, math.inf, -math.inf)


def _filled_with_nan(self: Any, x: Any) -> Any:
    return x.masked_fill(x < 0, math.nan).nan_to_num(0.5)


def _padded(self: Any, x: Any) -> Any:
    import torch

    return torch.nn.functional.pad(x, (1, 1), value=-math.inf)[:, 1:-1]


def _without_gradient(self: Any, x: Any) -> Any:
    import torch

    with torch.no_grad():
        return x * 2


def _branching(self: Any, x: Any) -> Any:
    import torch

    return torch.cond(x.sum() > 0, lambda y: y + 1, lambda y: y - 1, (x,))


def _dashed(self: Any, x: Any) -> Any:
    return self.parts["in-proj"](x)


def _dashed_module() -> Any:
    import torch

    return module(_dashed, parts=torch.nn.ModuleDict({"in-proj": torch.nn.Linear(3, 3)}))


MODULES = {
    "attention with padding": lambda: module(_attention),
    "attention with a causal mask": lambda: module(_causal),
    "infinite limits": lambda: module(_clamped),
    "not a number": lambda: module(_filled_with_nan),
    "padded with minus infinity": lambda: module(_padded),
    "a part without gradients": lambda: module(_without_gradient),
    "a branch on the data": lambda: module(_branching),
    "a part whose name has a dash": _dashed_module,
}


@pytest.mark.parametrize("name", MODULES)
def test_ordinary_modules_answer_as_they_did(name: str, tmp_path: Path) -> None:
    """An operator that the review of exported programs does not know would be refused here."""
    import torch

    model, rows = MODULES[name](), frame(20)
    adapter = adapter_for("pytorch")
    adapter.save(model, tmp_path / "model", input_example=rows)
    with torch.no_grad():
        expected = model(torch.tensor(rows.to_numpy(dtype="float32")))[:, 0].numpy()

    scores = adapter.load(tmp_path / "model").scores(rows)
    assert scores is not None
    np.testing.assert_allclose(scores, expected, atol=1e-6, rtol=0)
