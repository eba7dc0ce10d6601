"""Errors about records and files that are no longer as they were recorded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .base import RegistryError


class BundleCorrupt(RegistryError):
    """The files of a version are not those that were registered. Nothing was changed."""

    code = "bundle_corrupt"

    def __init__(self, model_id: str, version: int, problem: str) -> None:
        super().__init__(
            f"the bundle of {model_id}/{version} is not what was registered: {problem}; "
            "restore the files from a backup, or choose another version"
        )
        self.model_id = model_id
        self.version = version
        self.problem = problem

    def details(self) -> dict[str, Any]:
        return {"version": self.version, "problem": self.problem}


class LedgerCorrupt(RegistryError):
    """The hash chain of a model is broken; ``sequence`` is the first entry that does not fit."""

    code = "ledger_corrupt"

    def __init__(self, model_id: str, sequence: int, problem: str) -> None:
        super().__init__(f"ledger of {model_id}: entry {sequence} {problem}")
        self.model_id = model_id
        self.sequence = sequence
        self.problem = problem

    def details(self) -> dict[str, Any]:
        return {"sequence": self.sequence, "problem": self.problem}


class ProofRefused(RegistryError):
    """A proof does not show what it says. ``problems`` are all parts of it that do not hold, each
    as a code and a sentence."""

    code = "proof_refused"

    def __init__(self, subject: str, problems: Iterable[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            f"the proof of {subject} does not hold: "
            + "; ".join(message for _, message in self.problems)
        )

    def details(self) -> dict[str, Any]:
        return {"problems": [{"code": code, "message": message} for code, message in self.problems]}


_RESTORED = (
    "If the ledger was restored from a backup, look at what was lost, then accept it with "
    "`model-lifecycle reconcile --accept-restored-ledger`; else restore the newest backup"
)


class LedgerTruncated(LedgerCorrupt):
    """The ledger ends before an entry that was anchored outside of its database: its tail was
    removed, or it was restored from an older backup."""

    code = "ledger_truncated"

    def __init__(self, model_id: str, sequence: int, anchored: str) -> None:
        super().__init__(
            model_id,
            sequence,
            f"is missing: the artifact store or MLflow has the hash of entry {anchored}. The last "
            f"entries were removed, or this is an older backup. {_RESTORED}",
        )


class LedgerForked(LedgerCorrupt):
    """An entry is another one than was anchored outside of the database: the ledger was rewritten,
    or it was restored from an older backup and has gone on since."""

    code = "ledger_forked"

    def __init__(self, model_id: str, sequence: int, anchored_hash: str) -> None:
        super().__init__(
            model_id,
            sequence,
            f"is another one than was anchored, whose hash is {anchored_hash}. The ledger was "
            f"rewritten, or this is an older backup that has gone on. {_RESTORED}",
        )
