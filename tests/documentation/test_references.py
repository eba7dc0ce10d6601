"""Names in the documentation: files, environment variables and links lead somewhere."""

from __future__ import annotations

import re
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec

import pytest
from support.markdown import PAGES, ROOT, inline_code

from model_lifecycle.api.settings import ApiSettings
from model_lifecycle.registry.settings import PREFIX, Settings

_FOLDERS = "api|benchmarks|cli|dags|docs|gates|operators|plugin|registry|stack|tests"
_PATH = re.compile(rf"(?:{_FOLDERS})/[\w/.-]*")
_DOTTED = re.compile(r"((?:model_lifecycle|gates|registry|operators|api|cli)(?:\.[a-z_]+)*\.\w+)\b")
#: Names of Airflow metrics, which look like modules.
_METRICS = {"model_lifecycle.transitions", "model_lifecycle.verdicts"}
#: Pages that also name things of the past.
_RECORDS = ("docs/decisions/", "CHANGELOG.md")
_VARIABLE = re.compile(rf"{PREFIX}[A-Z0-9_]+")
#: Variables that are no settings: of the command line, and of the tests.
_OTHERS = {f"{PREFIX}{name}" for name in ("TENANT", "ROLES", "TRACEBACK", "RETENTION_DAYS")}


@pytest.mark.parametrize("page", PAGES)
def test_files_exist(page: str) -> None:
    """Inline code that is a path of this repository names a file or a folder."""
    paths = [code for code in inline_code(page) if _PATH.fullmatch(code) and "NAME" not in code]

    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_dotted_names_exist(page: str) -> None:
    """Inline code that is a dotted name of the package can be imported."""
    names = {match[1] for code in inline_code(page) if (match := _DOTTED.match(code))}

    assert [name for name in names - _METRICS if not _exists(name)] == []


def _exists(name: str) -> bool:
    """Whether a dotted name is a module of the package, or an attribute of one."""
    full = name if name.startswith("model_lifecycle.") else f"model_lifecycle.{name}"
    module, _, attribute = full.rpartition(".")
    if find_spec(module) is None:
        return False
    return hasattr(import_module(module), attribute) or find_spec(full) is not None


@pytest.mark.parametrize("page", [page for page in PAGES if not page.startswith(_RECORDS)])
def test_settings_exist(page: str) -> None:
    """Each variable `MODEL_LIFECYCLE_…` is a setting, or one of the command line."""
    known = {f"{PREFIX}{item.name.upper()}" for item in fields(Settings)}
    known |= {f"{PREFIX}API_{item.name.upper()}" for item in fields(ApiSettings)}
    named = set(_VARIABLE.findall((ROOT / page).read_text(encoding="utf-8")))

    assert {name for name in named if not name.endswith("_")} <= known | _OTHERS


@pytest.mark.parametrize("page", [page for page in PAGES if "/" not in page])
def test_links_of_the_root_exist(page: str) -> None:
    """`make docs` checks the links inside of `docs`; this, those of the pages above it."""
    targets = re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))

    assert [
        target for target in targets if "://" not in target and not (ROOT / target).exists()
    ] == []


def test_decisions_are_numbered() -> None:
    """Decision records have consecutive numbers, each its own, and the title has the same."""
    names = [page.rpartition("/")[2] for page in PAGES if page.startswith("docs/decisions/")]
    titles = [
        (ROOT / "docs/decisions" / name).read_text(encoding="utf-8").partition("\n")[0]
        for name in names
    ]

    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    assert [title[2:6] for title in titles] == [name[:4] for name in names]
