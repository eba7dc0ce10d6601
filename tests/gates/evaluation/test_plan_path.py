"""How far a plan travels in one shadow test: which modules receive it, in which order."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from support.model_fixture import ModelFixture
from support.shadow_policies import hourly

from model_lifecycle.gates.evaluation.plan import TrafficPlan
from model_lifecycle.gates.policy.promotion import Comparison

MAX_MODULES, MAX_RETURNS = 6, 2


class PlanPath:
    """A profiler that notes the module of each function that is called with a plan."""

    def __init__(self) -> None:
        self.modules: list[str] = []
        self._frames: set[int] = set()
        self._alive: list[FrameType] = []

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or id(frame) in self._frames or code.co_name.startswith("<"):
            return
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if not any(isinstance(frame.f_locals.get(name), TrafficPlan) for name in names):
            return
        # A coroutine's frame is called again each time it resumes; keep it, so its id stays its.
        self._frames.add(id(frame))
        self._alive.append(frame)
        module = str(frame.f_globals["__name__"]).removeprefix("model_lifecycle.")
        own_method = isinstance(frame.f_locals.get("self"), TrafficPlan)
        if module.startswith("gates.") and not own_method:
            self.modules.append(module)

    @property
    def visits(self) -> list[str]:
        """The modules in order, consecutive calls of one module counted once."""
        pairs = zip(["", *self.modules], self.modules, strict=False)
        return [module for before, module in pairs if module != before]


async def test_plan_passes_few_modules(world: ModelFixture, start: str) -> None:
    """The plan of one day passes at most six modules, and returns to one that it left at most
    twice; what the plan's own methods do is no way of its own."""
    champion = await world.register("weak")
    await world.policy(shadow=hourly(comparisons=(Comparison("brier", 0.01),), min_blocks=20))
    await world.promote(champion)
    version = await world.register("good")
    end = await world.serve(champion, hours=20, rows=10)
    path = PlanPath()

    sys.setprofile(path)
    try:
        await world.shadow_test(version, start, end)
    finally:
        sys.setprofile(None)

    assert len(set(path.visits)) <= MAX_MODULES, path.visits
    assert len(path.visits) - len(set(path.visits)) <= MAX_RETURNS, path.visits
