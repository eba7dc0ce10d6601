"""Trees of nearest neighbours in a loaded model: built again from the points they hold.

scikit-learn's compiled code follows the nodes and indices of such a tree without bounds checks, so
those of a file are not used. Building is deterministic: the same points give the same tree.
"""

from __future__ import annotations

from typing import Any

from model_lifecycle.registry.domain.errors import UntrustedModel


def is_tree(item: Any) -> bool:
    """Whether ``item`` is a tree of nearest neighbours."""
    from sklearn.neighbors import BallTree, KDTree
    from sklearn.neighbors._ball_tree import BallTree32
    from sklearn.neighbors._kd_tree import KDTree32

    return isinstance(item, KDTree | BallTree | KDTree32 | BallTree32)


def renew_tree(owner: Any) -> Any:
    """The new tree of an estimator that has one, which it uses from now on; else None.

    Raises what scikit-learn raises for points, distances and parameters that do not fit together.
    """
    from sklearn.neighbors import KernelDensity
    from sklearn.neighbors._base import NeighborsBase

    state = vars(owner)
    if isinstance(owner, KernelDensity) and is_tree(state.get("tree_")):
        return _renewed_density(owner)
    if not isinstance(owner, NeighborsBase) or not is_tree(state.get("_tree")):
        return None
    tree = state["_tree"]
    points, width = state["_fit_X"], state.get("n_features_in_")
    if points.ndim != 2 or points.shape[1] != width:
        raise UntrustedModel("the model holds a tree of points unlike its features")
    _require_named(state["effective_metric_"])
    owner._tree = type(tree)(
        points,
        state["leaf_size"],
        metric=state["effective_metric_"],
        **state["effective_metric_params_"],
    )
    return owner._tree


def _renewed_density(owner: Any) -> Any:
    import numpy as np

    tree = owner.tree_
    _require_named(owner.metric)
    weights = tree.sample_weight
    owner.tree_ = type(tree)(
        np.asarray(tree.data),
        metric=owner.metric,
        leaf_size=owner.leaf_size,
        sample_weight=None if weights is None else np.asarray(weights),
        **(owner.metric_params or {}),
    )
    return owner.tree_


def _require_named(metric: Any) -> None:
    """A distance by its name is built here, and its parameters are checked; one of the file would
    bring numbers of its own along."""
    if not isinstance(metric, str):
        raise UntrustedModel(
            f"the model measures distances with a {type(metric).__name__}; name the metric instead"
        )
