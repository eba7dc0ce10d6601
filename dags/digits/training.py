"""Training of the digits network: two convolutions in PyTorch, seconds on two cores."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from model_lifecycle.dags.digits.data import LABEL, PARTS, PIXELS, SIDE, load_part
from model_lifecycle.registry.domain.models import TrainedModel
from model_lifecycle.registry.frameworks.dependencies import require_installed

if TYPE_CHECKING:
    import pandas as pd

DESCRIPTION = "Which digit is on a picture of 8 by 8 pixels?"

_CLASSES = 10
_BATCH = 64
_RATE = 0.01


def train_digits(*, epochs: str, channels: str, seed: str) -> TrainedModel:
    """Train for so many ``epochs`` with so many ``channels`` in the first convolution.

    The same arguments give the same network on the same machine. Raises FrameworkUnavailable
    where PyTorch is not installed.
    """
    require_installed("pytorch", "torch")
    import torch

    images = load_part("training")
    inputs = torch.tensor(images[PIXELS].to_numpy(dtype="float32"))
    digits = torch.tensor(images[LABEL].to_numpy())
    torch.manual_seed(int(seed))
    network = _network(int(channels))
    losses = _fit(network, inputs, digits, int(epochs))
    with torch.no_grad():
        right = (network.eval()(inputs).argmax(dim=1) == digits).numpy()
    return TrainedModel(
        model=network,
        framework="pytorch",
        metrics={
            "training_loss": losses[-1],
            "training_accuracy": float(right.mean()),
            **_by_digit(images, right),
        },
        parameters={"epochs": epochs, "channels": channels, "seed": seed, "learning_rate": _RATE},
        description=DESCRIPTION,
        input_example=images[PIXELS].head(100),
        training_log="".join(f"epoch {at}: loss {loss:.4f}\n" for at, loss in enumerate(losses, 1)),
        dataset={
            "name": "scikit-learn digits",
            "digest": _digest(images),
            "images": f"{PARTS['training'][0]} to {PARTS['training'][1] - 1}, mixed",
        },
    )


def _network(channels: int) -> Any:
    """Pixels in one row a picture, probabilities of the ten digits out."""
    from torch import nn

    return nn.Sequential(
        nn.Unflatten(1, (1, SIDE, SIDE)),
        *(nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Flatten(),
        nn.Linear(2 * channels * (SIDE // 4) ** 2, _CLASSES),
        nn.Softmax(dim=1),
    )


def _fit(network: Any, inputs: Any, digits: Any, epochs: int) -> list[float]:
    """Mean loss of each epoch. The softmax is left out: the loss has its own, of logits."""
    import torch

    logits = network[:-1]
    optimizer = torch.optim.Adam(network.parameters(), lr=_RATE)
    loss_of = torch.nn.CrossEntropyLoss()
    losses = []
    for _ in range(epochs):
        order = torch.randperm(len(inputs))
        total = 0.0
        for batch in order.split(_BATCH):
            loss = loss_of(logits(inputs[batch]), digits[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(batch)
        losses.append(total / len(inputs))
    return losses


def _by_digit(images: pd.DataFrame, right: Any) -> dict[str, float]:
    """Accuracy of each digit, as slices of the model card."""
    shares = images.assign(right=right).groupby(LABEL)["right"].mean()
    return {f"training_accuracy/{LABEL}/{digit}": float(share) for digit, share in shares.items()}


def _digest(images: pd.DataFrame) -> str:
    import pandas as pd

    rows = pd.util.hash_pandas_object(images, index=False)
    return f"sha256:{hashlib.sha256(rows.to_numpy().tobytes()).hexdigest()}"
