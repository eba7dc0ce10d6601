"""Faults that only a folder has: links, and writers that die half-way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_lifecycle.registry.artifacts import LocalArtifacts, StoredFile
from model_lifecycle.registry.artifacts.confined_directory import INCOMING, ConfinedDirectory
from model_lifecycle.registry.domain.errors import (
    AlreadyExists,
    ArtifactNotFound,
    BackendUnavailable,
    InvalidInput,
)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the root, with a file in it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    return tmp_path / "outside"


def names_in(folder: Path) -> list[str]:
    return [item.name for item in folder.iterdir()]


async def test_a_linked_file(local_store: LocalArtifacts, outside: Path) -> None:
    """A link to a file outside is neither read nor overwritten through, nor listed in silence."""
    await local_store.put_bytes("t/a", b"1")
    (local_store.root / "t" / "link").symlink_to(outside / "secret")
    answers = await asyncio.gather(
        local_store.get_bytes("t/link"),
        local_store.content("t/link"),
        local_store.files("t"),
        local_store.get_folder("t", outside),
        local_store.copy_folder("t", "u"),
        return_exceptions=True,
    )
    await local_store.put_bytes("t/link", b"new")

    assert {type(answer) for answer in answers} == {InvalidInput}
    assert (outside / "secret").read_text() == "secret"
    assert await local_store.get_bytes("t/link") == b"new"


async def test_a_linked_folder(local_store: LocalArtifacts, outside: Path) -> None:
    """No file is read, written or deleted through a folder that is a link."""
    await local_store.put_bytes("t/a", b"1")
    (local_store.root / "t" / "link").symlink_to(outside)
    answers = await asyncio.gather(
        local_store.get_bytes("t/link/secret"),
        local_store.put_bytes("t/link/secret", b"new"),
        local_store.put_bytes("t/link/deep/new", b"new"),
        local_store.delete_file("t/link/secret"),
        local_store.delete_folder("t/link/secret"),
        local_store.files("t/link"),
        return_exceptions=True,
    )

    assert {type(answer) for answer in answers} == {InvalidInput}
    assert names_in(outside) == ["secret"]


async def test_deleting_a_folder_with_a_link(local_store: LocalArtifacts, outside: Path) -> None:
    """Deleting a folder removes links in it, not what they point to."""
    await local_store.put_bytes("t/a", b"1")
    (local_store.root / "t" / "link").symlink_to(outside)
    await local_store.delete_folder("t")

    assert (outside / "secret").read_text() == "secret"
    assert not (local_store.root / "t").exists()


async def test_a_writer_that_dies(local_store: LocalArtifacts) -> None:
    """A write that fails half-way leaves the old content, and nothing to be listed."""
    await local_store.put_bytes("t/a", b"old")

    def dying() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ConfinedDirectory(local_store.root).write("t/a", dying())

    assert await local_store.get_bytes("t/a") == b"old"
    assert await local_store.files("t") == [StoredFile("t/a", 3)]
    assert names_in(local_store.root / INCOMING) == []


async def test_what_killed_writers_left(local_store: LocalArtifacts) -> None:
    """A ping removes unfinished files of last week, not those being written now."""
    incoming = local_store.root / INCOMING
    await local_store.ping()
    (incoming / "old.part").write_text("half")
    (incoming / "new.part").write_text("half")
    os.utime(incoming / "old.part", (0, 0))
    await local_store.ping()

    assert names_in(incoming) == ["new.part"]


async def test_the_folder_of_unfinished_files(local_store: LocalArtifacts) -> None:
    """The folder where files are written before they are whole is nobody's path."""
    with pytest.raises(InvalidInput):
        await local_store.files(INCOMING)


async def test_a_file_as_a_folder(local_store: LocalArtifacts) -> None:
    """A file is no folder and a folder no file, and the error says so."""
    await local_store.put_bytes("t/a", b"1")

    with pytest.raises(InvalidInput):
        await local_store.put_bytes("t/a/b", b"1")
    with pytest.raises(AlreadyExists):
        await local_store.put_bytes("t", b"1")
    with pytest.raises(ArtifactNotFound):
        await local_store.get_bytes("t")

    assert await local_store.files("t/a") == []


async def test_constructing_touches_nothing(local_store: LocalArtifacts) -> None:
    """A store is made without I/O; reading an empty one finds nothing and makes nothing."""
    assert await local_store.files("t") == []
    assert not local_store.root.exists()


async def test_a_root_that_cannot_be_made(tmp_path: Path) -> None:
    """A root that is no folder is the store's trouble, not the caller's path."""
    (tmp_path / "file").write_text("")
    store = LocalArtifacts(tmp_path / "file" / "root")

    with pytest.raises(BackendUnavailable):
        await store.ping()
