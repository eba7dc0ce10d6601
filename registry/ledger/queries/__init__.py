"""Reads of the ledger. Each is one indexed query and one round trip, whatever the number of
models."""

from __future__ import annotations

from .entries import EntryQueries
from .models import ModelQueries
from .versions import VersionQueries


class LedgerReader(ModelQueries, VersionQueries, EntryQueries):
    """Answers from the ledger alone; deleted versions and models without versions are absent."""
