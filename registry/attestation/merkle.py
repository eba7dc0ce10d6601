"""Merkle trees as RFC 9162 defines them, and their proofs.

A leaf is hashed as ``SHA-256(0x00 || data)``, a node as ``SHA-256(0x01 || left || right)``; a tree
of n leaves is split at the largest power of two below n. An inclusion proof shows that a leaf is in
a tree, a consistency proof that a tree begins with all leaves of an earlier one. Source: RFC 9162,
"Certificate Transparency Version 2.0", sections 2.1.1 to 2.1.4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf with the content ``data``."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of the node above two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_hash(leaves: Sequence[bytes]) -> bytes:
    """Root of the tree over ``leaves``, which are hashes; of no leaves, the hash of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        paired = [
            node_hash(level[index], level[index + 1]) for index in range(0, len(level) - 1, 2)
        ]
        # The last of an odd number moves up as it is: the same tree as splitting at powers of two.
        level = paired + level[len(level) - len(level) % 2 :]
    return level[0]


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Hashes, from the leaf up, that lead from leaf ``index`` (from 0) to the root."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of a tree of {len(leaves)}")
    path = []
    level = list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        paired = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = paired + level[len(level) - len(level) % 2 :]
        index //= 2
    return path


def root_by_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Root of the tree of ``size`` leaves in which ``path`` leads from the hash ``leaf`` upwards;
    None where no such tree has a path of this length (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return None
    position, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if position & 1 or position == last:
            root = node_hash(sibling, root)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            root = node_hash(root, sibling)
        position >>= 1
        last >>= 1
    return root if last == 0 else None


def consistency_path(leaves: Sequence[bytes], earlier: int) -> list[bytes]:
    """Hashes that show that the tree over ``leaves`` begins with its first ``earlier`` leaves, at
    least one (RFC 9162, section 2.1.4.1)."""
    if not 0 < earlier <= len(leaves):
        raise IndexError(f"a tree of {earlier} leaves before one of {len(leaves)}")
    return _subproof(leaves, earlier, complete=True)


def _subproof(leaves: Sequence[bytes], earlier: int, *, complete: bool) -> list[bytes]:
    size = len(leaves)
    if earlier == size:
        return [] if complete else [root_hash(leaves)]
    split = largest_power_below(size)
    left, right = leaves[:split], leaves[split:]
    if earlier <= split:
        return [*_subproof(left, earlier, complete=complete), root_hash(right)]
    return [*_subproof(right, earlier - split, complete=False), root_hash(left)]


def is_consistent(
    earlier: int, earlier_root: bytes, size: int, root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether ``path`` shows that the tree of ``size`` leaves with ``root`` begins with the tree of
    ``earlier`` leaves, at least one, with ``earlier_root`` (RFC 9162, section 2.1.4.2)."""
    if not 0 < earlier <= size:
        return False
    if earlier == size:
        return not path and earlier_root == root
    nodes = list(path)
    if earlier & (earlier - 1) == 0:
        nodes.insert(0, earlier_root)
    if not nodes:
        return False
    position, last = earlier - 1, size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    first = second = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            first, second = node_hash(node, first), node_hash(node, second)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            second = node_hash(second, node)
        position >>= 1
        last >>= 1
    return last == 0 and first == earlier_root and second == root


def largest_power_below(size: int) -> int:
    """The largest power of two below ``size``, which is at least 2: where a tree is split."""
    return 1 << (size - 1).bit_length() - 1


class ChunkedTree:
    """A tree of which most leaves are known by the roots of their chunks only.

    Chunks are the complete runs of ``chunk_size`` leaves, a power of two, from the first leaf on;
    what is left at the end is a chunk of its own. ``roots`` are those of the complete chunks, and
    ``chunks`` the leaves of the chunks that are asked about, and of the incomplete one.
    """

    def __init__(
        self,
        size: int,
        roots: Sequence[bytes],
        chunks: Mapping[int, Sequence[bytes]],
        chunk_size: int,
    ) -> None:
        self.size = size
        self._chunk_size = chunk_size
        self._chunks = chunks
        rest = size % chunk_size
        tail = [root_hash(chunks[size // chunk_size])] if rest else []
        self._roots = [*roots, *tail]

    @property
    def root(self) -> bytes:
        """The root of the complete tree."""
        return root_hash(self._roots)

    def inclusion_path(self, index: int) -> list[bytes]:
        """As :func:`inclusion_path`, for a leaf of a chunk whose leaves are known."""
        chunk, place = divmod(index, self._chunk_size)
        return [
            *inclusion_path(self._chunks[chunk], place),
            *inclusion_path(self._roots, chunk),
        ]

    def consistency_path(self, earlier: int) -> list[bytes]:
        """As :func:`consistency_path`; the leaves of the chunk in which the earlier tree ends have
        to be known, unless it ends with that chunk."""
        chunk, place = divmod(earlier, self._chunk_size)
        if place == 0 or earlier == self.size:
            return consistency_path(self._roots, -(-earlier // self._chunk_size))
        return [
            *_subproof(self._chunks[chunk], place, complete=chunk == 0),
            *inclusion_path(self._roots, chunk),
        ]
