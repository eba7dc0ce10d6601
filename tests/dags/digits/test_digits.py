"""The digits DAG, executed by Airflow: a PyTorch network from training to production, twice."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from model_lifecycle.dags.digits.training import train_digits
from model_lifecycle.registry.domain.errors import FrameworkUnavailable
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.settings import Settings
from model_lifecycle.registry.sync import run_sync

if TYPE_CHECKING:
    from airflow.sdk import DAG

pytestmark = [
    pytest.mark.filterwarnings("ignore", "error:::model_lifecycle"),
    pytest.mark.timeout(600),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MODEL_LIFECYCLE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def dag(dags_folder: Path) -> DAG:
    """The DAG as Airflow runs it: read as one of a bundle that its database knows."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.utils.db import initdb

    initdb()
    DagBundlesManager().sync_bundles_to_db()
    file = str(dags_folder / "digits_retrain.py")
    bag = DagBag(dag_folder=file, bundle_name="dags-folder", bundle_path=dags_folder)
    sync_bag_to_db(bag, "dags-folder", None)
    return bag.dags["digits_retrain"]


@pytest.mark.skipif(
    not all(find_spec(name) for name in ("torch", "onnxruntime", "onnxscript")),
    reason="PyTorch and ONNX are not installed",
)
def test_a_network_goes_to_production_and_a_larger_one_replaces_it(dag: DAG, home: Path) -> None:
    """Both gates judge ten classes by accuracy; the policy requires ONNX, and the bundle has it."""
    for conf in ({"epochs": 12, "channels": 4}, {"epochs": 20, "channels": 12, "seed": 2}):
        done = dag.test(run_conf=conf)
        states = {item.task_id: item.state for item in done.get_task_instances()}

        assert set(states.values()) == {"success"}, states

    model, policy, card, onnx = run_sync(_stored(home))

    assert (model.production_version, model.framework) == (2, "pytorch")
    assert policy.require_onnx
    assert "training\\_accuracy/digit/7" in card
    assert "its largest difference from the model is" in card
    assert onnx


async def _stored(home: Path) -> tuple[Any, Any, str, bytes]:
    """The model, its policy, and the second version's card and ONNX file."""
    async with open_registry(Settings({}, home=home)) as registry:
        folder = "demo/models/digits/2"
        return (
            await registry.get_model("demo", "digits"),
            await registry.get_policy("demo", "digits"),
            (await registry.artifacts.get_bytes(f"{folder}/model_card.md")).decode(),
            await registry.artifacts.get_bytes(f"{folder}/model.onnx"),
        )


def test_without_pytorch_the_task_says_how_to_install_it() -> None:
    """Where it is absent, training is refused with the line to copy."""
    if find_spec("torch"):
        pytest.skip("PyTorch is installed")
    with pytest.raises(FrameworkUnavailable, match=r"\[pytorch\]"):
        train_digits(epochs="1", channels="2", seed="1")
