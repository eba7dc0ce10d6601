"""A serving process with plain MLflow and model-signing loads and verifies the production version.

It imports nothing of this project; what it verifies with is that project's own command.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from support.registry_fixture import RegistryFixture
from support.signing_keys import KeyFiles, make_ec_key, make_key

from model_lifecycle.registry.domain import artifact_paths
from model_lifecycle.registry.domain.errors import InvalidInput
from model_lifecycle.registry.domain.identifiers import ModelId, TenantId, registered_name
from model_lifecycle.registry.factory import open_registry
from model_lifecycle.registry.settings import Settings

#: Loads the production version by its alias, and says which folder it was loaded from.
_SERVE = """
import json, sys, warnings
warnings.simplefilter("ignore")
import mlflow, pandas
uri, target = sys.argv[1:]
folder = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=target)
model = mlflow.pyfunc.load_model(folder)
answers = model.predict(pandas.DataFrame({"delay": [1.0, 39.0], "wind": [0.0, 0.0]}))
assert not [name for name in sys.modules if name.startswith("model_lifecycle")]
print(json.dumps({"folder": str(folder), "answers": [bool(item) for item in answers]}))
"""


@pytest.fixture(scope="session")
def bundle_key(tmp_path_factory: pytest.TempPathFactory) -> KeyFiles:
    return make_ec_key(tmp_path_factory.mktemp("keys"))


@pytest_asyncio.fixture(loop_scope="session")
async def signing(
    settings: Settings, world: RegistryFixture, bundle_key: KeyFiles
) -> AsyncIterator[RegistryFixture]:
    """The shared tenant, seen through a registry that signs bundles."""
    async with open_registry(settings.with_values(bundle_key=str(bundle_key.private))) as registry:
        yield replace(world, registry=registry)


def _serve(settings: Settings, name: str, folder: Path) -> dict[str, object]:
    """The production version of the registered model, as a process with plain MLflow loads it."""
    environment = {
        name: value for name, value in os.environ.items() if "MODEL_LIFECYCLE" not in name
    }
    if settings.s3_endpoint_url:
        environment["MLFLOW_S3_ENDPOINT_URL"] = settings.s3_endpoint_url
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _SERVE, f"models:/{name}@production", str(folder)],
        env={
            **environment,
            "MLFLOW_TRACKING_URI": settings.tracking_uri,
            "MLFLOW_REGISTRY_URI": settings.tracking_uri,
            **(
                {"MLFLOW_S3_ENDPOINT_URL": settings.s3_endpoint_url}
                if settings.s3_endpoint_url
                else {}
            ),
        },
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _verify(folder: Path, key: KeyFiles) -> subprocess.CompletedProcess[str]:
    """The command of model-signing on the folder."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "model_signing", "verify", "key", str(folder)),
            *("--signature", str(folder / artifact_paths.BUNDLE_SIGNATURE)),
            *("--public_key", str(key.public)),
        ],
        cwd=folder.parent,
        capture_output=True,
        text=True,
    )


async def test_a_serving_process_verifies_the_production_version(
    signing: RegistryFixture,
    settings: Settings,
    model_id: str,
    bundle_key: KeyFiles,
    tmp_path: Path,
) -> None:
    await signing.promoted(model_id)
    name = registered_name(TenantId(signing.tenant), ModelId(model_id))

    served = _serve(settings, name, tmp_path / "served")
    folder = Path(str(served["folder"]))
    verified = _verify(folder, bundle_key)

    assert served["answers"] == [False, True]
    assert verified.returncode == 0, verified.stderr
    assert "Verification succeeded" in verified.stdout
    await signing.registry.verify_files(signing.tenant, model_id, 1)

    other = make_ec_key(tmp_path, "other")
    assert _verify(folder, other).returncode != 0
    changed = folder / artifact_paths.MODEL_CARD
    original = changed.read_bytes()
    for damage in ("changed", "added", "removed"):
        extra = folder / "extra.bin"
        if damage == "changed":
            changed.write_bytes(original + b"x")
        elif damage == "added":
            extra.write_bytes(b"x")
        else:
            changed.unlink()

        assert _verify(folder, bundle_key).returncode != 0, damage

        extra.unlink(missing_ok=True)
        changed.write_bytes(original)
    assert _verify(folder, bundle_key).returncode == 0


async def test_the_signature_is_no_part_of_the_bundles_digest(
    signing: RegistryFixture, world: RegistryFixture, model_id: str
) -> None:
    """So that a repeated registration gives the same bundle; ECDSA signs differently each time."""
    await signing.version(model_id)
    await world.version(model_id)
    folder = artifact_paths.bundle(TenantId(signing.tenant), ModelId(model_id), 1)
    signed = {item.path for item in await signing.registry.artifacts.files(folder)}
    unsigned = await signing.registry.artifacts.files(
        artifact_paths.bundle(TenantId(signing.tenant), ModelId(model_id), 2)
    )

    manifest = json.loads(
        await signing.registry.artifacts.get_bytes(f"{folder}/{artifact_paths.MANIFEST}")
    )

    assert f"{folder}/{artifact_paths.BUNDLE_SIGNATURE}" in signed
    assert len(unsigned) == len(signed) - 1
    assert artifact_paths.BUNDLE_SIGNATURE not in manifest["files"]
    await signing.registry.verify_files(signing.tenant, model_id, 1)
    await signing.registry.verify_files(signing.tenant, model_id, 2)


async def test_a_key_that_the_format_does_not_take_registers_nothing(
    settings: Settings, world: RegistryFixture, model_id: str, tmp_path: Path
) -> None:
    """Ed25519 is for evidence; the Model Signing format takes ECDSA keys."""
    key = make_key(tmp_path)
    async with open_registry(settings.with_values(bundle_key=str(key.private))) as registry:
        with pytest.raises(InvalidInput, match="ECDSA") as caught:
            await replace(world, registry=registry).version(model_id)

    assert caught.value.field == "bundle_key"
    assert await world.registry.get_model(world.tenant, model_id) is None
