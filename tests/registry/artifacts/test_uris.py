"""Paths and URIs: what is a plain path, and what a URI names below a root."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.registry.artifacts import ArtifactStore, LocalArtifacts, open_artifacts
from model_lifecycle.registry.artifacts.s3_store import S3Artifacts
from model_lifecycle.registry.artifacts.uris import checked_path
from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.settings import Settings

ODD = [
    *("", "/", "/etc/passwd", "a/", "/a", "a//b", ".", "..", "../a", "a/..", "a/../b", "a/./b"),
    *("a\\b", "..\\a", "a\0b", "a\nb", "a\x7fb", "a%2e%2eb", "%2e%2e/a", "a?b", "a#b"),
    *("a" * 256, "/".join(["abcdefgh"] * 120), "a\ud800b"),
]
STORES: list[ArtifactStore] = [
    LocalArtifacts("/data/root"),
    S3Artifacts("s3://bucket/some/prefix"),
    S3Artifacts("s3://bucket"),
]
stores = pytest.mark.parametrize("store", STORES, ids=repr)

segments = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\%?#"),
    min_size=1,
    max_size=20,
).filter(lambda text: text not in (".", ".."))
plain_paths = st.lists(segments, min_size=1, max_size=5).map("/".join)


@pytest.mark.parametrize("path", ODD, ids=ascii)
def test_odd_paths_are_refused(path: str) -> None:
    """A path that could lead elsewhere, or mean different things to URI and store, is refused."""
    with pytest.raises(InvalidInput) as caught:
        checked_path(path)

    assert caught.value.field == "path"


@pytest.mark.parametrize("path", ODD, ids=ascii)
@stores
def test_odd_paths_have_no_uri(store: ArtifactStore, path: str) -> None:
    """No store makes an address of an odd path."""
    with pytest.raises(InvalidInput):
        store.uri(path)


@stores
@given(path=plain_paths)
def test_uri_and_path_are_each_others_inverse(store: ArtifactStore, path: str) -> None:
    """Whatever plain path a URI is made of, the URI names it again."""
    assert store.path_of(store.uri(path)) == path


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///data/root/t/m", "t/m"),
        ("file://localhost/data/root/t/m", "t/m"),
        ("file:/data/root/t/m", "t/m"),
        ("/data/root/t/m/", "t/m"),
        ("/data//root/./t//m", "t/m"),
        ("file:///data/root/t/a%20b", "t/a b"),
        ("file:///data/root", None),
        ("file:///data/roots/t", None),
        ("file:///data/root/../other", None),
        ("file:///data/root/%2e%2e/other", None),
        ("file:///data/root/%252e%252e/other", None),
        ("file:///data/root/t?x=1", None),
        ("file://host/data/root/t", None),
        ("s3://data/root/t", None),
        ("data/root/t", None),
        ("", None),
    ],
)
def test_local_uris(uri: str, path: str | None) -> None:
    """A local store knows its files by path and by file URI, and nothing outside of its root."""
    assert LocalArtifacts("/data/root").path_of(uri) == path


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("s3://bucket/pre/t/m", "t/m"),
        ("S3://bucket/pre/t/m/", "t/m"),
        ("s3a://bucket/pre/t/m", "t/m"),
        ("s3://bucket/pre", None),
        ("s3://bucket/prefix/t", None),
        ("s3://other/pre/t", None),
        ("s3://bucket.evil/pre/t", None),
        ("s3://user@bucket/pre/t", None),
        ("s3://bucket/pre/../t", None),
        ("s3://bucket/pre/%2e%2e/t", None),
        ("s3://bucket/pre//t//m", None),
        ("s3://bucket/pre/t?versionId=1", None),
        ("https://bucket/pre/t", None),
        ("file:///bucket/pre/t", None),
        ("", None),
    ],
)
def test_s3_uris(uri: str, path: str | None) -> None:
    """An S3 store knows its objects by bucket and prefix, and nothing outside of them."""
    assert S3Artifacts("s3://bucket/pre").path_of(uri) == path


def test_local_root_through_a_link(tmp_path: Path) -> None:
    """The root may be a link; files told by its real name are still below it."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")

    assert LocalArtifacts(tmp_path / "link").path_of(f"{tmp_path}/real/t/m") == "t/m"


@pytest.mark.parametrize("root", ["s3://", "s3://user:secret@bucket", "s3://bucket/../x", "gs://b"])
def test_roots_that_name_no_store(root: str) -> None:
    """An artifact root of another form is refused, and a secret in it is not repeated."""
    with pytest.raises(InvalidInput) as caught:
        open_artifacts(Settings({}, artifact_root=root))

    assert "secret" not in str(caught.value)


def test_opening_by_settings(tmp_path: Path) -> None:
    """The artifact root of the settings decides which store is opened."""
    local = open_artifacts(Settings({}, artifact_root=str(tmp_path)))
    s3 = open_artifacts(Settings({}, artifact_root="s3://bucket/pre"))

    assert (local.uri("a"), s3.uri("a")) == (f"file://{tmp_path}/a", "s3://bucket/pre/a")
