"""How many attempts a report counts."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from support.model_fixture import ModelFixture


async def test_candidates_on_one_data_set_are_counted(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """Each version that tries the same held-out rows is an attempt, and the report says which."""
    data = world.held_out(make_requests(2000, 5))
    first = await world.validate(await world.register("good"), data)
    second = await world.validate(await world.register("good"), data)
    other = await world.validate(
        await world.register("good"), world.held_out(make_requests(2000, 6))
    )

    assert [report.attempts for report in (first, second, other)] == [1, 2, 1]


async def test_attempts_are_counted(
    world: ModelFixture, champion: int, make_requests: Callable[..., pd.DataFrame]
) -> None:
    """Each run of the gate on a version says the how-manieth it is."""
    version = await world.register("good")
    data = world.held_out(make_requests(2000, 5))

    attempts = [(await world.validate(version, data)).attempts for _ in range(2)]

    assert attempts == [1, 2]
