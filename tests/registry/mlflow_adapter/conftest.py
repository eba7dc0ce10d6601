"""MLflow in both of its forms: a SQLite file in this process, and a server over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from model_lifecycle.registry.domain.identifiers import TenantId, tenant_id
from model_lifecycle.registry.mlflow_adapter.client import MlflowTracking

_HERE = Path(__file__).parent
#: How MLflow loads its registered models.
_OF_MLFLOW = "ignore:The ``noload`` loader strategy is deprecated"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need the server, so that it is started while other tests run."""
    for item in items:
        if item.path.is_relative_to(_HERE) and isinstance(item, pytest.Function):
            item.add_marker(pytest.mark.filterwarnings(_OF_MLFLOW))
            if item.get_closest_marker("service") and "service" not in item.fixturenames:
                # A list of its own: the embedded items of the same test share the old one.
                item.fixturenames = [*item.fixturenames, "service"]


def open_tracking(uri: str) -> MlflowTracking:
    return MlflowTracking(uri, call_timeout=15, transfer_timeout=120)


@pytest.fixture(scope="session")
def embedded_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('embedded')}/home/mlflow.db"


@pytest.fixture(params=["embedded", pytest.param("service", marks=pytest.mark.service)])
def uri(request: pytest.FixtureRequest) -> str:
    """Address of each kind of MLflow in turn; the server stands on PostgreSQL, where concurrent
    writers really meet."""
    if request.param == "embedded":
        return str(request.getfixturevalue("embedded_uri"))
    return str(request.getfixturevalue("service").mlflow_url)


@pytest.fixture
async def tracking(uri: str) -> AsyncIterator[MlflowTracking]:
    tracking = open_tracking(uri)
    yield tracking
    await tracking.close()


@pytest.fixture
async def embedded(embedded_uri: str) -> AsyncIterator[MlflowTracking]:
    """MLflow in this process only, for what HTTP makes no difference to."""
    tracking = open_tracking(embedded_uri)
    yield tracking
    await tracking.close()


@pytest.fixture
def tenant() -> TenantId:
    """A tenant of the test's own, since both stores live as long as the session."""
    return tenant_id(f"t{uuid.uuid4().hex[:12]}")


@pytest.fixture
def artifact_root(tmp_path: Path) -> str:
    return str(tmp_path / "artifacts")


@pytest.fixture
def saved_model(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a small MLflow model folder with the given payload."""

    def save(payload: str = "weights") -> Path:
        folder = tmp_path / f"saved-{uuid.uuid4().hex}"
        (folder / "data").mkdir(parents=True)
        (folder / "MLmodel").write_text(
            "flavors:\n  python_function:\n    loader_module: json\n"
            "utc_time_created: '2026-01-01 00:00:00'\n"
        )
        (folder / "data" / "model.bin").write_text(payload)
        return folder

    return save
