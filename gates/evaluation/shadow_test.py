"""The shadow gate: both models on the champion's recorded requests, block by block.

One process does all of it here; :mod:`.mapped_shadow_test` spreads the days over many.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from model_lifecycle.registry.domain.authorization import Principal
from model_lifecycle.registry.domain.canonical_json import digest
from model_lifecycle.registry.domain.errors import InvalidDataset, InvalidInput
from model_lifecycle.registry.domain.models import VersionMetadata
from model_lifecycle.registry.domain.stages import Gate

from ..aggregates.distributions import Edges
from ..aggregates.replay import ReplayAggregate, named
from ..checks.common import TRAINING_END
from ..checks.dependence import dependence_checks
from ..checks.traffic import Window, shadow_checks
from ..checks.unlabelled import with_worst_check
from ..data.pairing import Day
from ..data.traffic import Partition, parse_day, partitions, read_labels, read_partitions
from ..formatting import plural
from ..inference.latency import latency_summary
from ..inference.outlook import outlook
from ..inference.sequential import judge_blocks
from ..metrics.classes import Classes, declared_classes
from ..metrics.definitions import CLASSIFICATION, REGRESSION
from ..policy.hypotheses import Hypothesis, policy_hypotheses
from ..policy.label_maturity import block_length
from ..policy.promotion import ShadowPolicy
from ..protocols import EvaluationRegistry
from ..report import GateReport
from ..statistics.grid import STEPS
from ..statistics.mcnemar import mid_p
from .champion_level import champion_level_check
from .context import EvaluationContext, EvaluationRequest
from .plan import TrafficPlan
from .prior_attempts import PriorEvidence
from .record import Judgement, find_report
from .replay import Replay, block_name
from .replay_batch import fitting_edges
from .shadow_day import sum_day
from .traffic_gate import TrafficGate

if TYPE_CHECKING:
    from model_lifecycle.registry.frameworks.protocol import Predictor

Progress = Callable[[int, int, str], None]

#: Served latencies count from so long after the first request of the window.
WARM_UP = timedelta(minutes=5)
#: How many single requests are timed: of every batch where the policy limits latency, else of each
#: day's first, for the report alone.
_TIMED, _TIMED_UNASKED = 24, 4


@dataclass(frozen=True)
class ShadowTest(TrafficGate[ShadowPolicy, ReplayAggregate]):
    """A shadow test of one version; ``hypotheses`` are the demands of its policy that apply."""

    gate: ClassVar[Gate] = Gate.SHADOW
    title: ClassVar[str] = "shadow test"

    hypotheses: tuple[Hypothesis, ...]

    @classmethod
    def of(cls, context: EvaluationContext) -> ShadowTest:
        policy = ShadowPolicy.from_document(context.policy.shadow)
        hypotheses = policy_hypotheses(
            policy.comparisons,
            policy.limits,
            policy.slices,
            champion=context.champion is not None,
        )
        context.require_model_type([item.metric for item in hypotheses])
        if policy.mode == "mirrored" and context.champion is None:
            raise InvalidInput(
                "a mirrored shadow test compares with the version in production, and there is none",
                field="policy.shadow.mode",
            )
        return cls(context, policy, hypotheses)

    @property
    def identity(self) -> str:
        """Margins, grid, unit, policy and models."""
        context = self.context
        return digest(
            {
                "claims": [item.key for item in self.hypotheses],
                "unit": [self.policy.unit, self.policy.block, self.policy.cluster],
                "grid": STEPS,
                "policy": context.policy.fingerprint,
                "challenger": context.version.bundle_digest,
                "champion": context.champion.bundle_digest if context.champion else None,
            }
        )

    def require_window(self, start: str | date, end: str | date) -> None:
        """Check that a window is long enough for a verdict. Raises :class:`InvalidInput` with the
        window's length and the policy's minimums, before anything is read."""
        policy = self.policy
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
                f"{plural(policy.block, most)}, and the policy requires min_duration_hours "
                f"{policy.min_duration_hours:g} and min_blocks {policy.min_blocks}; begin the "
                f"window at {(last - needed).isoformat()} or earlier, or lower the policy's "
                "minimums",
                field="start",
            )

    async def complete_plan(self, plan: TrafficPlan, hours: tuple[Partition, ...]) -> TrafficPlan:
        """A regression's plots need bins before the first request is counted."""
        if self.context.model_type != REGRESSION:
            return plan
        store = self.context.registry.artifacts
        labels = await read_labels(store, self.context.tenant, self.context.model, hours[0].hour)
        batch = await read_partitions(store, hours[:1])
        replay = await self.load_models(plan)
        edges = await asyncio.to_thread(fitting_edges, replay, batch, Day.of(labels))
        return replace(plan, edges=None if edges is None else asdict(edges))

    async def load_models(self, plan: TrafficPlan) -> Replay:
        """The replay of the plan's requests, with both models loaded."""
        context, policy, load = self.context, self.policy, self.context.registry.load_model
        candidate = await load(context.tenant, context.model, version=context.version.version)
        champion = None
        if context.champion is not None:
            champion = await load(context.tenant, context.model, version=context.champion.version)
        replays = policy.mode == "replay"
        edges = Edges.of_scores() if context.model_type == CLASSIFICATION else None
        if plan.edges is not None:
            edges = Edges(
                plan.edges["model_type"], tuple(plan.edges["values"]), tuple(plan.edges["errors"])
            )
        return Replay(
            hypotheses=self.hypotheses,
            block=policy.block,
            challenger=candidate if replays else None,
            recorded=None if replays else candidate,
            tolerance=policy.replay_tolerance,
            champion=champion,
            production=context.baseline,
            mature_until=datetime.fromisoformat(plan.mature_until),
            model_type=context.model_type,
            candidate=context.version.version,
            unit=policy.unit,
            cluster=policy.cluster,
            identity=plan.identity,
            edges=edges,
            feature_time=policy.feature_time,
            warm_until=plan.window[0] + WARM_UP,
            timed_calls=_TIMED if policy.latency else _TIMED_UNASKED,
            times_every_batch=bool(policy.latency),
            judges_errors=policy.judges_errors,
            categories=_categories(context.version),
            classes=self._label_classes([candidate if replays else None, champion]),
            positive=policy.positive_label,
        )

    async def sum_days(
        self, plan: TrafficPlan, *, progress: Progress | None = None
    ) -> ReplayAggregate:
        """The sums of all days; a day that was not replayed yet is replayed. ``progress`` is called
        with (block, blocks, name) when a block starts."""
        store = self.context.registry.artifacts
        replay = await self.load_models(plan)
        announce = None
        if progress is not None:
            first, last = plan.window
            hours = await partitions(store, plan.tenant_id, plan.model_id, first, last)
            announce = _announcer(replay.block, hours, progress)
        total = ReplayAggregate(identity=plan.identity)
        for day in plan.days:
            total.merge(await sum_day(store, plan, replay, day, starting=announce))
        return total

    async def infer(
        self, plan: TrafficPlan, sums: ReplayAggregate, prior: PriorEvidence
    ) -> Judgement:
        """Rows from the blocks, and the checks of the traffic."""
        context, policy, hypotheses = self.context, self.policy, self.hypotheses
        self._require_requests(sums)
        rows, looks = await asyncio.to_thread(
            judge_blocks, policy, hypotheses, sums, with_champion=context.champion is not None
        )
        first, last = plan.window
        training_ends = {"challenger": _training_end(context.version)}
        if context.champion is not None:
            training_ends["champion"] = _training_end(context.champion)
        window = Window(first, last, datetime.fromisoformat(plan.mature_until))
        checks = with_worst_check(
            (
                *shadow_checks(policy, hypotheses, sums, window, training_ends),
                *dependence_checks(policy, hypotheses, sums, rows),
            ),
            policy,
            hypotheses,
            rows,
            sums.unlabelled,
        )
        return Judgement(
            rows=rows,
            checks=(
                *checks,
                *await champion_level_check(prior, rows, policy.max_level_ratio),
            ),
            counts={**sums.counts, "partitions": len(sums.sources), "blocks": len(sums.blocks)},
            reproduction={
                "judged_at": plan.mature_until,
                "training_ends": training_ends,
                "partitions": named(sums.sources),
                "labels": named(sums.labels),
            },
            detail={
                **looks,
                "outlook": outlook(policy, rows, looks["looks"], first),
                "distributions": sums.distributions.document(),
                "latency": latency_summary(sums),
                "answers": dict(sorted(sums.tables.get("answers", {}).items())),
                "flips": _flips(sums),
                "sums": sums.document(),
            },
        )

    def _label_classes(self, models: Sequence[Predictor | None]) -> Classes | None:
        if self.context.model_type != CLASSIFICATION:
            return None
        named_classes = [model.classes for model in models if model is not None]
        return declared_classes(
            named_classes, self.policy.positive_label, field="policy.shadow.positive_label"
        )

    def _require_requests(self, sums: ReplayAggregate) -> None:
        if any(sums.counts[name] for name in ("requests", "immature", "unlike_signature")):
            return
        baseline = self.context.baseline
        answered = "" if baseline is None else f" answered by version {baseline}"
        raise InvalidDataset(
            f"the traffic has {sums.counts['read']} requests, but none{answered} as champion; "
            "judge a window in which the production version served",
            field="traffic",
        )


async def shadow_test_version(
    registry: EvaluationRegistry,
    tenant_id: str,
    model_id: str,
    version: int,
    *,
    start: str | date,
    end: str | date,
    actor: Principal | str,
    evidence_id: str | None = None,
    progress: Progress | None = None,
) -> GateReport:
    """Judge a version on the recorded traffic of ``[start, end)`` and record the verdict.

    ``start`` and ``end`` are ISO dates or times, UTC. The baseline is the version in production
    now, on the requests it answered; with none, the policy's limits are judged on all recorded
    requests. Only some hours' requests (one, or 16 MB of small ones), the next ones and one day's
    labels are in memory at a time; days that an earlier try with the same ``evidence_id`` finished
    are not read again. ``progress`` is called with (block, blocks, name) when a block starts. The
    same ``evidence_id`` again returns what was recorded.

    Raises InvalidDataset (nothing is recorded) when there is no traffic, or its columns do not
    match a model's signature; InvalidInput for a policy without a shadow section, and for a window
    that is shorter than the policy's ``min_duration_hours`` or ``min_blocks``.
    """
    request = EvaluationRequest.of(
        Gate.SHADOW, tenant_id, model_id, version, actor=actor, evidence_id=evidence_id
    )
    recorded = await find_report(registry, request)
    if recorded is not None:
        return recorded
    test = await ShadowTest.open(registry, request)
    test.require_window(start, end)
    plan = await test.plan(start, end)
    return await test.conclude(plan, await test.sum_days(plan, progress=progress))


def _announcer(
    block: str, hours: Sequence[Partition], progress: Progress
) -> Callable[[datetime], None]:
    blocks = len({block_name(block, hour.hour) for hour in hours})
    begun: set[str] = set()

    def announce(hour: datetime) -> None:
        name = block_name(block, hour)
        if name not in begun:
            begun.add(name)
            progress(len(begun), blocks, name)

    return announce


def _flips(sums: ReplayAggregate) -> dict[str, Any]:
    right = sums.tables.get("right")
    if not right:
        return {}
    p = mid_p(right["only_challenger_right"], right["only_champion_right"])
    return {**dict(sorted(right.items())), "mcnemar_mid_p": p}


def _training_end(version: VersionMetadata) -> dict[str, str]:
    declared = {**version.parameters, **version.tags}
    return {key: declared[key] for key in TRAINING_END if declared.get(key)}


def _categories(version: VersionMetadata) -> dict[str, frozenset[str]]:
    """The categories that the version was trained on: JSON under ``dataset.categories``."""
    text = {**version.parameters, **version.tags}.get("dataset.categories")
    try:
        categories: Any = json.loads(text) if text else {}
        return {str(name): frozenset(map(str, values)) for name, values in categories.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
