"""Our requirements name all that MLflow's own inference names, with the same pins."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from model_lifecycle.registry.frameworks import FrameworkAdapter
from model_lifecycle.registry.frameworks.requirements import (
    pin,
    pinned_requirements,
    reachable_packages,
)


@pytest.mark.skipif(
    bool(find_spec("torch") or find_spec("tensorflow")),
    reason="MLflow also names what it imports of other frameworks; `make test` has none",
)
@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", ["logistic", "histogram-from-dtype"])
def test_superset_of_mlflows_inference(
    tmp_path: Path,
    adapter: FrameworkAdapter,
    fitted: Callable[[str], Any],
    frame: pd.DataFrame,
    kind: str,
) -> None:
    """Requirements include all that MLflow finds by loading the model in a second process."""
    import mlflow.sklearn

    from model_lifecycle.registry.frameworks.sklearn_model.trusted_types import trusted_types

    model = fitted(kind)
    example = frame.head()
    if kind == "histogram-from-dtype":
        example = example.astype({"carrier": "category", "origin": "category"})
    ours = adapter.save(model, tmp_path / "ours", input_example=example).requirements
    with warnings.catch_warnings():
        # MLflow advises against whole-number columns, which this test is not about.
        warnings.simplefilter("ignore", UserWarning)
        mlflow.sklearn.save_model(
            model,
            str(tmp_path / "theirs"),
            input_example=example,
            skops_trusted_types=trusted_types(),
        )
    theirs = (tmp_path / "theirs" / "requirements.txt").read_text().split()

    assert [line for line in theirs if line not in ours] == []
    assert (tmp_path / "ours" / "requirements.txt").read_text().split() == list(ours)


def test_pins_are_installable(adapter: FrameworkAdapter, saved: Callable[[str], Path]) -> None:
    """Each line is a normalised name and the installed version."""
    lines = adapter.check(saved("logistic")).requirements
    pairs = [line.split("==") for line in lines]

    assert [name for name, _ in pairs if name != name.lower() or "_" in name] == []
    assert [
        name for name, version in pairs if metadata.version(name).split("+")[0] != version
    ] == []
    assert {"scikit-learn", "skops", "numpy", "mlflow"} <= {name for name, _ in pairs}
    assert list(lines) == sorted(set(lines))


def test_a_local_version_label(monkeypatch: pytest.MonkeyPatch) -> None:
    """A label such as ``+cpu`` is left out: no package index serves it."""
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0+cpu")

    assert pin("Torch_Vision") == "torch-vision==2.13.0"


def test_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk goes from a package to those whose modules, classes or functions it holds, and not
    through MLflow; packages that no distribution provides are named apart."""
    import sys

    def package(name: str, **values: object) -> ModuleType:
        module = ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    last = package("pkg_last")
    thing = type("Thing", (), {"__module__": "pkg_middle.inner"})
    package("pkg_middle", last=last)
    package("pkg_first")
    package("pkg_first.inner", Thing=thing, path=Path, unknown=package("pkg_unknown"))
    package("pkg_apart", last=last)
    installed = {name: [name] for name in ("pkg_first", "pkg_middle", "pkg_last", "pkg_apart")}

    assert reachable_packages({"pkg_first.inner", "os", "builtins"}, installed) == {
        *("pkg_first", "pkg_middle", "pkg_last")
    }


def test_modules_of_no_distribution() -> None:
    """A module that no installed distribution provides cannot be pinned, and is named."""
    _, unknown = pinned_requirements({"my_features.scaling", "numpy"})

    assert unknown == ("my_features",)
