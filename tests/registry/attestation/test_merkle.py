"""Merkle trees agree with the reference data of Certificate Transparency, and refuse other paths.

The vectors are those of the Certificate Transparency project's own tests; the last is a
certificate in a real log of 3.6 million.
"""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.registry.attestation.merkle import (
    ChunkedTree,
    consistency_path,
    inclusion_path,
    is_consistent,
    leaf_hash,
    node_hash,
    root_by_inclusion,
    root_hash,
)

_INPUTS = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657")
LEAVES = [leaf_hash(bytes.fromhex(text)) for text in (*_INPUTS, "606162636465666768696a6b6c6d6e6f")]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
#: Leaf 848049 of the 3630887 in a public log.
LOG_LEAF = "7a395c866d5ecdb0cccb623e011dbc392cd348d1d1d72776174e127a24b09c78"
LOG_ROOT = "78316a05c9bcf14a3a4548f5b854a9adfcd46a4c034401b3ce7eb7ac2f1d0ecb"
LOG_PATH = """
1a208aeebcd1b39fe2de247ee8db9454e1e93a312d206b87f6ca9cc6ec6f1ddd
0a1b78b383f580856f433c01a5741e160d451c185910027f6cc9f828687a40c4
3d1745789bc63f2da15850de1c12a5bf46ed81e1cc90f086148b1662e79aab3d
9095b61e14d8990acf390905621e62b1714fb8e399fbb71de5510e0aef45affe
0a332b91b8fab564e6afd1dd452449e04619b18accc0ff9aa8393cd4928451f2
2336f0181d264aed6d8f3a6507ca14a8d3b3c3a23791ac263e845d208c1ee330
b4ce56e300590500360c146c6452edbede25d4ed83919278749ee5dbe178e048
933f6ddc848ea562e4f9c5cfb5f176941301dad0c6fdb9d1fbbe34fac1be6966
b95a6222958a86f74c030be27c44f57dbe313e5e7c7f4ffb98bcbd3a03bb52f2
daeeb3ce5923defd0faeb8e0c210b753b85b809445d7d3d3cd537a9aabaa9c45
7fadd0a13e9138a2aa6c3fdec4e2275af233b94812784f66bcca9aa8e989f2bc
1864e6ba3e32878610546539734fb5eeae2529991f130c575c73a7e25a2a7c56
12842d1202b1dc6828a17ab253c02e7ce9409b5192430feba44189f39cc02d66
29af64b16fa3053c13d02ac63aa75b23aa468506e44c3a2315edc85d2dc22b11
b527b99934a0bd9edd154e449b0502e2c499bba783f3bc3dfe23364b6b532009
4584db8ae8e351ace08e01f306378a92bfd43611714814f3d834a2842d69faa8
86a9a41573b0d6e4292f01e93243d6cc65b30f06606fc6fa57390e7e90ed580f
a88b98fbe84d4c6aae8db9d1605dfac059d9f03fe0fcb0d5dff1295dacba09e6
06326dc617a6d1f7021dc536026dbfd5fffc6f7c5531d48ef6ccd1ed1569f2a1
f41fe8fdc3a2e4e8345e30216e7ebecffee26ff266eeced208a6c2a3cf08f960
40cf5bde8abb76983f3e98ba97aa36240402975674e120f234b3448911090f8d
b3222dc8658538079883d980d7fdc2bef9285344ea34338968f736b04aeb387a
"""


def _tree(size: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(size)]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_reference_data(size: int) -> None:
    assert root_hash(LEAVES[:size]).hex() == ROOTS[size]


def test_a_leaf_and_a_node_are_hashed_as_in_the_reference_data() -> None:
    """A leaf and a node with the same bytes have different hashes."""
    data = bytes(range(0x10, 0x20))
    left, right = bytes(range(0x20)), bytes(range(0x20, 0x40))

    assert leaf_hash(data).hex() == (
        "3bfb960453ebaebf33727da7a1f4db38acc051d381b6da20d6d4e88f0eabfd7a"
    )
    assert node_hash(left, right).hex() == (
        "1a378704c17da31e2d05b6d121c2bb2c7d76f6ee6fa8f983e596c2d034963c57"
    )


@pytest.mark.parametrize(("earlier", "size", "path"), CONSISTENCY)
def test_consistency_paths_are_those_of_the_reference_data(
    earlier: int, size: int, path: list[str]
) -> None:
    nodes = [bytes.fromhex(node) for node in path]

    assert consistency_path(LEAVES[:size], earlier) == nodes
    assert is_consistent(
        earlier, bytes.fromhex(ROOTS[earlier]), size, bytes.fromhex(ROOTS[size]), nodes
    )


def test_a_certificate_of_a_public_log_is_in_its_tree() -> None:
    path = [bytes.fromhex(node) for node in LOG_PATH.split()]

    root = root_by_inclusion(bytes.fromhex(LOG_LEAF), 848049, 3630887, path)

    assert root is not None
    assert root.hex() == LOG_ROOT


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 64, 65, 100])
def test_an_inclusion_path_leads_to_the_root_from_its_own_leaf_only(size: int) -> None:
    leaves = _tree(size)
    root = root_hash(leaves)
    for index, leaf in enumerate(leaves):
        path = inclusion_path(leaves, index)

        assert root_by_inclusion(leaf, index, size, path) == root
        assert root_by_inclusion(hashlib.sha256(leaf).digest(), index, size, path) != root
        assert root_by_inclusion(leaf, index, size, [*path, root]) is None
        assert root_by_inclusion(leaf, size, size, path) is None
        for other in {index ^ 1, size - 1 - index} - {index}:
            if other < size:
                assert root_by_inclusion(leaf, other, size, path) != root


@given(st.integers(1, 40), st.integers(1, 40), st.binary(min_size=32, max_size=32))
def test_a_tree_is_consistent_with_what_it_began_with_and_nothing_else(
    first: int, second: int, foreign: bytes
) -> None:
    earlier, size = sorted((first, second))
    leaves = _tree(size)
    before, root = root_hash(leaves[:earlier]), root_hash(leaves)
    path = consistency_path(leaves, earlier)

    assert is_consistent(earlier, before, size, root, path)
    assert not is_consistent(earlier, foreign, size, root, path)
    assert not is_consistent(earlier, before, size, foreign, path)
    assert not is_consistent(earlier, before, size, root, [*path, foreign])
    for place in range(len(path)):
        changed = [*path[:place], foreign, *path[place + 1 :]]
        assert not is_consistent(earlier, before, size, root, changed)


def test_a_path_to_a_leaf_that_is_not_there_is_an_error() -> None:
    with pytest.raises(IndexError):
        inclusion_path(LEAVES, 8)
    with pytest.raises(IndexError):
        consistency_path(LEAVES, 9)


@given(st.integers(1, 40), st.data())
def test_a_tree_by_chunks_is_the_same_tree(size: int, data: st.DataObject) -> None:
    """Only the chunks that are asked about are known leaf by leaf."""
    leaves = _tree(size)
    index = data.draw(st.integers(0, size - 1), label="index")
    earlier = data.draw(st.integers(1, size), label="earlier")
    chunks = [leaves[at : at + 4] for at in range(0, size, 4)]
    known = {
        number: chunks[number]
        for number in {index // 4, earlier // 4, size // 4}
        if number < len(chunks)
    }
    tree = ChunkedTree(size, [root_hash(chunk) for chunk in chunks if len(chunk) == 4], known, 4)

    assert tree.root == root_hash(leaves)
    assert tree.inclusion_path(index) == inclusion_path(leaves, index)
    assert tree.consistency_path(earlier) == consistency_path(leaves, earlier)
