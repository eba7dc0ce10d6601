"""What a version takes over from the source it was registered from."""

from __future__ import annotations

from scenery.world import World, trained

from model_lifecycle.registry.rules.metadata import TrainedModel


async def test_a_registered_source_tells_what_it_was_trained_on(
    local: World, model_id: str
) -> None:
    """The gates read the end of the training data from the version's tags."""
    dataset = {"name": "flights", "start": "2013-01-01", "end": "2013-02-01"}
    model = trained()
    logged = await local.registry.log_model(
        local.tenant,
        model_id,
        TrainedModel(
            model.model,
            "sklearn",
            metrics={},
            parameters={},
            input_example=model.input_example,
            dataset=dataset,
        ),
        created_by="kim",
    )

    found = await local.registry.register_model(
        local.tenant, model_id, logged.model_uri, None, None, None, created_by="kim"
    )

    assert found.tags["dataset.end"] == "2013-02-01"
