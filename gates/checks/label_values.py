"""Labels that cannot be what they hypothesis: infinite numbers, and values that are no class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..formatting import count, plural
from ..metrics.classes import Classes
from ..metrics.definitions import CLASSIFICATION, REGRESSION
from ..metrics.losses import is_text
from ..report import Check


def label_checks(
    column: str, labels: NDArray[Any], classes: Classes | None, not_numbers: Mapping[str, int]
) -> list[Check]:
    """Checks of the labels of held-out rows; one that fails is INVALID. ``not_numbers`` counts the
    NaN of each column."""
    infinite = _infinite(labels)
    nan = not_numbers.get(column, 0)
    problems = []
    if infinite:
        problems.append(f"{count(infinite)} {plural('row', infinite)} with an infinite label")
    if nan:
        problems.append(f"{count(nan)} {plural('row', nan)} with the label NaN")
    if problems:
        return [
            Check(
                "label values",
                False,
                f"column {column} has {' and '.join(problems)} of {count(labels.size)}; correct "
                "the labels, or leave these rows out",
            )
        ]
    checks = [Check("label values", True, f"all labels in column {column} are finite")]
    if classes is not None:
        checks.append(_classes_check(column, labels, classes))
    return checks


def unfit_labels(
    model_type: str, labels: NDArray[Any], judged: NDArray[np.bool_], classes: Classes | None
) -> NDArray[np.bool_]:
    """Which of the judged requests have a label that is no class, or is not finite."""
    unfit = np.zeros(labels.size, dtype=bool)
    if model_type == CLASSIFICATION and classes is not None:
        unfit[judged] = classes.outside(labels[judged])
    elif model_type == REGRESSION and labels.dtype.kind == "f":
        unfit[judged] = ~np.isfinite(labels[judged])
    return unfit


def unfit_labels_check(examples: Mapping[str, int]) -> Check:
    """Labels of traffic that cannot be judged, by example, with how many there are."""
    name = "label values"
    number = sum(examples.values())
    if not number:
        return Check(name, True, "all labels are classes of the models, or finite numbers")
    sample = ", ".join(sorted(examples)[:3])
    return Check(
        name,
        False,
        f"{count(number)} labels in column label are no class of the models, or not finite, such "
        f"as {sample}; correct them, or state positive_label where labels are named otherwise",
    )


def drawn_labels(labels: NDArray[Any], classes: Classes | None) -> NDArray[Any]:
    """Labels as plots count them: of two classes, 0 and 1."""
    if classes is None or classes.size != 2:
        return labels
    return classes.codes(labels)


def format_label(label: Any) -> str:
    """A label as a message shows it."""
    return repr(label.item() if isinstance(label, np.generic) else label)


def _classes_check(column: str, labels: NDArray[Any], classes: Classes) -> Check:
    outside = classes.outside(labels)
    number = int(outside.sum())
    if not number:
        return Check(
            "label classes", True, f"all labels in column {column} are classes of the model"
        )
    kind = ""
    if is_text(labels[outside]) != any(isinstance(value, str) for value in classes.values):
        kind = " (one is text, the other a number)"
    return Check(
        "label classes",
        False,
        f"column {column} has {count(number)} of {count(labels.size)} labels that are no class of "
        f"the model, such as {format_label(labels[outside][0])}; its classes are {classes}{kind}",
    )


def _infinite(labels: NDArray[Any]) -> int:
    numbers = pd.to_numeric(pd.Series(labels), errors="coerce").to_numpy(
        dtype=float, na_value=np.nan
    )
    return int(np.isinf(numbers).sum())
