from __future__ import annotations

from scenery.http import Api
from scenery.world import new_name


def test_a_registered_model_is_found(api: Api) -> None:
    """What was registered from a source can be read, with its run's metrics."""
    name = new_name()
    made = api.register(name)

    found = api.get(f"/models/{name}")

    assert (200, made) == (found.status_code, found.json())
    assert found.json()["metrics"] == {"accuracy": 0.95, "auc": 0.9}
