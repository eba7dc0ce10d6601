"""A change of any part of a proof is refused, and named with its code."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from support.proofs import Document, problem_codes

from model_lifecycle.registry.attestation.hash_chain import sealed
from model_lifecycle.registry.attestation.proof_check import verify_proof
from model_lifecycle.registry.attestation.proof_document import read_proof
from model_lifecycle.registry.domain.errors import (
    InvalidInput,
    ProofRefused,
)


def _edit_entry(document: Document) -> None:
    document["entries"][5]["actor"] = "eve"


def _reseal_entry(document: Document) -> None:
    """An entry is rewritten, with all hashes after it."""
    entries = list(read_proof(document).entries)
    entries[5] = replace(entries[5], actor="eve")
    previous = entries[4].hash
    for place in (5, 6):
        entries[place] = sealed(replace(entries[place], previous_hash=previous))
        previous = entries[place].hash
    document["entries"] = [entry.document() for entry in entries]


def _drop_entry(document: Document) -> None:
    del document["entries"][5]


def _drop_last_entry(document: Document) -> None:
    del document["entries"][-1]
    document["inclusion"] = [item for item in document["inclusion"] if item["sequence"] != 7]


def _edit_evidence(document: Document) -> None:
    item = next(item for item in document["evidence"] if item["gate"] == "shadow")
    item["summary"] = {"sentence": "better by 0.5"}


def _drop_failure(document: Document) -> None:
    document["evidence"] = [item for item in document["evidence"] if item["verdict"] != "FAIL"]


def _drop_used_evidence(document: Document) -> None:
    document["evidence"] = [item for item in document["evidence"] if item["gate"] != "approval"]


def _edit_policy(document: Document) -> None:
    document["policy"]["require_approval"] = False


def _edit_policy_everywhere(document: Document) -> None:
    _edit_policy(document)
    document["entries"][1]["detail"]["policy"]["require_approval"] = False


def _edit_path(document: Document) -> None:
    item = document["inclusion"][-1]
    item["path"][0] = "00" * 32


def _move_leaf(document: Document) -> None:
    document["inclusion"][-1]["leaf_index"] -= 1


def _drop_path(document: Document) -> None:
    document["inclusion"].pop(0)


def _edit_record(document: Document) -> None:
    document["record"]["metrics"]["accuracy"] = 0.999


def _edit_bundle_digest(document: Document) -> None:
    document["record"]["bundle_digest"] = "sha256:" + "0" * 64


def _edit_signature(document: Document) -> None:
    signature = document["head"]["signatures"][0]
    signature["sig"] = "A" * 20 + signature["sig"][20:]


def _strip_signature(document: Document) -> None:
    document["head"]["signatures"] = []


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (_edit_entry, {"entry_edited"}),
        (_reseal_entry, {"entry_edited", "inclusion_failed"}),
        (_drop_entry, {"entry_missing"}),
        (_drop_last_entry, {"entry_missing"}),
        (_edit_evidence, {"evidence_edited"}),
        (_drop_failure, {"evidence_missing"}),
        (_drop_used_evidence, {"evidence_missing"}),
        (_edit_policy, {"policy_edited"}),
        (_edit_policy_everywhere, {"policy_edited", "entry_edited"}),
        (_edit_path, {"inclusion_failed"}),
        (_move_leaf, {"inclusion_failed"}),
        (_drop_path, {"inclusion_missing"}),
        (_edit_record, {"record_edited"}),
        (_edit_bundle_digest, {"record_edited"}),
        (_edit_signature, {"head_signature"}),
        (_strip_signature, {"unknown_key"}),
    ],
)
def test_a_change_of_each_part_is_named(
    proof: Document, change: Callable[[Document], None], codes: set[str]
) -> None:
    changed = copy.deepcopy(proof)
    change(changed)

    assert codes <= set(problem_codes(changed))


@pytest.mark.parametrize(
    "document",
    [None, [], "proof", {}, {"schema": "model-lifecycle/proof/v2"}],
)
def test_what_is_no_proof_is_refused(document: Any) -> None:
    with pytest.raises(InvalidInput, match="no proof"):
        verify_proof(document)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("entries", []),
        ("entries", [{}]),
        ("entries", "x"),
        ("evidence", [1]),
        ("record", {}),
        ("policy", []),
        ("head", {}),
        ("public_key", "x"),
        ("inclusion", [{}]),
    ],
)
def test_a_part_that_cannot_be_read_is_named(proof: Document, part: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        verify_proof({**proof, part: value})
    assert part in caught.value.field or part in str(caught.value)


def _is_refused(document: Document) -> bool:
    try:
        verify_proof(document)
    except (InvalidInput, ProofRefused):
        return True
    return False


_REMOVED = object()
_ODD: tuple[Any, ...] = (None, -1, "x", [], {}, True, 1e308)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value in a JSON document, the document's own first."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    for key, item in enumerate(value) if isinstance(value, list) else items:
        yield from _paths(item, (*path, key))


def test_no_value_can_be_replaced_or_removed(proof: Document) -> None:
    """Every value of the file in turn: each is part of what was signed, and no odd one is more
    than an error."""
    paths = list(_paths(proof))[1:]
    for place, path in enumerate(paths):
        odd = (*_ODD, _REMOVED)[place % (len(_ODD) + 1)]
        changed = copy.deepcopy(proof)
        part: Any = changed
        for key in path[:-1]:
            part = part[key]
        if odd is _REMOVED:
            del part[path[-1]]
        elif type(part[path[-1]]) is type(odd) and part[path[-1]] == odd:
            continue
        else:
            part[path[-1]] = odd

        assert _is_refused(changed), (path, odd)


def test_a_missing_or_added_part_is_named(proof: Document) -> None:
    for changed in ({**proof, "note": 1}, {k: v for k, v in proof.items() if k != "evidence"}):
        with pytest.raises(InvalidInput, match=r"note|evidence"):
            verify_proof(changed)
