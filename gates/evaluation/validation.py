"""The validation gate: held-out rows, judged once, against the champion and limits."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from model_lifecycle.registry.domain.authorization import Principal
from model_lifecycle.registry.domain.stages import Gate

from ..data.datasets import read_dataset
from ..policy.hypotheses import claims
from ..policy.promotion import ValidationPolicy
from ..protocols import EvaluationRegistry
from ..report import GateReport
from .context import conclude, load_context
from .holdout import judge_dataset
from .prior_attempts import attempts_on_data


async def validate_version(
    registry: EvaluationRegistry,
    tenant_id: str,
    model_id: str,
    version: int,
    *,
    data: str,
    actor: Principal | str,
    evidence_id: str | None = None,
) -> GateReport:
    """Judge a version on held-out rows and record the verdict as evidence.

    ``data`` is a Parquet file or a folder of them, a local path or a URI below the artifact root;
    it has the features of both models' signatures, and the label's column where the policy demands
    something that needs labels. The baseline is the version in production now; with
    none, the policy's limits decide. The same ``evidence_id`` again returns what was recorded.

    Raises InvalidDataset (nothing is recorded) for a data set that is empty or does not match a
    signature, InvalidInput for a policy without a validation section.
    """
    case = await load_context(
        registry,
        Gate.VALIDATION,
        tenant_id,
        model_id,
        version,
        actor=actor,
        evidence_id=evidence_id,
    )
    if isinstance(case, GateReport):
        return case
    policy = ValidationPolicy.from_document(case.policy.validation)
    demands = claims(
        policy.comparisons, policy.limits, policy.slices, champion=case.champion is not None
    )
    case.require_model_type([claim.metric for claim in demands])
    dataset = await read_dataset(registry.artifacts, data)
    challenger = await registry.load_model(case.tenant, case.model, version=case.version.version)
    champion = (
        await registry.load_model(case.tenant, case.model, version=case.champion.version)
        if case.champion
        else None
    )
    judged = await asyncio.to_thread(
        judge_dataset, case, policy, demands, dataset, challenger, champion
    )
    attempts = await attempts_on_data(registry, case, dataset.digest, judged.fingerprint)
    return await conclude(
        registry,
        replace(case, attempts=max(case.attempts, attempts)),
        policy.document(),
        judged.rows,
        judged.checks,
        counts=judged.counts,
        reproduction={
            "data": data,
            "data_digest": dataset.digest,
            "data_fingerprint": list(judged.fingerprint),
        },
        detail=judged.detail,
    )
