"""A model's requirements, pinned, from what this process has loaded: no subprocess.

MLflow finds them by loading the model again in a fresh process and watching its imports. Here
the same modules are loaded already, and each shows in its globals what it imported: starting from
the modules that the payload names, the walk follows those names from package to package.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import metadata
from types import ModuleType

#: Not followed: MLflow writes the folder and imports nearly everything, but the model needs it
#: as little as it needs the installer.
_NOT_FOLLOWED = frozenset({"mlflow", "setuptools", "pkg_resources", "model_lifecycle"})
#: Named only by payloads that need them. Libraries look for each other in ``sys.modules``, so
#: that a model would otherwise ask for whatever this process has used for other models.
_FRAMEWORKS = frozenset(
    {"torch", "tensorflow", "keras", "onnx", "onnxruntime", "onnxscript", "skl2onnx", "tf2onnx"}
)


def pinned_requirements(
    roots: Iterable[str], *, always: Iterable[str] = (), follow: bool = True
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """``name==version`` lines, sorted, and the packages that no installed distribution provides.

    ``roots`` are the modules that the saved model refers to; the lines name the distributions of
    their packages, of the packages that those have imported, and ``always``. Without ``follow``
    they name the roots alone: an exported network needs its framework and nothing of what that
    happens to have imported in this process.
    """
    installed = _distributions()
    packages = reachable_packages(roots, installed) if follow else {_top(name) for name in roots}
    unknown = sorted(name for name in packages if name not in installed)
    names = {name for package in packages for name in installed.get(package, ())}
    return tuple(sorted({pin(name) for name in names | set(always)})), tuple(unknown)


def pin(distribution: str) -> str:
    """``name==version`` of an installed distribution: name in the form of PEP 503, version
    without a local label such as ``+cpu``, which no package index serves."""
    version = metadata.version(distribution).partition("+")[0]
    return f"{re.sub(r'[-_.]+', '-', distribution).lower()}=={version}"


def reachable_packages(roots: Iterable[str], installed: Mapping[str, Sequence[str]]) -> set[str]:
    """Top-level packages of ``roots`` and, from package to package, of what those imported."""
    loaded: dict[str, list[ModuleType]] = {}
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType):
            loaded.setdefault(_top(name), []).append(module)
    reachable: set[str] = set()
    todo = {_top(name) for name in roots} - sys.stdlib_module_names
    while todo:
        package = todo.pop()
        reachable.add(package)
        for module in loaded.get(package, ()):
            todo |= _imported(module, installed) - reachable
    return reachable - _NOT_FOLLOWED


def _imported(module: ModuleType, installed: Mapping[str, Sequence[str]]) -> set[str]:
    """Installed packages whose modules, classes or functions are globals of ``module``."""
    names = set()
    for value in list(vars(module).values()):
        name = value.__name__ if isinstance(value, ModuleType) else _home(value)
        if isinstance(name, str):
            names.add(_top(name))
    return {name for name in names if name in installed} - _NOT_FOLLOWED - _FRAMEWORKS


def _home(value: object) -> object:
    # Of classes and functions only: asking any object for an attribute may run its code.
    if isinstance(value, type) or type(value).__name__ in (
        "function",
        "builtin_function_or_method",
    ):
        return getattr(value, "__module__", None)
    return None


def _top(name: str) -> str:
    return name.partition(".")[0]


@lru_cache(maxsize=1)
def _distributions() -> Mapping[str, Sequence[str]]:
    """Which distributions provide each importable package; half a second, so once a process."""
    return metadata.packages_distributions()
