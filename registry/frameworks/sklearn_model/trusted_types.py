"""Types that a skops payload may hold beyond those that skops trusts itself, each with a reason.

skops rebuilds a model from named types and plain data, and refuses names it does not know. A type
belongs here only if building and using it from *any* data runs no code that the data chose. Where
a type's numbers are used as addresses, those are checked after loading (``trees.py``). A name that
the installed release lacks does no harm: a payload that uses it fails to load. For types of one's
own there is the setting ``MODEL_LIFECYCLE_TRUSTED_TYPES``.
"""

from __future__ import annotations

from collections.abc import Iterable

_PLAIN = "plain Python object: attributes only, no constructor or setter that acts on them"
_ARRAY_FUNCTION = "pure function of arrays; it touches nothing else"

REVIEWED: dict[str, str] = {
    "numpy.dtype": "describes an array's element type; rebuilt from an empty array, without pickle",
    "numpy.number": "abstract number type, named as a selector of columns; never instantiated",
    "functools.partial": "skops checks the wrapped function and each argument by their own names",
    "sklearn.utils.validation.check_array": _ARRAY_FUNCTION,
    "sklearn.utils._bunch.Bunch": "dictionary with attribute access (voting, stacking)",
    "sklearn.compose._column_transformer.make_column_selector": (
        "chooses columns by name pattern and type; reads the frame's header only"
    ),
    "sklearn.tree._tree.Tree": (
        "trees of DecisionTree, RandomForest, ExtraTrees, GradientBoosting: compiled code follows "
        "its node indices unchecked, so they are checked after loading"
    ),
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor": (
        "trees of HistGradientBoosting: compiled code follows its node indices unchecked, so they "
        "are checked after loading"
    ),
    "sklearn._loss.loss.HalfTweedieLoss": "loss with one number, as the losses skops trusts",
    "sklearn._loss.loss.HalfTweedieLossIdentity": "loss with one number, as above",
    "sklearn.calibration._SigmoidCalibration": "estimator with two numbers",
    "sklearn.calibration._TemperatureScaling": "estimator with one number",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer": _PLAIN,
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer": _PLAIN,
    "sklearn.feature_selection._univariate_selection.f_classif": _ARRAY_FUNCTION,
    "sklearn.feature_selection._univariate_selection.f_regression": _ARRAY_FUNCTION,
    "sklearn.feature_selection._univariate_selection.chi2": _ARRAY_FUNCTION,
    "sklearn.metrics._scorer._PassthroughScorer": "calls the score of an estimator that is checked",
    "sklearn.calibration._CalibratedClassifier": _PLAIN,
    "sklearn.cluster._bisect_k_means._BisectingTree": "nodes that point to each other by reference",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace": _PLAIN,
    "sklearn.impute._iterative._ImputerTriplet": "named tuple of a column and its estimator",
    "sklearn.multiclass._ConstantPredictor": _PLAIN,
    "scipy.interpolate._bsplines.BSpline": (
        "knots and coefficients of SplineTransformer: compiled code relies on their lengths, so "
        "they are checked after loading"
    ),
    "scipy._lib.array_api_compat.numpy._aliases.asarray": _ARRAY_FUNCTION,
    "scipy.sparse._csr.csr_matrix": "its indices are checked after loading",
    "scipy.sparse._csc.csc_matrix": "its indices are checked after loading",
    "scipy.sparse._csr.csr_array": "its indices are checked after loading",
    "scipy.sparse._csc.csc_array": "its indices are checked after loading",
}

#: What models of earlier releases name, and the newest releases lack.
EARLIER: dict[str, str] = {
    "sklearn.compose._column_transformer._RemainderColsList": (
        "list of columns that warns when it is read (scikit-learn 1.5 to 1.8)"
    ),
    "sklearn.model_selection._classification_threshold._CurveScorer": (
        "calls a score function, which skops checks by its own name (scikit-learn 1.5)"
    ),
}
REVIEWED |= EARLIER


def _of(module: str, names: str, reason: str) -> dict[str, str]:
    return {f"{module}.{name}": reason for name in names.split()}


# Estimators that scikit-learn hides until an experimental module is imported: skops knows them
# only in a process that has imported it.
REVIEWED |= _of("sklearn.impute._iterative", "IterativeImputer", "estimator")
REVIEWED |= _of(
    "sklearn.model_selection._search_successive_halving",
    "HalvingGridSearchCV HalvingRandomSearchCV",
    "search; prediction is that of its best estimator",
)
# A search keeps how it split and how it scored; prediction uses neither.
REVIEWED |= _of(
    "sklearn.model_selection._split",
    "KFold GroupKFold StratifiedKFold StratifiedGroupKFold TimeSeriesSplit LeaveOneOut LeavePOut "
    "LeaveOneGroupOut LeavePGroupsOut RepeatedKFold RepeatedStratifiedKFold ShuffleSplit "
    "GroupShuffleSplit StratifiedShuffleSplit PredefinedSplit _CVIterableWrapper",
    _PLAIN,
)
REVIEWED |= _of(
    "sklearn.metrics._scorer",
    "_Scorer _CurveScorer _MultimetricScorer",
    "calls a score function, which skops checks by its own name",
)
REVIEWED |= _of(
    "sklearn.metrics._scorer",
    "negative_likelihood_ratio positive_likelihood_ratio",
    _ARRAY_FUNCTION,
)
REVIEWED |= _of(
    "sklearn.metrics._classification",
    "accuracy_score balanced_accuracy_score brier_score_loss cohen_kappa_score d2_brier_score "
    "d2_log_loss_score f1_score fbeta_score hamming_loss hinge_loss jaccard_score log_loss "
    "matthews_corrcoef precision_score recall_score zero_one_loss",
    _ARRAY_FUNCTION,
)
REVIEWED |= _of(
    "sklearn.metrics._ranking",
    "average_precision_score dcg_score label_ranking_average_precision_score ndcg_score "
    "roc_auc_score top_k_accuracy_score",
    _ARRAY_FUNCTION,
)
REVIEWED |= _of(
    "sklearn.metrics._regression",
    "d2_absolute_error_score d2_pinball_score d2_tweedie_score explained_variance_score max_error "
    "mean_absolute_error mean_absolute_percentage_error mean_gamma_deviance mean_pinball_loss "
    "mean_poisson_deviance mean_squared_error mean_squared_log_error mean_tweedie_deviance "
    "median_absolute_error r2_score root_mean_squared_error root_mean_squared_log_error",
    _ARRAY_FUNCTION,
)
REVIEWED |= _of(
    "sklearn.metrics.cluster._supervised",
    "adjusted_mutual_info_score adjusted_rand_score completeness_score fowlkes_mallows_score "
    "homogeneity_score mutual_info_score normalized_mutual_info_score rand_score v_measure_score",
    _ARRAY_FUNCTION,
)
REVIEWED |= _of("sklearn.utils._metadata_requests", "MetadataRequest MethodMetadataRequest", _PLAIN)
REVIEWED |= _of(
    "sklearn.gaussian_process.kernels",
    "CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Hyperparameter Matern "
    "PairwiseKernel Product RBF RationalQuadratic Sum WhiteKernel",
    "kernel with numbers for parameters; a function in one is checked by its own name",
)
REVIEWED |= _of(
    "numpy",
    "mean median max min sum std var nanmean nanmedian nan_to_num clip round",
    _ARRAY_FUNCTION,
)
# Their nodes are not used: a tree is built again from its points after loading
# (``neighbour_trees.py``).
_NEIGHBOURS = "the tree of neighbours is built again after loading"
REVIEWED |= _of("sklearn.neighbors._kd_tree", "KDTree KDTree32 KDTree64", _NEIGHBOURS)
REVIEWED |= _of("sklearn.neighbors._ball_tree", "BallTree BallTree32 BallTree64", _NEIGHBOURS)
REVIEWED |= _of(
    "sklearn.metrics._dist_metrics",
    " ".join(
        f"{name}Distance{size}"
        for name in (
            "Euclidean",
            "Manhattan",
            "Chebyshev",
            "Minkowski",
            "Haversine",
            "Hamming",
            "Canberra",
            "BrayCurtis",
            "SEuclidean",
        )
        for size in (32, 64)
    ),
    _NEIGHBOURS,
)


def trusted_types(extra: Iterable[str] = ()) -> list[str]:
    """The reviewed names and ``extra``, sorted."""
    return sorted({*REVIEWED, *extra})
