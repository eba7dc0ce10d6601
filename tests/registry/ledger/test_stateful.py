"""The ledger against a plain model: any sequence of calls ends as the model says it has to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.model_machine import ModelMachine, Shared
from support.registry_fixture import new_name

from model_lifecycle.registry.artifacts.bundle import write_bundle
from model_lifecycle.registry.domain.errors import (
    OperationConflict,
)
from model_lifecycle.registry.domain.evidence import Evidence, Verdict
from model_lifecycle.registry.domain.identifiers import registered_name
from model_lifecycle.registry.domain.preconditions import ANY
from model_lifecycle.registry.domain.promotion_policy import PromotionPolicy
from model_lifecycle.registry.domain.stages import Gate
from model_lifecycle.registry.ledger.ledger import Ledger

#: One of the model's versions, by its place; the last places are of versions that are not there.
VERSIONS = st.integers(0, 11)
RARELY = st.integers(0, 9).map(lambda number: number == 0)
REASONS = st.sampled_from(["why", "why", "why", ""])
GATES = st.sampled_from(["validation", "shadow", "shadow", "ab_test", "approval"])
VERDICTS = st.sampled_from(["PASS", "PASS", "PASS", "FAIL", "INCONCLUSIVE", "INVALID"])
STAGES = st.sampled_from(["development", "staging", "production", "archived"])


class LifeOfAModel(ModelMachine):
    """The changes of a model in any order, and the invariants after each step."""

    # --- What happens

    @initialize()
    def first_version(self) -> None:
        self.register()

    @precondition(lambda self: len(self.plain.stages) < 4)
    @rule()
    def register(self) -> None:
        number = self.plain.register()
        self.run(self._register(number))

    async def _register(self, number: int) -> None:
        bundle = await write_bundle(
            self.artifacts,
            self.tenant,
            self.model,
            number,
            framework="sklearn",
            saved_folder=self.stage.folder / "saved",
            source_path=None,
            extra={"model_card.md": str(number).encode()},
        )
        self.mlflow.add_version(
            registered_name(self.tenant, self.model),
            number,
            {
                "lifecycle.stage": "development",
                "lifecycle.bundle_digest": bundle.digest,
                "framework": "sklearn",
            },
            bundle.uri,
        )
        await self.pages.register(number, bundle.digest)

    @rule(version=VERSIONS, gate=GATES, verdict=VERDICTS, other=st.booleans(), old=st.booleans())
    def judge(self, version: int, gate: str, verdict: str, other: bool, old: bool) -> None:
        """Mostly about the version in production, under the current policy."""
        version = self.pick(version)
        if version in self.plain.stages:
            self._judge(version, gate, verdict, other and old, old and not other)

    def _judge(self, version: int, gate: str, verdict: str, other: bool, old: bool) -> None:
        old = old and len(self.policies) > 1
        baseline = self.plain.production
        if other:
            baseline = 5 if baseline is None else None
        self.plain.judge(gate, version, verdict, baseline, old)
        policy = self.policies[-2 if old else -1]
        self.run(self._record(version, gate, verdict, baseline, policy))

    async def _record(
        self, version: int, gate: str, verdict: str, baseline: int | None, policy: PromotionPolicy
    ) -> None:
        metadata = await self.registry.get_version(self.tenant, self.model, version)
        assert metadata is not None
        item = Evidence(
            evidence_id=new_name("e"),
            gate=Gate(gate),
            verdict=Verdict(verdict),
            bundle_digest=metadata.bundle_digest,
            baseline=baseline,
            policy_fingerprint=policy.fingerprint,
        )
        await self.registry.record_evidence(self.tenant, self.model, version, item, actor="gate")

    @rule(approval=st.sampled_from([False, False, True]))
    def set_policy(self, approval: bool) -> None:
        policy = PromotionPolicy(shadow={"n": len(self.policies)}, require_approval=approval)
        self.policies.append(policy)
        self.plain.set_policy(approval)
        self.run(self.registry.set_policy(self.tenant, self.model, policy, actor="kim"))

    @rule(
        version=VERSIONS,
        to=STAGES,
        expected=st.sampled_from(["any", "any", "right", None, 1, 2]),
        force=st.sampled_from([False, False, False, True]),
        reason=REASONS,
    )
    def transition(self, version: int, to: str, expected: Any, force: bool, reason: str) -> None:
        self._move(self.pick(version), to, expected, force, reason)

    def _move(self, version: int, to: str, expected: Any, force: bool, reason: str) -> None:
        if expected == "right":
            expected = self.plain.production
        self.call_both(
            lambda plain: plain.transition(version, to, expected, force=force, reason=reason),
            lambda operation_id: self.registry.transition_stage(
                self.tenant,
                self.model,
                version,
                to,
                actor="kim",
                reason=reason,
                expected_production=ANY if expected == "any" else expected,
                force=force,
                operation_id=operation_id,
            ),
        )

    @precondition(lambda self: self.plain.stages)
    @rule(
        version=st.integers(0, 9),
        verdicts=st.lists(VERDICTS, min_size=1, max_size=3),
        misfit=st.sampled_from(["", "", "", "baseline", "policy"]),
        approved=st.sampled_from(["PASS", "PASS", "FAIL"]),
    )
    def go_on(self, version: int, verdicts: list[str], misfit: str, approved: str) -> None:
        """The next step of a version, judged some times before: else few would get far."""
        version = self.pick(version)
        if self.plain.stages[version] not in ("development", "staging"):
            return
        in_staging = self.plain.stages[version] == "staging"
        gate = "shadow" if in_staging else "validation"
        for verdict in verdicts:
            self._judge(version, gate, verdict, misfit == "baseline", misfit == "policy")
        if self.plain.policies[-1] and in_staging:
            self._judge(version, "approval", approved, False, False)
        to = "production" if in_staging else "staging"
        self._move(version, to, "right", False, "")

    @precondition(lambda self: self.plain.stages)
    @rule(version=st.integers(0, 9), verdicts=st.lists(VERDICTS, min_size=1, max_size=3))
    def go_on_again(self, version: int, verdicts: list[str]) -> None:
        """Twice as often as other things."""
        self.go_on(version, verdicts, "", "PASS")

    @precondition(lambda self: self.plain.stages)
    @rule(version=st.integers(0, 9))
    def promote(self, version: int) -> None:
        """All the way, with the proof that it needs."""
        for _ in range(2):
            if self.pick(version) in self.plain.stages:
                self.go_on(version, ["PASS"], "", "PASS")

    @rule(to=st.none() | VERSIONS, reason=REASONS)
    def roll_back(self, to: int | None, reason: str) -> None:
        to = None if to is None else self.pick(to)
        self.call_both(
            lambda plain: plain.rollback(to, reason=reason),
            lambda operation_id: self.registry.rollback(
                self.tenant,
                self.model,
                to_version=to,
                actor="kim",
                reason=reason,
                operation_id=operation_id,
            ),
        )

    @rule(place=VERSIONS, all_of_them=RARELY, reason=REASONS)
    def delete(self, place: int, all_of_them: bool, reason: str) -> None:
        version = None if all_of_them else self.pick(place)
        self.call_both(
            lambda plain: plain.delete(version, reason=reason),
            lambda operation_id: self.registry.delete_model(
                self.tenant,
                self.model,
                version,
                actor="kim",
                reason=reason,
                operation_id=operation_id,
            ),
        )

    @precondition(lambda self: self.done)
    @rule(which=st.integers(0, 30))
    def repeat(self, which: int) -> None:
        """The same call again: the same answer, and nothing changes."""
        call, answer = self.done[which % len(self.done)]
        again = self.run(call())
        if answer is not None:
            answer = replace(answer, versions=again.versions)

        assert again == answer

    @precondition(lambda self: self.done)
    @rule(which=st.integers(0, 30))
    def reuse(self, which: int) -> None:
        """An id that was used, for something else."""
        with pytest.raises(OperationConflict):
            self.run(
                self.registry.rollback(
                    self.tenant,
                    self.model,
                    actor="eve",
                    reason="another",
                    operation_id=self.ids[which % len(self.ids)],
                )
            )

    @rule(after=st.integers(0, 6))
    def mlflow_goes_away(self, after: int) -> None:
        """After some more calls, perhaps in the midst of the next operation; until one fails."""
        self.mlflow.lost = after

    @rule()
    def reconcile(self) -> None:
        """Afterwards MLflow shows what the ledger says, and there is nothing left to do."""
        self.mlflow_is_back()
        self.run(self.registry.reconcile(self.tenant))

        assert self.run(self.registry.reconcile(self.tenant)) == []
        assert self.run(self.stage.ledger.read.projections(self.tenant, self.model)) == []

    # --- What holds after each step

    @invariant()
    def readers_see_what_the_model_says(self) -> None:
        if self.plain.productions:
            self.run(self._compare())

    async def _compare(self) -> None:
        versions = await self.stage.ledger.read.versions(self.tenant, self.model)
        model = await self.registry.get_model(self.tenant, self.model)
        history = await self.registry.history(self.tenant, self.model)

        assert {item.version: item.stage.value for item in versions} == self.plain.stages
        assert [entry.production for entry in history] == self.plain.productions
        assert (model.current_version if model else None) == self.plain.current
        assert (model.production_version if model else None) == self.plain.production
        assert await self.registry.verify_ledger(self.tenant, self.model) == len(history)
        assert history[-1].at <= datetime.now(UTC) + timedelta(seconds=1)
        middle = history[len(history) // 2]
        at = await self.registry.production_at(self.tenant, self.model, middle.at)
        assert at == self.plain.productions[len(history) // 2]

    @invariant()
    def mlflow_shows_it_unless_a_note_says_that_it_does_not(self) -> None:
        if self.plain.productions and not self.run(
            self.stage.ledger.read.projections(self.tenant, self.model)
        ):
            name = registered_name(self.tenant, self.model)
            tags = self.mlflow.versions[name]

            assert self.mlflow.models[name].aliases.get("production") == self.plain.production
            assert {v: tag["lifecycle.stage"] for v, tag in tags.items()} == self.plain.stages


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("stateful")
    (folder / "saved").mkdir()
    (folder / "saved" / "MLmodel").write_text("flavors: {}\n")
    with asyncio.Runner() as runner:
        ledger = runner.run(Ledger.open(f"sqlite:///{folder}/ledger.db"))
        yield Shared(runner, ledger, folder)
        runner.run(ledger.close())


@pytest.mark.parametrize(
    "examples",
    [
        pytest.param(20, id="some"),
        pytest.param(500, id="many", marks=[pytest.mark.stress, pytest.mark.timeout(3600)]),
    ],
)
def test_any_life_is_the_one_of_the_plain_model(stage: Shared, examples: int) -> None:
    """Registrations, verdicts, policies, promotions, rollbacks, deletions, repetitions and outages
    in any order."""
    LifeOfAModel.stage = stage
    run_state_machine_as_test(
        LifeOfAModel,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            derandomize=examples < 100,
            suppress_health_check=list(HealthCheck),
        ),
    )
