"""Checks on the parts of a loaded model that compiled code follows unchecked, before it predicts.

scikit-learn's compiled code follows a tree's node indices without bounds checks: a crafted file
of trusted types could make it read outside its arrays or loop for ever
(https://github.com/scikit-learn/scikit-learn/pull/34558). scipy's relies on the lengths of a
spline's knots and on the indices of a sparse matrix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.errors import UntrustedModel

from .neighbour_trees import is_tree, renew_tree

if TYPE_CHECKING:
    import numpy as np

#: Ensembles that hand rows to their trees unchecked, so that their own width is what counts.
_PASSING_ON = ("sklearn.ensemble._forest", "sklearn.ensemble._gb", "sklearn.ensemble._iforest")


def check_trees(model: Any) -> int:
    """Check all trees of ``model`` and return their number.

    Sound: every child lies behind its parent (so that each walk ends) and inside the arrays, and
    every feature is one that the rows have. Raises :class:`UntrustedModel`.
    """
    try:
        return _check_all(model)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UntrustedModel(f"the model's parts do not fit together: {error!r}") from error


def _check_all(model: Any) -> int:
    import numpy as np
    from scipy import sparse
    from scipy.interpolate import BSpline
    from sklearn.base import BaseEstimator
    from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import (
        BaseHistGradientBoosting,
    )
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.tree._tree import Tree

    checked: dict[int, Any] = {}
    todo: list[tuple[Any, int | None]] = [(model, None)]
    trees = 0
    while todo:
        item, width = todo.pop()
        if id(item) in checked or isinstance(item, str | bytes | int | float | bool | type(None)):
            continue
        checked[id(item)] = item
        if isinstance(item, Tree):
            _check_tree(item, width)
            trees += 1
        elif isinstance(item, TreePredictor):
            _check_predictor(item, width)
            trees += 1
        elif is_tree(item):
            raise UntrustedModel("the model holds a tree of neighbours in an unknown place")
        elif sparse.issparse(item):
            item.check_format(full_check=True)
        elif isinstance(item, BSpline):
            BSpline(item.t, item.c, item.k, item.extrapolate, item.axis)
        elif isinstance(item, dict):
            todo += [(value, width) for value in item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            todo += [(value, width) for value in item]
        elif isinstance(item, np.ndarray):
            todo += [(value, width) for value in item.flat] if item.dtype == object else []
        elif hasattr(item, "__dict__") and not isinstance(item, type):
            if isinstance(item, BaseHistGradientBoosting):
                _check_boosting(item)
            if isinstance(item, BaseEstimator) and (renewed := renew_tree(item)) is not None:
                checked[id(renewed)] = renewed
            width = _width(item, width)
            todo += [(value, width) for value in vars(item).values()]
    return trees


def _width(owner: Any, outer: int | None) -> int | None:
    """The number of features that the trees below ``owner`` are guaranteed to get."""
    own = vars(owner).get("n_features_in_")
    if not isinstance(own, int):
        return outer
    # A forest checks rows by its own width and its trees not at all; the widths of others are
    # checked by each estimator itself.
    inside = type(owner).__module__ in ("sklearn.tree._classes", *_PASSING_ON)
    return min(own, outer) if inside and outer is not None else own


def _check_tree(tree: Any, width: int | None) -> None:
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    leaf = left == -1
    _check(left[~leaf], right[~leaf], feature[~leaf], leaf, min(tree.n_features, width or 0))


def _check_predictor(predictor: Any, width: int | None) -> None:
    import numpy as np

    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    inner = nodes[~leaf]
    left, right = inner["left"].astype(np.int64), inner["right"].astype(np.int64)
    _check(left, right, inner["feature_idx"], leaf, width or 0)
    bitsets = predictor.raw_left_cat_bitsets
    used = inner["bitset_idx"][inner["is_categorical"].astype(bool)]
    if used.size and (bitsets.ndim != 2 or bitsets.shape[1] != 8 or used.max() >= len(bitsets)):
        raise UntrustedModel("the model holds a tree whose categories point outside of it")


def _check_boosting(model: Any) -> None:
    """That the rows are as wide as told when they reach the trees: categorical columns go through
    an encoder first, whose columns must be the model's, each once."""
    import numpy as np
    from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

    state = vars(model)
    width, encoding = state.get("n_features_in_"), state.get("_preprocessor")
    if not isinstance(width, int) or np.size(state["_bin_mapper"].is_categorical_) != width:
        raise UntrustedModel("the model holds a table of categories unlike its features")
    if encoding is None:
        return
    steps = [(type(step), mask) for _, step, mask in encoding.transformers_]
    kinds = {kind for kind, mask in steps if np.any(mask)}
    masks = [np.asarray(mask) for _, mask in steps]
    known = kinds <= {OrdinalEncoder, FunctionTransformer}
    sound = all(mask.dtype == bool and mask.shape == (width,) for mask in masks)
    if not (known and sound and (np.sum(masks, axis=0) == 1).all()):
        raise UntrustedModel("the model encodes its columns in another way than scikit-learn does")


def _check(
    left: np.ndarray, right: np.ndarray, feature: np.ndarray, leaf: np.ndarray, width: int
) -> None:
    import numpy as np

    parents = np.flatnonzero(~leaf)
    if not leaf.size or not leaf[-1]:
        raise UntrustedModel("the model holds a tree that does not end in a leaf")
    for children in (left, right):
        if (children <= parents).any() or (children >= leaf.size).any():
            raise UntrustedModel("the model holds a tree whose nodes point outside of it or back")
    if ((feature < 0) | (feature >= width)).any():
        raise UntrustedModel(
            f"the model holds a tree that asks for a feature beyond the {width} it is given"
        )
