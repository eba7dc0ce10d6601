"""Trees whose indices lead outside of them, or in circles, are refused before they predict."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io

from model_lifecycle.registry.domain.errors import UntrustedModel
from model_lifecycle.registry.frameworks import FrameworkAdapter
from model_lifecycle.registry.frameworks.sklearn_model.tree_validation import check_trees

Fitted = Callable[[str], Any]
Change = Callable[[np.ndarray], None]

TREES = {"tree": 1, "forest": 5, "extra-trees": 5, "boosting": 5, "histogram": 5, "adaboost": 3}


def put(field: str, value: int) -> Change:
    """Sets a field of the root node."""

    def change(nodes: np.ndarray) -> None:
        nodes[field][0] = value

    return change


def no_leaf_at_the_end(nodes: np.ndarray) -> None:
    nodes["left_child"][-1] = nodes["right_child"][-1] = 1


TREE_CHANGES = {
    "left-outside": put("left_child", 10**6),
    "right-outside": put("right_child", 10**6),
    "circle": put("left_child", 0),
    "negative": put("right_child", -5),
    "feature-outside": put("feature", 10**6),
    "feature-negative": put("feature", -7),
    "no-leaf": no_leaf_at_the_end,
}
PREDICTOR_CHANGES = {
    "left-outside": put("left", 10**6),
    "right-outside": put("right", 10**6),
    "circle": put("left", 0),
    "feature-outside": put("feature_idx", 4),
    "feature-negative": put("feature_idx", -1),
}


def with_nodes(tree: Any, change: Change) -> Any:
    """A tree with changed nodes, as scikit-learn itself restores one."""
    make, arguments, state = tree.__reduce__()
    state = {**state, "nodes": state["nodes"].copy()}
    change(state["nodes"])
    changed = make(*arguments)
    changed.__setstate__(state)
    return changed


@pytest.mark.parametrize("kind", TREES)
def test_sound_models(kind: str, fitted: Fitted) -> None:
    """A fitted model is sound, and all of its trees are seen."""
    assert check_trees(fitted(kind)) == TREES[kind]


@pytest.mark.parametrize("change", TREE_CHANGES.values(), ids=TREE_CHANGES)
def test_unsound_trees(change: Change, fitted: Fitted) -> None:
    """A decision tree with indices that lead astray is refused."""
    model = copy.deepcopy(fitted("tree"))
    model[-1].tree_ = with_nodes(model[-1].tree_, change)
    with pytest.raises(UntrustedModel):
        check_trees(model)


def test_a_forest_narrower_than_its_trees(fitted: Fitted) -> None:
    """A forest that says it is narrower than its trees, which it does not check, is refused."""
    model = copy.deepcopy(fitted("forest"))
    model[-1].n_features_in_ = 1
    with pytest.raises(UntrustedModel):
        check_trees(model)


@pytest.mark.parametrize("change", PREDICTOR_CHANGES.values(), ids=PREDICTOR_CHANGES)
def test_unsound_boosting(change: Change, fitted: Fitted) -> None:
    """A tree of a boosting model with indices that lead astray is refused."""
    model = copy.deepcopy(fitted("histogram"))
    change(model[-1]._predictors[0][0].nodes)
    with pytest.raises(UntrustedModel):
        check_trees(model)


def test_unsound_categories(fitted: Fitted) -> None:
    """A split by category that points beyond the known categories is refused."""
    model = copy.deepcopy(fitted("histogram"))
    nodes = model[-1]._predictors[0][0].nodes
    nodes["is_categorical"][0] = 1
    nodes["bitset_idx"][0] = 10**6
    with pytest.raises(UntrustedModel):
        check_trees(model)


def test_an_encoder_that_drops_columns(fitted: Fitted) -> None:
    """A boosting model whose own encoder gives fewer columns than its trees ask for is refused."""
    model = copy.deepcopy(fitted("histogram-from-dtype"))
    encoder = model._preprocessor
    encoder.transformers_ = encoder.transformers_[:1]
    with pytest.raises(UntrustedModel):
        check_trees(model)


def test_parts_that_are_missing(fitted: Fitted) -> None:
    """A boosting model without its table of categories is refused, not an AttributeError."""
    model = copy.deepcopy(fitted("histogram"))
    del model[-1]._bin_mapper
    with pytest.raises(UntrustedModel):
        check_trees(model)


def test_loading_an_unsound_file(
    tmp_path: Path, adapter: FrameworkAdapter, fitted: Fitted, frame: pd.DataFrame
) -> None:
    """A file of trusted types with unsound trees saves and passes skops, but does not load."""
    folder = tmp_path / "model"
    adapter.save(fitted("tree"), folder, input_example=frame.head())
    model = copy.deepcopy(fitted("tree"))
    model[-1].tree_ = with_nodes(model[-1].tree_, put("feature", 10**6))
    skops.io.dump(model, folder / "model.skops")
    with pytest.raises(UntrustedModel, match="feature"):
        adapter.load(folder)
