"""The classes that labels may have: labels as numbers, and which class is the positive one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput


@dataclass(frozen=True)
class Classes:
    """``values`` in order; of two, the last is the positive one. With ``any_other`` there is one
    value, the positive class, and every other label is the negative class."""

    values: tuple[Any, ...]
    any_other: bool = False

    @classmethod
    def numbered(cls, count: int) -> Classes:
        """0, 1, … as of a model that does not name its classes."""
        return cls(tuple(range(count)))

    @property
    def size(self) -> int:
        return 2 if self.any_other else len(self.values)

    def codes(self, labels: NDArray[Any]) -> NDArray[np.int64]:
        """Each label's place in ``values``; -1 for a label that is no class. 1, 1.0 and True are
        one label."""
        positions = pd.Index(_comparable(np.array(self.values, dtype=object))).get_indexer(
            pd.Index(_comparable(labels))
        )
        return np.asarray(positions + 1 if self.any_other else positions, dtype=np.int64)

    def outside(self, labels: NDArray[Any]) -> NDArray[np.bool_]:
        """Which labels are no class. Where only the positive class is known, these are all but
        the most frequent of the others."""
        codes = self.codes(labels)
        if not self.any_other:
            return np.asarray(codes < 0)
        others = pd.Series(labels[codes == 0])
        kinds = others.value_counts()
        if len(kinds) < 2:
            return np.zeros(len(labels), dtype=bool)
        return np.asarray((codes == 0) & (labels != kinds.index[0]))

    def __str__(self) -> str:
        text = ", ".join(repr(value) for value in self.values[:10])
        if self.any_other:
            return f"{text} and one other"
        return f"{text} …" if len(self.values) > 10 else text


def declared_classes(
    named: Sequence[Sequence[Any] | None], positive_label: Any, *, field: str
) -> Classes | None:
    """The classes of some models together, in the order of the first that names them;
    None where no model does and the policy states no positive label.

    Raises :class:`InvalidInput`, naming ``field``, for a positive label that is no class, or for
    more than two classes.
    """
    values = tuple(dict.fromkeys(value for classes in named for value in classes or ()))
    if positive_label is None:
        return Classes(values) if values else None
    if not values:
        return Classes((positive_label,), any_other=True)
    if positive_label not in values or len(values) != 2:
        wrong = "is no class of the models" if len(values) == 2 else "goes with two classes only"
        raise InvalidInput(
            f"positive_label {positive_label!r} {wrong}; their classes are {Classes(values)}",
            field=field,
        )
    return Classes((*(value for value in values if value != positive_label), positive_label))


def resolved_classes(
    classes: Classes | None, count: int, labels: NDArray[Any], title: str
) -> Classes:
    """``classes``, or numbers from 0 where they are not known. Raises :class:`InvalidDataset` for
    labels that are text then."""
    if classes is not None:
        return classes
    text = next((value for value in labels[:100] if isinstance(value, str)), None)
    if text is not None:
        raise InvalidDataset(
            f"{title} needs to know which label is which class: labels are text, such as "
            f"{text!r}, and the model does not name its classes; state positive_label in the "
            "policy, or use labels from 0",
            field="label",
        )
    return Classes.numbered(max(count, 2))


def _comparable(values: NDArray[Any]) -> Any:
    """Values that are equal when they mean one class: numbers and booleans as numbers."""
    array = np.asarray(values)
    if array.dtype.kind == "O":
        array = pd.Series(array).infer_objects().to_numpy()
    if array.dtype.kind == "b":
        return array.astype(np.int64)
    return array.astype(object) if array.dtype.kind in "US" else array
