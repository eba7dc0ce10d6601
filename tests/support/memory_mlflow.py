"""The part of MLflow that mirrors the ledger, in memory: quick enough for thousands of steps.

What the real one answers is held by the contract's tests; here it can also be away.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from model_lifecycle.registry.domain.errors import (
    BackendUnavailable,
    ModelNotFound,
    VersionNotFound,
)
from model_lifecycle.registry.domain.identifiers import TenantId
from model_lifecycle.registry.mlflow_adapter.records import (
    ModelVersionRecord,
    RegisteredModelRecord,
)

_AT = datetime(2026, 1, 1, tzinfo=UTC)


class MemoryMlflow:
    """``away`` makes every call fail as a server does that is not reached; ``lost`` is the number
    of calls from now on after which it goes away by itself, None for never."""

    def __init__(self) -> None:
        self.away = False
        self.lost: int | None = None
        self.models: dict[str, RegisteredModelRecord] = {}
        self.versions: dict[str, dict[int, dict[str, str]]] = {}
        self.sources: dict[tuple[str, int], str] = {}

    def add_version(self, name: str, number: int, tags: Mapping[str, str], source: str) -> None:
        """Add the version that a registration leaves in MLflow."""
        self.sources[name, number] = source
        self.models.setdefault(name, RegisteredModelRecord(name, {}, {}))
        self.versions.setdefault(name, {})[number] = dict(tags)

    async def ping(self) -> None:
        self._answer()

    async def set_alias(self, name: str, alias: str, version: int) -> None:
        self._answer()
        if version not in self.versions.get(name, {}):
            raise VersionNotFound(name, version)
        model = self.models[name]
        self.models[name] = RegisteredModelRecord(
            name, {**model.aliases, alias: version}, model.tags
        )

    async def delete_alias(self, name: str, alias: str) -> None:
        self._answer()
        model = self.models[name]
        aliases = {key: value for key, value in model.aliases.items() if key != alias}
        self.models[name] = RegisteredModelRecord(name, aliases, model.tags)

    async def set_version_tags(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        self._answer()
        if version not in self.versions.get(name, {}):
            raise VersionNotFound(name, version)
        self.versions[name][version].update(tags)

    async def set_registered_model_tags(self, name: str, tags: Mapping[str, str]) -> None:
        self._answer()
        if name not in self.models:
            raise ModelNotFound(name)
        model = self.models[name]
        self.models[name] = RegisteredModelRecord(name, model.aliases, {**model.tags, **tags})

    async def delete_version(self, name: str, version: int) -> None:
        self._answer()
        self.versions.get(name, {}).pop(version, None)
        if name in self.models:
            model = self.models[name]
            aliases = {key: value for key, value in model.aliases.items() if value != version}
            self.models[name] = RegisteredModelRecord(name, aliases, model.tags)

    def accepts_source(self, uri: str) -> bool:
        """As MLflow on a database does: versions are served from their bundles."""
        return True

    async def model_versions(self, name: str) -> list[ModelVersionRecord]:
        self._answer()
        aliases = self.models[name].aliases if name in self.models else {}
        return [
            ModelVersionRecord(
                name,
                number,
                self.sources[name, number],
                None,
                None,
                dict(tags),
                _AT,
                "READY",
                frozenset(alias for alias, target in aliases.items() if target == number),
            )
            for number, tags in sorted(self.versions.get(name, {}).items())
        ]

    async def model_version(self, name: str, version: int) -> ModelVersionRecord | None:
        versions = await self.model_versions(name)
        return next((item for item in versions if item.version == version), None)

    async def registered_model(self, name: str) -> RegisteredModelRecord | None:
        self._answer()
        return self.models.get(name)

    async def registered_models(
        self, tenant: TenantId | None = None
    ) -> list[RegisteredModelRecord]:
        self._answer()
        return [
            model
            for name, model in sorted(self.models.items())
            if tenant is None or name.startswith(f"{tenant}.")
        ]

    def _answer(self) -> None:
        if self.lost is not None:
            self.lost -= 1
            if self.lost < 0:
                self.away, self.lost = True, None
        if self.away:
            raise BackendUnavailable("MLflow", "it is unavailable")
