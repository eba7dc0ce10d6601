"""The manifest: the same files always give the same bytes, and other bytes are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.registry.artifacts import FileEntry, Manifest
from model_lifecycle.registry.domain.errors import InvalidInput

SHA = "ab" * 32
entries = st.builds(
    FileEntry,
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    size=st.integers(0, 2**53 - 1),
)
manifests = st.builds(
    Manifest,
    tenant_id=st.just("acme"),
    model_id=st.just("churn"),
    version=st.integers(1, 2**31 - 1),
    framework=st.just("sklearn"),
    files=st.dictionaries(st.from_regex(r"[a-z]{1,9}(/[a-z]{1,9}){0,3}", fullmatch=True), entries),
)


@given(manifest=manifests)
def test_bytes_come_back(manifest: Manifest) -> None:
    """A manifest is read as it was written."""
    assert Manifest.from_bytes(manifest.to_bytes()) == manifest


@given(manifest=manifests)
def test_order_does_not_matter(manifest: Manifest) -> None:
    """The digest does not depend on the order in which files were found."""
    turned = Manifest(
        manifest.tenant_id,
        manifest.model_id,
        manifest.version,
        manifest.framework,
        dict(reversed(list(manifest.files.items()))),
    )

    assert turned.digest == manifest.digest


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"schema": None},
        {"files": None},
        {"files": {"../a": {"sha256": SHA, "size": 1}}},
        {"files": {"/a": {"sha256": SHA, "size": 1}}},
        {"files": {"a": {"sha256": SHA[:-1], "size": 1}}},
        {"files": {"a": {"sha256": SHA, "size": -1}}},
        {"files": {"a": {"sha256": SHA, "size": True}}},
        {"files": {"a": {"sha256": SHA}}},
        {"files": {"a": []}},
    ],
    ids=str,
)
def test_unsound_manifests(change: dict[str, Any]) -> None:
    """A manifest with odd paths, hashes or sizes is refused."""
    document = {**Manifest("acme", "churn", 1, "sklearn", {}).document(), **change}
    with pytest.raises(InvalidInput):
        Manifest.from_bytes(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff", b"{", b"[" * 100_000])
def test_bytes_that_are_no_manifest(data: bytes) -> None:
    """Bytes that are no manifest are refused, whatever they are."""
    with pytest.raises(InvalidInput):
        Manifest.from_bytes(data)
