"""Packages that the frameworks need, and the command that installs them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import metadata
from importlib.util import find_spec

from model_lifecycle.registry.domain.errors import FrameworkUnavailable

_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)", re.ASCII)


def install_line(extra: str) -> str:
    return f'pip install "airflow-provider-model-lifecycle[{extra}]"'


def require_installed(framework: str, *modules: str) -> None:
    """Return if the modules can be imported; none of them is. Raises FrameworkUnavailable."""
    for module in modules:
        if find_spec(module) is None:
            raise FrameworkUnavailable(framework, install_line(framework))


def unmet_requirements(lines: Iterable[str]) -> tuple[str, ...]:
    """Which pinned requirements the running environment does not meet, in words. A local label
    of an installed version, such as ``+cpu``, makes no difference."""
    unmet = []
    for line in lines:
        pin = _PIN.fullmatch(line)
        if pin is None:
            continue
        name, required = pin.groups()
        try:
            here = metadata.version(name).partition("+")[0]
        except metadata.PackageNotFoundError:
            unmet.append(f"{line} (not installed)")
            continue
        if here != required:
            unmet.append(f"{line} (installed is {here})")
    return tuple(unmet)
