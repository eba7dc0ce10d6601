"""Every error of the registry, in one tree.

::

    RegistryError
    ├── InvalidInput                a value the caller can correct
    │   ├── InvalidName             tenant, model or version that does not match the naming rule
    │   ├── UnknownFramework        framework the registry does not support
    │   ├── UntrustedModel          payload holds types that are not on the reviewed list
    │   └── InvalidDataset          no rows, or columns that do not match the model's signature
    ├── NotFound                    also: it belongs to another tenant
    │   ├── ModelNotFound
    │   ├── VersionNotFound
    │   ├── ExperimentNotFound
    │   ├── RunNotFound
    │   ├── EvidenceNotFound
    │   └── ArtifactNotFound
    ├── Conflict                    the state has changed; read it again, then decide again
    │   ├── StaleModel              the model is no longer in the state the caller has seen
    │   ├── StaleProduction         production is no longer the version the caller expected
    │   ├── NoEarlierProduction     there is nothing to roll back to
    │   ├── OperationConflict       operation id already used for another request
    │   ├── LedgerBehind            the ledger has fewer entries than the caller has seen
    │   └── AlreadyExists           the thing is there, with other content
    ├── InvalidTransition           the stage table has no such edge
    ├── GateRefused                 the edge exists, its evidence does not
    ├── UntrustedEvidence           no key that the policy trusts has signed the evidence
    ├── PermissionDenied            the actor's roles do not allow it
    ├── BundleCorrupt               files differ from the digest in the ledger
    ├── LedgerCorrupt               the hash chain is broken, or an entry breaks the rules
    │   ├── LedgerTruncated         it ends before an entry that was anchored elsewhere
    │   └── LedgerForked            an entry is another one than was anchored elsewhere
    ├── ProofRefused                a proof in a file does not show what it says
    ├── BackendUnavailable          ledger, MLflow or artifact store does not answer; safe to repeat
    │   ├── ChangeInProgress        another change of the same model has not ended in time
    │   └── SchemaMismatch          the ledger's tables are of another version of the program
    ├── SigningUnavailable          no key is configured here
    └── FrameworkUnavailable        supported framework that is not installed here

Each class has a stable ``code`` for programs, and carries what it knows as fields, so that no
caller has to read a message. Messages say what was wrong, what is allowed, and what to do; they
never hold credentials, SQL or addresses with credentials.
"""

from __future__ import annotations

from .base import RegistryError
from .conflicts import (
    AlreadyExists,
    Conflict,
    LedgerBehind,
    NoEarlierProduction,
    OperationConflict,
    StaleModel,
    StaleProduction,
)
from .corruption import (
    BundleCorrupt,
    LedgerCorrupt,
    LedgerForked,
    LedgerTruncated,
    ProofRefused,
)
from .invalid_input import (
    InvalidDataset,
    InvalidInput,
    InvalidName,
    UnknownFramework,
    UntrustedModel,
)
from .missing import (
    ArtifactNotFound,
    EvidenceNotFound,
    ExperimentNotFound,
    ModelNotFound,
    NotFound,
    RunNotFound,
    VersionNotFound,
)
from .refusals import GateRefused, InvalidTransition, PermissionDenied, UntrustedEvidence
from .unavailability import (
    BackendUnavailable,
    ChangeInProgress,
    FrameworkUnavailable,
    SchemaMismatch,
    SigningUnavailable,
)

__all__ = [
    "AlreadyExists",
    "ArtifactNotFound",
    "BackendUnavailable",
    "BundleCorrupt",
    "ChangeInProgress",
    "Conflict",
    "EvidenceNotFound",
    "ExperimentNotFound",
    "FrameworkUnavailable",
    "GateRefused",
    "InvalidDataset",
    "InvalidInput",
    "InvalidName",
    "InvalidTransition",
    "LedgerBehind",
    "LedgerCorrupt",
    "LedgerForked",
    "LedgerTruncated",
    "ModelNotFound",
    "NoEarlierProduction",
    "NotFound",
    "OperationConflict",
    "PermissionDenied",
    "ProofRefused",
    "RegistryError",
    "RunNotFound",
    "SchemaMismatch",
    "SigningUnavailable",
    "StaleModel",
    "StaleProduction",
    "UnknownFramework",
    "UntrustedEvidence",
    "UntrustedModel",
    "VersionNotFound",
]
