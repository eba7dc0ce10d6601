"""Missing packages of the running environment are named, and nothing is installed."""

from __future__ import annotations

from importlib import metadata

import pytest

from model_lifecycle.registry.domain.errors import FrameworkUnavailable
from model_lifecycle.registry.frameworks.dependencies import require_installed, unmet_requirements


def test_unmet_requirements_are_named_with_what_is_there() -> None:
    """Another version and an absent package are named; what is met or has no pin is not."""
    numpy = metadata.version("numpy")
    lines = [f"numpy=={numpy}", "pandas==0.1", "no-such-package==1.0", "# a remark", "scipy"]

    assert unmet_requirements(lines) == (
        f"pandas==0.1 (installed is {metadata.version('pandas')})",
        "no-such-package==1.0 (not installed)",
    )


def test_a_missing_module_is_told_with_the_extra_to_install() -> None:
    """The line can be copied as it is."""
    require_installed("pytorch", "json")
    with pytest.raises(FrameworkUnavailable) as caught:
        require_installed("pytorch", "json", "no_such_module_here")

    assert caught.value.install == 'pip install "airflow-provider-model-lifecycle[pytorch]"'
