"""A registry with one tenant of its own, and the steps that tests take in it again and again."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from model_lifecycle.registry.domain.evidence import Evidence, Verdict
from model_lifecycle.registry.domain.models import LedgerEntry, ModelMetadata, TrainedModel
from model_lifecycle.registry.domain.stages import Gate, Stage
from model_lifecycle.registry.model_registry import ModelRegistry


def new_name(prefix: str = "model") -> str:
    """A name that no other test uses: the stores live as long as the session."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def trained(strength: float = 1.0, **changes: Any) -> TrainedModel:
    """A small fitted classifier with everything that may be stated about it."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    frame = pd.DataFrame(
        {"delay": [float(n) for n in range(40)], "wind": [float(n % 7) for n in range(40)]}
    )
    model = LogisticRegression(C=strength).fit(frame, frame["delay"] > 20)
    fields: dict[str, Any] = {
        "metrics": {"accuracy": 0.95, "auc": 0.9},
        "parameters": {"C": strength},
        "tags": {"team": "flights"},
        "input_example": frame.head(3),
        "training_log": "epoch 1\n",
        "dataset": {"name": "flights", "digest": "sha256:" + "a" * 64, "start": "2013-01-01"},
    }
    return TrainedModel(model, "sklearn", **{**fields, **changes})


@dataclass
class RegistryFixture:
    """``sources`` are addresses of two models that the tenant has logged in MLflow."""

    registry: ModelRegistry
    tenant: str
    sources: tuple[str, ...] = ()
    actor: str = "kim"
    made: list[str] = field(default_factory=list)

    async def version(self, model_id: str, source: int = 0, **arguments: Any) -> int:
        """Register the next version of the model from one of the sources; its number."""
        operation_id = arguments.pop("operation_id", None) or new_name("register")
        model = await self.registry.register_model(
            self.tenant,
            model_id,
            self.sources[source],
            "sklearn",
            None,
            None,
            created_by=self.actor,
            operation_id=operation_id,
            **arguments,
        )
        assert model.receipt is not None
        return model.receipt.entry.moves[0].version

    async def evidence(
        self, model_id: str, version: int, gate: Gate | str = Gate.SHADOW, /, **changes: Any
    ) -> Evidence:
        """Evidence that fits the version as it is now, unless ``changes`` say otherwise."""
        metadata = await self.registry.get_version(self.tenant, model_id, version)
        model = await self.registry.get_model(self.tenant, model_id)
        policy = await self.registry.get_policy(self.tenant, model_id)
        assert metadata is not None
        assert model is not None
        values: dict[str, Any] = {
            "evidence_id": new_name("evidence"),
            "gate": gate,
            "verdict": Verdict.PASS,
            "bundle_digest": metadata.bundle_digest,
            "baseline": model.production_version,
            "policy_fingerprint": policy.fingerprint,
            "summary": {"sentence": "better by 0.01"},
        }
        return Evidence(**{**values, **changes})

    async def judged(
        self, model_id: str, version: int, gate: Gate | str = Gate.SHADOW, /, **changes: Any
    ) -> Evidence:
        """Record such evidence."""
        return await self.registry.record_evidence(
            self.tenant,
            model_id,
            version,
            await self.evidence(model_id, version, gate, **changes),
            actor=self.actor,
        )

    async def move(
        self, model_id: str, version: int | str, stage: Stage | str, **arguments: Any
    ) -> ModelMetadata:
        arguments.setdefault("actor", self.actor)
        return await self.registry.transition_stage(
            self.tenant, model_id, version, stage, **arguments
        )

    async def staged(self, model_id: str, source: int = 0) -> int:
        """A new version in staging."""
        version = await self.version(model_id, source)
        await self.judged(model_id, version, Gate.VALIDATION)
        await self.move(model_id, version, Stage.STAGING)
        return version

    async def promoted(self, model_id: str, source: int = 0) -> int:
        """A new version in production."""
        version = await self.staged(model_id, source)
        await self.judged(model_id, version)
        await self.move(model_id, version, Stage.PRODUCTION)
        return version

    async def roll_back(self, model_id: str, **arguments: Any) -> ModelMetadata:
        arguments.setdefault("actor", self.actor)
        arguments.setdefault("reason", "too many late flights")
        return await self.registry.rollback(self.tenant, model_id, **arguments)

    async def stages(self, model_id: str) -> dict[int, str]:
        """Each version's stage, as readers see it."""
        versions = await self.registry.list_versions(self.tenant, model_id)
        return {item.version: item.stage.value for item in versions}

    async def history(self, model_id: str) -> list[LedgerEntry]:
        return await self.registry.history(self.tenant, model_id)

    async def snapshot(self, model_id: str) -> tuple[Any, ...]:
        """All that a refused call must leave as it was."""
        try:
            history = await self.history(model_id)
            versions = await self.registry.list_versions(self.tenant, model_id)
        except Exception as error:
            return type(error), str(error)
        model = await self.registry.get_model(self.tenant, model_id)
        evidence = [
            await self.registry.list_evidence(self.tenant, model_id, item.version)
            for item in versions
        ]
        return history, versions, model, evidence


async def register_object(world: RegistryFixture, model_id: str, **changes: Any) -> ModelMetadata:
    """Register a fitted object with all that can be stated about it."""
    trained_model = trained()
    arguments: dict[str, Any] = {
        "model": trained_model.model,
        "framework": trained_model.framework,
        "metrics": trained_model.metrics,
        "parameters": trained_model.parameters,
        "tags": trained_model.tags,
        "description": "late flights",
        "input_example": trained_model.input_example,
        "training_log": trained_model.training_log,
        "dataset": trained_model.dataset,
        "created_by": "kim",
    }
    return await world.registry.register_model(world.tenant, model_id, **{**arguments, **changes})
