"""The tree of errors is what its drawing says, and every error tells programs what it is."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import model_lifecycle
from model_lifecycle.registry.domain import errors
from model_lifecycle.registry.domain.errors import RegistryError
from model_lifecycle.registry.domain.evidence import Missing
from model_lifecycle.registry.domain.stages import Gate, Stage

EXAMPLES: dict[type[RegistryError], RegistryError] = {
    type(error): error
    for error in (
        errors.RegistryError("something"),
        errors.InvalidInput("no", field="metrics"),
        errors.InvalidName("no", field="model_id"),
        errors.UnknownFramework("prophet", ("sklearn",)),
        errors.UntrustedModel("no", types=("os.system",)),
        errors.InvalidDataset("no rows"),
        errors.NotFound("a"),
        errors.ModelNotFound("a"),
        errors.VersionNotFound("a", 3),
        errors.ExperimentNotFound("7"),
        errors.RunNotFound("f" * 32),
        errors.EvidenceNotFound("e-1"),
        errors.ArtifactNotFound("a/b"),
        errors.Conflict("first"),
        errors.StaleModel("a", 7),
        errors.StaleProduction(expected=None, actual=2),
        errors.NoEarlierProduction("a"),
        errors.OperationConflict("dag/run/task"),
        errors.AlreadyExists("there"),
        errors.InvalidTransition(Stage.DEVELOPMENT, Stage.PRODUCTION, advice="no"),
        errors.GateRefused(2, Stage.STAGING, (Missing("no_evidence", "none", Gate.VALIDATION),)),
        errors.PermissionDenied("kim", "roll back", needed=("promoter",)),
        errors.BundleCorrupt("a", 1, "MLmodel is missing"),
        errors.LedgerCorrupt("a", 4, "was edited"),
        errors.ProofRefused("a/b/1", [("entry_edited", "entry 4 was edited")]),
        errors.UntrustedEvidence("e1", "is not signed"),
        errors.LedgerTruncated("a", 4, "7"),
        errors.LedgerForked("a", 4, "sha256:" + "0" * 64),
        errors.LedgerBehind(expected=9, actual=7),
        errors.SigningUnavailable("LEDGER_KEY", "set it"),
        errors.BackendUnavailable("MLflow", "no answer"),
        errors.ChangeInProgress("model 'churn'"),
        errors.SchemaMismatch("it is older", program="0004", ledger="0003"),
        errors.FrameworkUnavailable("torch", "pip install torch"),
    )
}


def _drawn() -> dict[str, str]:
    """Class to base class, as drawn in the module's docstring."""
    tree: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^    ((?:[│ ]   )*)(?:[├└]── )?([A-Z]\w+)(?:\s{2,}.*)?$", line)
        if match:
            depth = len(match[1]) // 4 + ("──" in line)
            path[depth:] = [match[2]]
            if depth:
                tree[match[2]] = path[depth - 1]
    return tree


def _classes(base: type[RegistryError]) -> Iterator[type[RegistryError]]:
    for item in base.__subclasses__():
        yield item
        yield from _classes(item)


def test_the_drawing_equals_the_tree() -> None:
    """Nobody adds a class without drawing it, and none is drawn that is not there."""
    actual = {item.__name__: item.__bases__[0].__name__ for item in _classes(RegistryError)}

    assert actual == _drawn()


def test_there_is_one_tree() -> None:
    """No module of the package declares an error of the registry elsewhere."""
    root = Path(str(model_lifecycle.__file__)).parent
    names = {item.__name__ for item in _classes(RegistryError)} | {"RegistryError"}
    strays = [
        f"{path.relative_to(root)}: {node.name}"
        for folder in ("registry", "gates", "operators", "cli", "api")
        for path in (root / folder).rglob("*.py")
        if path.parent != Path(str(errors.__file__)).parent
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id in names for base in node.bases)
    ]

    assert strays == []


def test_every_class_has_a_code_of_its_own() -> None:
    """Programs tell errors apart by code, so no two share one."""
    codes = [item.__dict__.get("code") for item in (RegistryError, *_classes(RegistryError))]

    assert None not in codes
    assert len(set(codes)) == len(codes)


def test_codes_are_stable() -> None:
    """A code that was published is not renamed."""
    assert {item.__name__: item.code for item in _classes(RegistryError)} == {
        "InvalidInput": "invalid_input",
        "InvalidName": "invalid_name",
        "UnknownFramework": "unknown_framework",
        "UntrustedModel": "untrusted_model",
        "InvalidDataset": "invalid_dataset",
        "NotFound": "not_found",
        "ModelNotFound": "model_not_found",
        "VersionNotFound": "version_not_found",
        "ExperimentNotFound": "experiment_not_found",
        "RunNotFound": "run_not_found",
        "EvidenceNotFound": "evidence_not_found",
        "ArtifactNotFound": "artifact_not_found",
        "Conflict": "conflict",
        "StaleModel": "stale_model",
        "StaleProduction": "stale_production",
        "NoEarlierProduction": "no_earlier_production",
        "OperationConflict": "operation_conflict",
        "AlreadyExists": "already_exists",
        "InvalidTransition": "invalid_transition",
        "GateRefused": "gate_refused",
        "PermissionDenied": "permission_denied",
        "BundleCorrupt": "bundle_corrupt",
        "LedgerCorrupt": "ledger_corrupt",
        "ProofRefused": "proof_refused",
        "UntrustedEvidence": "untrusted_evidence",
        "LedgerTruncated": "ledger_truncated",
        "LedgerForked": "ledger_forked",
        "LedgerBehind": "ledger_behind",
        "SigningUnavailable": "signing_unavailable",
        "BackendUnavailable": "backend_unavailable",
        "ChangeInProgress": "change_in_progress",
        "SchemaMismatch": "schema_mismatch",
        "FrameworkUnavailable": "framework_unavailable",
    }


def test_there_is_an_example_of_every_class() -> None:
    """The tests below speak of all of them."""
    assert set(EXAMPLES) == {RegistryError, *_classes(RegistryError)}


@pytest.mark.parametrize("error", EXAMPLES.values(), ids=lambda error: error.code)
def test_details_are_plain_json(error: RegistryError) -> None:
    """The details of an error are plain JSON, and its message is a sentence."""
    assert json.loads(json.dumps(error.details(), allow_nan=False)) == error.details()
    assert str(error)


def test_only_an_unavailable_backend_is_worth_repeating() -> None:
    """Every other error would be the same again."""
    assert [item.code for item in EXAMPLES if item.retryable] == [
        "backend_unavailable",
        "change_in_progress",
        "schema_mismatch",
    ]


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (EXAMPLES[errors.StaleModel], {"model_id": "a", "epoch": 7}),
        (EXAMPLES[errors.StaleProduction], {"expected": None, "actual": 2}),
        (EXAMPLES[errors.InvalidTransition], {"from": "development", "to": "production"}),
        (EXAMPLES[errors.VersionNotFound], {"name": "a/3"}),
        (EXAMPLES[errors.LedgerCorrupt], {"sequence": 4, "problem": "was edited"}),
        (
            EXAMPLES[errors.ProofRefused],
            {"problems": [{"code": "entry_edited", "message": "entry 4 was edited"}]},
        ),
        (EXAMPLES[errors.LedgerBehind], {"expected": 9, "actual": 7}),
        (EXAMPLES[errors.SigningUnavailable], {"setting": "LEDGER_KEY"}),
        (EXAMPLES[errors.UntrustedEvidence], {"evidence_id": "e1", "reason": "is not signed"}),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_what_an_error_knows_is_a_field(error: RegistryError, fields: dict[str, Any]) -> None:
    """Nobody has to read a message."""
    assert error.details() == fields


def test_a_foreign_thing_is_told_in_the_words_of_an_absent_one() -> None:
    """Neither message nor details tell another tenant's thing from none."""
    assert str(errors.RunNotFound("x")) == "run 'x' not found"
    assert errors.RunNotFound("x").details() == {"name": "x"}
