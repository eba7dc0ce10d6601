"""Requirements of the package: each extra has pins that satisfy it, and its modules import."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HOUSE = Path(__file__).parents[2]
CONFIG = configparser.ConfigParser()
CONFIG.read(HOUSE / "setup.cfg")
EXTRAS = dict(CONFIG["options.extras_require"])

#: What a user of each extra runs: the modules of this package that need it, or its own.
MODULES = {
    "api": ["model_lifecycle.api.app"],
    "postgres": ["asyncpg"],
    "s3": ["boto3", "model_lifecycle.registry.artifacts.s3_store"],
    "amazon": ["airflow.providers.amazon.aws.hooks.base_aws", "aiobotocore.session"],
    "celery": ["airflow.providers.celery.executors.celery_executor", "celery.bin.celery"],
    "pytorch": ["model_lifecycle.registry.frameworks.pytorch_model.adapter", "torch", "onnxscript"],
    "tensorflow": [
        "model_lifecycle.registry.frameworks.tensorflow_model.adapter",
        "tensorflow",
        "tf2onnx",
    ],
    "onnx": ["model_lifecycle.registry.frameworks.onnx_model.adapter", "onnxruntime", "skl2onnx"],
    "openlineage": ["airflow.providers.openlineage.extractors"],
    "signing": ["model_lifecycle.registry.attestation.verdict_statement", "model_signing.signing"],
    "demo": ["model_lifecycle.dags.flights.data"],
    "stack": ["model_lifecycle.stack.__main__", "supervisor.supervisord", "psycopg2"],
}
#: Tools of this repository, which the other tests and `make check` use.
TOOLS = {"test", "check", "docs"}


def requirements(lines: str) -> list[Requirement]:
    return [
        Requirement(line)
        for line in lines.strip().splitlines()
        if line.strip() and not line.startswith("#")
    ]


def pins() -> dict[str, str]:
    lines = requirements((HOUSE / "constraints.txt").read_text())
    return {canonicalize_name(line.name): str(line.specifier)[2:] for line in lines}


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_the_pins_satisfy_what_is_required(extra: str) -> None:
    """Every package that is required by name has a pin, and one that the requirement allows."""
    lines = EXTRAS[extra] if extra else CONFIG["options"]["install_requires"]
    pinned = pins()

    required = requirements(lines)
    wrong = [
        f"{item}: pinned is {pinned.get(canonicalize_name(item.name))}"
        for item in required
        if not item.specifier.contains(pinned.get(canonicalize_name(item.name), "0"))
    ]
    assert required
    assert wrong == []


def test_every_extra_says_what_can_be_imported() -> None:
    """An extra that is added gets its modules in this file."""
    assert MODULES.keys() | TOOLS == EXTRAS.keys()


@pytest.mark.parametrize("extra", MODULES)
def test_an_installed_extra_can_be_imported(extra: str, tmp_path: Path) -> None:
    """In a process of its own, so that nothing else has imported it before."""
    for item in requirements(EXTRAS[extra]):
        try:
            version(item.name)
        except PackageNotFoundError:
            pytest.skip(f"{item.name} is not installed")
    done = subprocess.run(
        [sys.executable, "-c", "; ".join(f"import {name}" for name in MODULES[extra])],
        capture_output=True,
        text=True,
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
