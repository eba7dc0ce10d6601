"""The folder of a stack, and states with which it refuses to start."""

from __future__ import annotations

import socket
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from model_lifecycle.stack import ports
from model_lifecycle.stack.environment import environment
from model_lifecycle.stack.instance import Instance
from model_lifecycle.stack.service import NotReady
from model_lifecycle.stack.services import BY_NAME, PARTS, owner_of
from model_lifecycle.stack.stack import Stack
from model_lifecycle.stack.status_page import page


def test_secrets_and_ports_are_kept(tmp_path: Path) -> None:
    """The second start finds what the first one made; a port said again replaces the kept one."""
    first = Instance.at(tmp_path)
    second = Instance.at(tmp_path, {"mlflow": 5001})

    assert second.secrets == first.secrets
    assert second.ports == {**first.ports, "mlflow": 5001}
    assert Instance.load(tmp_path) == second


def test_secrets_are_random_and_private(tmp_path: Path) -> None:
    """Two stacks share no secret, and only the owner reads the file that holds them."""
    one, other = (vars(Instance.at(tmp_path / name).secrets) for name in ("one", "other"))
    mode = stat.S_IMODE((tmp_path / "one" / "stack.json").stat().st_mode)

    assert [name for name, value in one.items() if value and value == other[name]] == []
    assert mode == 0o600


def test_page_names_every_address_and_log_in(tmp_path: Path) -> None:
    """The page has every address, log-in and key."""
    instance = Instance.at(tmp_path).with_api_key("mlk_key")
    text = page(instance)
    expected = [
        *(instance.url(name) for name in ("airflow", "api", "mlflow", "s3")),
        *instance.secrets.airflow_users.values(),
        instance.secrets.postgres,
        instance.secrets.s3_secret_key,
        "mlk_key",
    ]

    assert [item for item in expected if item not in text] == []


def test_every_port_belongs_to_a_part() -> None:
    """The error about a taken port names the part that needs it."""
    owners = {owner_of(name).name for name in ports.NAMES}

    assert owners <= set(BY_NAME)
    assert owner_of("s3-filer-grpc").name == "s3"


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """Nothing is started; the error names part and port, and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        number = busy.getsockname()[1]
        stack = Stack(Instance.at(tmp_path, {"mlflow": number}, fixed={}))
        with pytest.raises(NotReady, match=rf"mlflow cannot start.*{number}.*PORTS=mlflow="):
            stack.up()

    assert not stack.running


@pytest.mark.parametrize("text", ["mlflow", "mlflow=", "mlflow=70000", "mlfow=5000", "=1"])
def test_a_port_that_is_none(text: str) -> None:
    """A misspelt port is refused with the names there are."""
    with pytest.raises(ValueError, match="where NAME is one of postgres, s3"):
        ports.parse([text])


def test_environment_of_the_caller_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of another registry, of another Airflow or other keys do not leak into a part."""
    for name in ("MODEL_LIFECYCLE_HOME", "AIRFLOW_HOME", "AWS_PROFILE", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "elsewhere")

    assert "elsewhere" not in environment({"AIRFLOW__CORE__EXECUTOR": "LocalExecutor"}).values()


def test_no_secret_is_an_argument(tmp_path: Path) -> None:
    """Everybody on a machine can read the arguments of its processes."""
    (tmp_path / "s3").mkdir()
    instance = Instance.at(tmp_path, fixed={})
    words = [word for part in PARTS for word in part.command(instance)]
    secrets = [
        instance.secrets.postgres,
        instance.secrets.s3_secret_key,
        instance.secrets.airflow_jwt,
    ]

    assert [word for word in words if any(secret in word for secret in secrets)] == []


def test_page_prints_paths_that_open(tmp_path: Path) -> None:
    """Airflow answers a mounted path without a page below it with a 404 of its own."""
    instance = Instance.at(tmp_path)
    words = page(instance).split()

    assert f"{instance.url('airflow')}/model-lifecycle/docs" in words
    assert f"{instance.url('api')}/docs" in words
    assert f"{instance.url('airflow')}/model-lifecycle" not in words


def test_no_log_server_listens_on_all_interfaces(tmp_path: Path) -> None:
    """Airflow's own would, and has no setting for that; the logs are in a folder that all share."""
    instance = Instance.at(tmp_path)

    for name in ("airflow-scheduler", "airflow-triggerer"):
        assert "--skip-serve-logs" in BY_NAME[name].command(instance)


def test_port_that_no_part_has_any_more_is_forgotten(tmp_path: Path) -> None:
    """A stack of an earlier release starts with the ports of this one."""
    instance = Instance.at(tmp_path)
    replace(instance, ports={**instance.ports, "airflow-task-logs": 1}).save()

    assert Instance.load(tmp_path).ports == instance.ports
