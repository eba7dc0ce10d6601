"""Guarantees of every artifact store, checked on each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from model_lifecycle.registry.artifacts import ArtifactStore, StoredFile
from model_lifecycle.registry.artifacts.checksums import PART_SIZE, Checksum, content_of
from model_lifecycle.registry.domain.errors import AlreadyExists, ArtifactNotFound, InvalidInput

FolderOf = Callable[[dict[str, bytes]], Path]


async def test_bytes_come_back(store: ArtifactStore) -> None:
    """Bytes come back as they were stored, also after they were replaced."""
    await store.put_bytes("t/a.json", b"one")
    await store.put_bytes("t/a.json", b"two")

    assert await store.get_bytes("t/a.json") == b"two"


async def test_absent_file(store: ArtifactStore) -> None:
    """A file that is not there is ArtifactNotFound, by its path."""
    with pytest.raises(ArtifactNotFound) as caught:
        await store.get_bytes("t/none.json")

    assert caught.value.name == "t/none.json"


async def test_absent_folder(store: ArtifactStore, tmp_path: Path) -> None:
    """A folder that is not there has no files, and can be neither fetched nor copied."""
    with pytest.raises(ArtifactNotFound):
        await store.get_folder("t/none", tmp_path / "out")
    with pytest.raises(ArtifactNotFound):
        await store.copy_folder("t/none", "t/target")

    assert await store.files("t/none") == []


async def test_folders_come_back(store: ArtifactStore, folder_of: FolderOf, tmp_path: Path) -> None:
    """A folder is stored with its sub-folders, empty files included, and fetched as it was."""
    files = {"MLmodel": b"m", "data/a b.bin": b"\x00\xff", "data/deep/empty": b""}
    await store.put_folder("t/model", folder_of(files))
    await store.get_folder("t/model", tmp_path / "out")

    fetched = {
        file.relative_to(tmp_path / "out").as_posix(): file.read_bytes()
        for file in (tmp_path / "out").rglob("*")
        if file.is_file()
    }

    assert fetched == files


async def test_listing(store: ArtifactStore) -> None:
    """Files below a folder are listed, sorted; those of a folder named alike are not."""
    for path in ("t/model/b", "t/model/a/z", "t/model-2/x", "t/model.txt"):
        await store.put_bytes(path, b"12345")

    assert await store.files("t/model") == [
        StoredFile("t/model/a/z", 5),
        StoredFile("t/model/b", 5),
    ]


async def test_checksums_of_many_files(store: ArtifactStore, folder_of: FolderOf) -> None:
    """Those that are not there are absent; the others are as when each is read by itself."""
    await store.put_folder("t/model", folder_of({"a": b"1", "b/c": b"22", "empty": b""}))
    checksums = await store.checksums("t/model", ["a", "b/c", "empty", "missing"])

    assert checksums == {
        name: await store.content(f"t/model/{name}") for name in ("a", "b/c", "empty")
    }


async def test_copying(store: ArtifactStore, folder_of: FolderOf) -> None:
    """A copy has the same files, and answers with what lies at the target afterwards."""
    await store.put_folder("t/source", folder_of({"a": b"1", "b/c": b"22"}))

    copied = await store.copy_folder("t/source", "t/target")

    assert copied == [StoredFile("t/target/a", 1), StoredFile("t/target/b/c", 2)]
    assert await store.get_bytes("t/target/b/c") == b"22"


async def test_copying_all_but_some(store: ArtifactStore, folder_of: FolderOf) -> None:
    """Files that are left out are not touched at the target; names are those below the source."""
    await store.put_folder("t/source", folder_of({"a": b"1", "b/c": b"22", "b/a": b"3"}))
    await store.put_bytes("t/target/a", b"own")

    copied = await store.copy_folder("t/source", "t/target", without={"a", "b/a"})

    assert [item.path for item in copied] == ["t/target/a", "t/target/b/c"]
    assert await store.get_bytes("t/target/a") == b"own"


async def test_large_files(store: ArtifactStore, folder_of: FolderOf) -> None:
    """A file of several parts is stored, copied and recognised, to the byte."""
    data = bytes(range(256)) * (PART_SIZE // 256) + b"rest"
    await store.put_folder("t/source", folder_of({"large": data}))
    await store.copy_folder("t/source", "t/target")

    assert await store.content("t/target/large") == content_of(data)
    assert await store.holds("t/source/large", content_of(data))
    assert await store.holds("t/target/large", content_of(data))


async def test_holding(store: ArtifactStore) -> None:
    """A store tells whether a file has a content: not for other bytes of the same length."""
    await store.put_bytes("t/a", b"same length")

    held = [
        await store.holds("t/a", content_of(b"same length")),
        await store.holds("t/a", content_of(b"SAME LENGTH")),
        await store.holds("t/a", content_of(b"longer than that")),
        await store.holds("t/none", content_of(b"same length")),
    ]

    assert held == [True, False, False, False]


async def test_deleting(store: ArtifactStore) -> None:
    """Deleting a folder leaves its neighbours, and what is absent can be deleted."""
    for path in ("t/model/a", "t/model/b/c", "t/model-2/x"):
        await store.put_bytes(path, b"1")
    await store.delete_folder("t/model")
    await store.delete_folder("t/model")
    await store.delete_file("t/none")

    assert await store.files("t") == [StoredFile("t/model-2/x", 1)]


async def test_one_writer_wins(store: ArtifactStore) -> None:
    """Of sixteen writers that must not overwrite, one succeeds and fifteen get an error."""
    answers = await asyncio.gather(
        *(store.put_bytes("t/a", str(n).encode(), overwrite=False) for n in range(16)),
        return_exceptions=True,
    )
    kinds = [type(answer) for answer in answers]
    winner = kinds.index(Checksum)

    assert (kinds.count(Checksum), kinds.count(AlreadyExists)) == (1, 15)
    assert await store.get_bytes("t/a") == str(winner).encode()


@pytest.mark.parametrize("path", ["../a", "/etc/passwd", "t/../../a", "t//a", "t\\a", "t/\0"])
async def test_odd_paths(store: ArtifactStore, folder_of: FolderOf, path: str) -> None:
    """Every method refuses an odd path, and nothing is written."""
    folder = folder_of({"a": b"1"})
    calls = [
        store.put_bytes(path, b"1"),
        store.put_file(path, folder / "a"),
        store.put_folder(path, folder),
        store.get_bytes(path),
        store.get_folder(path, folder),
        store.files(path),
        store.copy_folder(path, "t/x"),
        store.delete_file(path),
        store.delete_folder(path),
        store.content(path),
        store.holds(path, content_of(b"")),
    ]
    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert {type(answer) for answer in answers} == {InvalidInput}
    assert await store.files("t") == []


async def test_links_in_a_folder_to_store(store: ArtifactStore, folder_of: FolderOf) -> None:
    """A link in a folder to be stored is refused: its target may lie anywhere."""
    folder = folder_of({"a": b"1"})
    (folder / "passwords").symlink_to("/etc/passwd")

    with pytest.raises(InvalidInput):
        await store.put_folder("t/model", folder)

    assert await store.files("t") == []


async def test_a_missing_local_file(store: ArtifactStore, tmp_path: Path) -> None:
    """Storing a local file or folder that is not there is the caller's mistake."""
    with pytest.raises(InvalidInput):
        await store.put_file("t/a", tmp_path / "none")
    with pytest.raises(InvalidInput):
        await store.put_folder("t/a", tmp_path / "none")


async def test_ping(store: ArtifactStore) -> None:
    """A store that answers can be pinged."""
    await store.ping()
