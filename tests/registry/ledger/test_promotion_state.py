"""The state before a promotion comes from one statement, on every database."""

from __future__ import annotations

from support.pages import Pages

from model_lifecycle.registry.domain.identifiers import ModelId


async def test_the_candidate_and_the_production_version(pages: Pages) -> None:
    """Both as their own reads have them; a change that MLflow may not show yet is pending."""
    await pages.life()
    read = pages.ledger.read
    state = await read.promotion(pages.tenant, pages.model, 1)

    assert state is not None
    assert state.model == await read.row(pages.tenant, pages.model)
    assert state.candidate == await read.version(pages.tenant, pages.model, 1)
    assert state.production == await read.version(pages.tenant, pages.model, 2)
    assert set(state.versions) == {1, 2}
    assert state.pending is bool(await read.projections(pages.tenant, pages.model))


async def test_without_production_and_without_the_candidate(pages: Pages) -> None:
    """An unknown version is absent, a model of another name is none."""
    await pages.register(1)
    read = pages.ledger.read
    state = await read.promotion(pages.tenant, pages.model, 7)
    other = await read.promotion(pages.tenant, ModelId("other"), 1)

    assert state is not None
    assert (state.candidate, state.production, state.versions) == (None, None, {})
    assert other is None


async def test_production_itself_as_the_candidate(pages: Pages) -> None:
    """The version in production is both."""
    await pages.life()
    state = await pages.ledger.read.promotion(pages.tenant, pages.model, 2)

    assert state is not None
    assert state.candidate == state.production
    assert set(state.versions) == {2}
