"""A shadow test's case and policy, and the steps that its one-process and its mapped form share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from model_lifecycle.registry.domain.authorization import Principal
from model_lifecycle.registry.domain.canonical_json import digest
from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput
from model_lifecycle.registry.domain.models import VersionMetadata
from model_lifecycle.registry.domain.stages import Gate

from ..aggregates.distributions import Edges
from ..aggregates.replay import ReplayAggregate, named
from ..aggregates.unlabelled import with_worst_check
from ..checks.common import TRAINING_END, duration_check, restart_check
from ..checks.traffic import Window, shadow_checks
from ..data.label_maturity import block_length
from ..data.pairing import Day
from ..data.traffic import Partition, parse_day, read_labels, read_partitions
from ..formatting import plural
from ..inference.latency import latency_shown
from ..inference.outlook import outlook
from ..inference.sequential import judge_blocks
from ..metrics.classes import Classes, declared_classes
from ..metrics.definitions import CLASSIFICATION, REGRESSION
from ..policy.hypotheses import Hypothesis, claims
from ..policy.promotion import ShadowPolicy
from ..protocols import EvaluationRegistry
from ..report import GateReport
from ..statistics.grid import STEPS
from ..statistics.mcnemar import mid_p
from .champion_level import champion_level_check
from .context import EvaluationContext, conclude, load_context, look
from .plan import TrafficPlan, fixed_plan
from .prior_attempts import attempts_on_window
from .replay import Replay, fitting_edges

if TYPE_CHECKING:
    from model_lifecycle.registry.frameworks.protocol import Predictor

#: Served latencies count from so long after the first request of the window.
WARM_UP = timedelta(minutes=5)
#: How many single requests are timed: of every batch where the policy limits latency, else of each
#: day's first, for the report alone.
_TIMED, _TIMED_UNASKED = 24, 4


@dataclass(frozen=True)
class Setting:
    """A case with its policy and the demands that apply."""

    case: EvaluationContext
    policy: ShadowPolicy
    claims: tuple[Hypothesis, ...]

    @property
    def identity(self) -> str:
        """What sums have to have in common to be added: margins, grid, unit, policy, models."""
        case = self.case
        return digest(
            {
                "claims": [claim.key for claim in self.claims],
                "unit": [self.policy.unit, self.policy.block, self.policy.cluster],
                "grid": STEPS,
                "policy": case.policy.fingerprint,
                "challenger": case.version.bundle_digest,
                "champion": case.champion.bundle_digest if case.champion else None,
            }
        )


async def opened(
    registry: EvaluationRegistry,
    tenant_id: str,
    model_id: str,
    version: int,
    actor: Principal | str,
    evidence_id: str | None,
) -> Setting | GateReport:
    """The test as it is to be made now, or the report of evidence that has this id."""
    case = await load_context(
        registry, Gate.SHADOW, tenant_id, model_id, version, actor=actor, evidence_id=evidence_id
    )
    return case if isinstance(case, GateReport) else _setting(case)


async def setting(
    registry: EvaluationRegistry, plan: TrafficPlan, actor: Principal | str
) -> Setting | GateReport:
    """The test as it was planned: against the champion of then. Raises :class:`InvalidInput` when
    the policy or a model has changed since."""
    case = await load_context(
        registry,
        Gate.SHADOW,
        plan.tenant_id,
        plan.model_id,
        plan.version,
        actor=actor,
        evidence_id=plan.evidence_id,
    )
    if isinstance(case, GateReport):
        return case
    if case.baseline != plan.baseline:
        champion = None
        if plan.baseline is not None:
            champion = await registry.get_version(case.tenant, case.model, plan.baseline)
        case = replace(case, champion=champion)
    found = _setting(case)
    if found.identity != plan.identity:
        raise InvalidInput(
            "the policy or a model has changed since this shadow test was planned; plan it again",
            field="plan",
        )
    return found


def require_window(policy: ShadowPolicy, start: str | date, end: str | date) -> None:
    """A window to replay is long enough for a verdict. Raises :class:`InvalidInput` with what the
    window holds and what the policy asks for, before anything is read."""
    first, last = parse_day(start, "start"), parse_day(end, "end")
    length = last - first
    most = -(-length // block_length(policy.block))
    if length > timedelta() and (
        length < timedelta(hours=policy.min_duration_hours) or most < policy.min_blocks
    ):
        needed = max(
            timedelta(hours=policy.min_duration_hours),
            policy.min_blocks * block_length(policy.block),
        )
        raise InvalidInput(
            f"no verdict is possible on the window {start} to {end}: it is "
            f"{length / timedelta(hours=1):g} hours long, at most {most} "
            f"{plural(policy.block, most)}, and the policy asks for min_duration_hours "
            f"{policy.min_duration_hours:g} and min_blocks {policy.min_blocks}; begin the window "
            f"at {(last - needed).isoformat()} or earlier, or lower the policy's minimums",
            field="start",
        )


async def planned(
    registry: EvaluationRegistry, found: Setting, start: str | date, end: str | date
) -> TrafficPlan:
    """Fix the window. Raises InvalidInput where it cannot be, InvalidDataset without traffic."""
    plan, hours = await fixed_plan(
        registry.artifacts,
        found.case,
        start,
        end,
        horizon_hours=found.policy.label_horizon_hours,
        identity=found.identity,
    )
    if found.case.model_type != REGRESSION:
        return plan
    edges = await _edges(registry, found, plan, hours)
    return replace(plan, edges=None if edges is None else asdict(edges))


async def ready(registry: EvaluationRegistry, found: Setting, plan: TrafficPlan) -> Replay:
    """The replay with its models loaded."""
    case, policy = found.case, found.policy
    candidate = await registry.load_model(case.tenant, case.model, version=case.version.version)
    replays = policy.mode == "replay"
    champion = (
        await registry.load_model(case.tenant, case.model, version=case.champion.version)
        if case.champion
        else None
    )
    edges = Edges.of_scores() if case.model_type == CLASSIFICATION else None
    if plan.edges is not None:
        edges = Edges(
            plan.edges["model_type"], tuple(plan.edges["values"]), tuple(plan.edges["errors"])
        )
    return Replay(
        claims=found.claims,
        block=policy.block,
        challenger=candidate if replays else None,
        recorded=None if replays else candidate,
        tolerance=policy.replay_tolerance,
        champion=champion,
        production=case.baseline,
        mature_until=datetime.fromisoformat(plan.mature_until),
        model_type=case.model_type,
        candidate=case.version.version,
        unit=policy.unit,
        cluster=policy.cluster,
        identity=plan.identity,
        edges=edges,
        feature_time=policy.feature_time,
        warm_until=plan.window[0] + WARM_UP,
        timed_calls=_TIMED if policy.latency else _TIMED_UNASKED,
        times_every_batch=bool(policy.latency),
        judges_errors=policy.judges_errors,
        categories=_categories(case.version),
        classes=_label_classes(found, [candidate if replays else None, champion]),
        positive=policy.positive_label,
    )


async def judged(
    registry: EvaluationRegistry,
    found: Setting,
    plan: TrafficPlan,
    tally: ReplayAggregate,
    *,
    record: bool = True,
    over: bool = False,
) -> GateReport:
    """The verdict from all sums; ``over`` says that the longest duration is reached. Raises
    InvalidDataset when no request was the champion's."""
    case, policy = found.case, found.policy
    _require_requests(case, tally)
    compared = case.champion is not None
    rows, shown = await asyncio.to_thread(
        judge_blocks, policy, found.claims, tally, with_champion=compared
    )
    first, last = plan.window
    mature = min(datetime.fromisoformat(plan.mature_until), last)
    said = {"challenger": _training_end(case.version)}
    if case.champion is not None:
        said["champion"] = _training_end(case.champion)
    window = Window(first, last, datetime.fromisoformat(plan.mature_until))
    checks = with_worst_check(
        shadow_checks(policy, found.claims, tally, window, said),
        policy,
        found.claims,
        rows,
        tally.unlabelled,
    )
    attempts = await attempts_on_window(registry, case, plan.start, plan.end)
    counts = {**tally.counts, "partitions": len(tally.sources), "blocks": len(tally.blocks)}
    finish = conclude if record else look
    return await finish(
        registry,
        replace(case, attempts=max(case.attempts, attempts) + len(plan.restarts)),
        policy.document(),
        rows,
        (
            *checks,
            *await champion_level_check(registry, case, rows, policy.max_level_ratio),
            *duration_check(policy.longest, over),
            *restart_check([item.start for item in plan.restarts], plan.start),
        ),
        counts=dict(sorted(counts.items())),
        reproduction={
            "start": plan.start,
            "end": plan.end,
            "mature_until": mature.isoformat(),
            "judged_at": plan.mature_until,
            "identity": plan.identity,
            "training_ends": said,
            "partitions": named(tally.sources),
            "labels": named(tally.labels),
        },
        detail={
            **shown,
            "outlook": outlook(policy, rows, shown["looks"], first),
            "distributions": tally.distributions.document(),
            "latency": latency_shown(tally),
            "answers": dict(sorted(tally.tables.get("answers", {}).items())),
            "flips": _flips(tally),
            "sums": tally.document(),
        },
    )


def _setting(case: EvaluationContext) -> Setting:
    policy = ShadowPolicy.from_document(case.policy.shadow)
    demands = claims(
        policy.comparisons, policy.limits, policy.slices, champion=case.champion is not None
    )
    case.require_model_type([claim.metric for claim in demands])
    if policy.mode == "mirrored" and case.champion is None:
        raise InvalidInput(
            "a mirrored shadow test compares with the version in production, and there is none",
            field="policy.shadow.mode",
        )
    return Setting(case, policy, demands)


def _flips(tally: ReplayAggregate) -> dict[str, Any]:
    right = tally.tables.get("right")
    if not right:
        return {}
    p = mid_p(right["only_challenger_right"], right["only_champion_right"])
    return {**dict(sorted(right.items())), "mcnemar_mid_p": p}


def _training_end(version: VersionMetadata) -> dict[str, str]:
    said = {**version.parameters, **version.tags}
    return {key: said[key] for key in TRAINING_END if said.get(key)}


def _label_classes(found: Setting, models: Sequence[Predictor | None]) -> Classes | None:
    if found.case.model_type != CLASSIFICATION:
        return None
    named = [model.classes for model in models if model is not None]
    return declared_classes(
        named, found.policy.positive_label, field="policy.shadow.positive_label"
    )


def _categories(version: VersionMetadata) -> dict[str, frozenset[str]]:
    """The categories that the version says it was trained on: JSON under ``dataset.categories``."""
    text = {**version.parameters, **version.tags}.get("dataset.categories")
    try:
        found: Any = json.loads(text) if text else {}
        return {str(name): frozenset(map(str, values)) for name, values in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


async def _edges(
    registry: EvaluationRegistry, found: Setting, plan: TrafficPlan, hours: tuple[Partition, ...]
) -> Edges | None:
    store, case = registry.artifacts, found.case
    labels = await read_labels(store, case.tenant, case.model, hours[0].hour)
    batch = await read_partitions(store, hours[:1])
    replay = await ready(registry, found, plan)
    return await asyncio.to_thread(fitting_edges, replay, batch, Day.of(labels))


def _require_requests(case: EvaluationContext, tally: ReplayAggregate) -> None:
    if any(tally.counts[name] for name in ("requests", "immature", "unlike_signature")):
        return
    answered = "" if case.baseline is None else f" answered by version {case.baseline}"
    raise InvalidDataset(
        f"the traffic holds {tally.counts['read']} requests, but none{answered} as champion; judge "
        "a window in which the production version served",
        field="traffic",
    )
