"""The types and functions that a stored teacher may name: a list, and those of CODE_PATHS.

skops by itself trusts scikit-learn's estimators, NumPy's numbers and arrays, and ufuncs. What is
missing there and what fitted estimators hold is listed here by name. No package is trusted as a
whole: scikit-learn has functions that start programs or read files.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Sequence
from types import FunctionType

from .teacher import OWN_TYPES

# What fitted estimators hold, by module. skops leaves out those of trees, since a crafted tree can
# end the process that answers with it: this is the compute child, which has no access to the store
# and is started again.
_TYPES = {
    "numpy": ("dtype",),
    "scipy.interpolate._bsplines": ("BSpline",),
    "scipy.sparse._csr": ("csr_matrix",),
    "sklearn._loss.loss": ("HalfTweedieLoss", "HalfTweedieLossIdentity"),
    "sklearn.calibration": (
        "_CalibratedClassifier",
        "_SigmoidCalibration",
        "_TemperatureScaling",
    ),
    "sklearn.cluster._bisect_k_means": ("_BisectingTree",),
    "sklearn.ensemble._hist_gradient_boosting.predictor": ("TreePredictor",),
    "sklearn.gaussian_process._gpc": ("_BinaryGaussianProcessClassifierLaplace",),
    "sklearn.gaussian_process.kernels": (
        "CompoundKernel",
        "ConstantKernel",
        "DotProduct",
        "Exponentiation",
        "ExpSineSquared",
        "Matern",
        "PairwiseKernel",
        "Product",
        "RBF",
        "RationalQuadratic",
        "Sum",
        "WhiteKernel",
    ),
    "sklearn.metrics._dist_metrics": (
        "EuclideanDistance64",
        "ManhattanDistance64",
        "MinkowskiDistance64",
    ),
    "sklearn.metrics._scorer": ("_PassthroughScorer", "_Scorer"),
    "sklearn.model_selection._split": (
        "GroupKFold",
        "GroupShuffleSplit",
        "KFold",
        "LeaveOneOut",
        "PredefinedSplit",
        "RepeatedKFold",
        "RepeatedStratifiedKFold",
        "ShuffleSplit",
        "StratifiedGroupKFold",
        "StratifiedKFold",
        "StratifiedShuffleSplit",
        "TimeSeriesSplit",
    ),
    "sklearn.multiclass": ("_ConstantPredictor",),
    "sklearn.neighbors._ball_tree": ("BallTree",),
    "sklearn.neighbors._kd_tree": ("KDTree",),
    "sklearn.neural_network._stochastic_optimizers": ("AdamOptimizer", "SGDOptimizer"),
    "sklearn.tree._tree": ("Tree",),
    "sklearn.utils._bunch": ("Bunch",),
    "sklearn.utils._metadata_requests": ("MetadataRequest", "MethodMetadataRequest"),
}
# The functions that estimators name: they compute on the arrays that they are given.
_FUNCTIONS = {
    "numpy": ("mean",),
    "scipy._lib.array_api_compat.numpy._aliases": ("asarray",),
    "sklearn.cluster._kmeans": ("_kmeans_single_elkan", "_kmeans_single_lloyd"),
    "sklearn.feature_selection._mutual_info": ("mutual_info_classif", "mutual_info_regression"),
    "sklearn.feature_selection._univariate_selection": (
        "chi2",
        "f_classif",
        "f_regression",
        "r_regression",
    ),
    "sklearn.metrics._classification": (
        "accuracy_score",
        "balanced_accuracy_score",
        "f1_score",
        "log_loss",
    ),
    "sklearn.metrics._ranking": ("roc_auc_score",),
    "sklearn.metrics._regression": ("mean_absolute_error", "mean_squared_error", "r2_score"),
}
TRUSTED = frozenset(
    {
        *(f"{our.__module__}.{our.__qualname__}" for our in OWN_TYPES),
        *(
            f"{module}.{name}"
            for of_modules in (_TYPES, _FUNCTIONS)
            for module, names in of_modules.items()
            for name in names
        ),
    }
)


def split_by_trust(
    names: Collection[str], code_paths: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return the names that are trusted, and the others, each sorted."""
    roots = tuple(f"{root}." for root in code_paths)
    trusted = [name for name in sorted(names) if name in TRUSTED or _is_from(name, roots)]
    return trusted, sorted(set(names) - set(trusted))


def _is_from(name: str, roots: tuple[str, ...]) -> bool:
    """Return True if a class or function is defined in a package, not merely imported there.

    Who can write the store can name anything in CODE_PATHS in a spec too.
    """
    module_name, _, attribute = name.rpartition(".")
    if not name.startswith(roots):
        return False
    try:
        named = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError):
        return False
    is_code = isinstance(named, type | FunctionType)
    return is_code and f"{named.__module__}.".startswith(roots)
