"""Types that a skops payload may hold beyond those that skops trusts itself, each with a reason.

skops rebuilds a model from named types and plain data, and refuses names it does not know. A type
belongs here only if building and using it from *any* data runs no code that the data chose. Where
a type's numbers are used as addresses, those are checked after loading (``trees.py``). For types
of one's own there is the setting ``MODEL_LIFECYCLE_TRUSTED_TYPES``.
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
    "sklearn.calibration._CalibratedClassifier": _PLAIN,
    "sklearn.calibration._SigmoidCalibration": "estimator with two numbers",
    "sklearn.calibration._TemperatureScaling": "estimator with one number",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer": _PLAIN,
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer": _PLAIN,
    "sklearn.feature_selection._univariate_selection.f_classif": _ARRAY_FUNCTION,
    "sklearn.feature_selection._univariate_selection.f_regression": _ARRAY_FUNCTION,
    "sklearn.feature_selection._univariate_selection.chi2": _ARRAY_FUNCTION,
    "sklearn.metrics._scorer._PassthroughScorer": "calls the score of an estimator that is checked",
    "sklearn.model_selection._split.KFold": _PLAIN,
    "sklearn.model_selection._split.StratifiedKFold": _PLAIN,
}


def trusted_types(extra: Iterable[str] = ()) -> list[str]:
    """The reviewed names and ``extra``, sorted."""
    return sorted({*REVIEWED, *extra})
