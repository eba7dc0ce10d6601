"""The validation gate: held-out rows, judged once, against the champion and limits."""

from __future__ import annotations

import asyncio

from model_lifecycle.registry.domain.authorization import Principal
from model_lifecycle.registry.domain.stages import Gate

from ..data.datasets import read_dataset
from ..policy.hypotheses import policy_hypotheses
from ..policy.promotion import ValidationPolicy
from ..protocols import EvaluationRegistry
from ..report import GateReport
from .context import EvaluationRequest, load_context
from .holdout import judge_dataset
from .prior_attempts import PriorEvidence, same_rows
from .record import Judgement, build_report, find_report, record_verdict


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
    request = EvaluationRequest.of(
        Gate.VALIDATION, tenant_id, model_id, version, actor=actor, evidence_id=evidence_id
    )
    recorded = await find_report(registry, request)
    if recorded is not None:
        return recorded
    context = await load_context(registry, request)
    policy = ValidationPolicy.from_document(context.policy.validation)
    hypotheses = policy_hypotheses(
        policy.comparisons, policy.limits, policy.slices, champion=context.champion is not None
    )
    context.require_model_type([item.metric for item in hypotheses])
    dataset = await read_dataset(registry.artifacts, data)
    load = registry.load_model
    challenger = await load(context.tenant, context.model, version=context.version.version)
    champion = None
    if context.champion is not None:
        champion = await load(context.tenant, context.model, version=context.champion.version)
    result = await asyncio.to_thread(
        judge_dataset, context, policy, hypotheses, dataset, challenger, champion
    )
    prior = await PriorEvidence.load(context)
    report = await build_report(
        context,
        Judgement(
            rows=result.rows,
            checks=result.checks,
            counts=result.counts,
            reproduction={
                "data": data,
                "data_digest": dataset.digest,
                "data_fingerprint": list(result.fingerprint),
            },
            detail=result.detail,
        ),
        policy=policy.document(),
        attempts=prior.attempts(same_rows(dataset.digest, result.fingerprint)),
    )
    return await record_verdict(context, report)
