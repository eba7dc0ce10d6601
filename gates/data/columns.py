"""Columns of the rows that a gate reads, against a model's signature and a policy's names.

Data that cannot be judged (no rows, columns unlike the signature) raise :class:`InvalidDataset`;
nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from model_lifecycle.registry.column_types import misfit
from model_lifecycle.registry.domain.errors import InvalidDataset

from ..metrics.losses import Answers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model_lifecycle.registry.frameworks.protocol import Column


def check_rows(frame: pd.DataFrame, what: str) -> None:
    """There is something to judge. Raises :class:`InvalidDataset`."""
    if frame.empty:
        raise InvalidDataset(f"{what} has no rows: there is nothing to judge")
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise InvalidDataset(f"{what} has the column {twice[0]!r} twice")


def column_problems(frame: pd.DataFrame, columns: Sequence[Column] | None) -> list[str]:
    """Which columns of a model's signature are missing or of another type; others may be there
    too."""
    if columns is None:
        return []
    return [
        f"{item.name} is missing"
        for item in columns
        if item.required and item.name not in frame.columns
    ] + [
        f"{item.name} is {frame[item.name].dtype}, not {item.type}: {problem}"
        for item in columns
        if item.name in frame.columns and (problem := misfit(frame[item.name], item.type))
    ]


def check_columns(frame: pd.DataFrame, columns: Sequence[Column] | None, what: str) -> None:
    """The columns of a model's signature are there and of their types. Raises
    :class:`InvalidDataset`, naming all that are not."""
    problems = column_problems(frame, columns)
    if problems:
        raise InvalidDataset(
            f"{what} does not match the model's signature: {', '.join(problems)}; "
            f"the signature is {', '.join(f'{item.name} {item.type}' for item in columns or ())}"
        )


def require_column(frame: pd.DataFrame, column: str | None, what: str) -> None:
    """A column that the policy names is there. Raises :class:`InvalidDataset`."""
    if column is not None and column not in frame.columns:
        raise InvalidDataset(f"{what} lacks the column {column}, which the policy names")


def features(frame: pd.DataFrame, columns: Sequence[Column] | None, other: Sequence[str]) -> Any:
    """The columns a model is given: those of its signature, else all but ``other``."""
    if columns is None:
        return frame.drop(columns=[name for name in other if name in frame.columns])
    return frame[[item.name for item in columns if item.name in frame.columns]]


def finite(answers: Answers) -> NDArray[np.bool_]:
    """Which rows have a usable prediction and, where there are scores, scores within 0 and 1."""
    good: NDArray[np.bool_] = ~np.asarray(pd.isna(answers.prediction), dtype=bool)
    if answers.prediction.dtype.kind in "fc":
        good &= np.isfinite(answers.prediction)
    if answers.score is not None:
        good &= np.isfinite(answers.score) & (answers.score >= 0) & (answers.score <= 1)
    if answers.probabilities is not None:
        table = answers.probabilities
        good &= (np.isfinite(table) & (table >= 0) & (table <= 1)).all(axis=1)
    for values in answers.fits.values():
        good &= np.isfinite(values)
    return good
