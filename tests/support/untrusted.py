"""Saved models that were tampered with, and the check that they are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest
from support.networks import fitted, frame

from model_lifecycle.registry.domain.errors import UntrustedModel
from model_lifecycle.registry.frameworks import adapter_for


def saved(framework: str, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    adapter_for(framework).save(fitted(framework).model, folder, input_example=frame())
    return folder


def refused(framework: str, folder: Path, canary: Path, match: str) -> None:
    """Both looking and loading refuse it in those words, and nothing ran."""
    adapter = adapter_for(framework)
    for refuse in (adapter.check, adapter.load):
        with pytest.raises(UntrustedModel, match=match):
            refuse(folder)

    assert not canary.exists()


def rewritten(file: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """The zip archive with its members changed, by their names below its folder."""
    with ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(members)).partition("/")[0] + "/" if file.suffix == ".pt2" else ""
    inner = {name.removeprefix(root): data for name, data in members.items()}
    change(inner)
    with ZipFile(file, "w", ZIP_STORED) as archive:
        for name, data in inner.items():
            archive.writestr(root + name, data)
