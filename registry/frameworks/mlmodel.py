"""Reading MLflow's ``MLmodel`` file with a safe YAML loader, and without importing MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from model_lifecycle.registry.domain.artifact_paths import ONNX_MODEL
from model_lifecycle.registry.domain.errors import InvalidInput, UntrustedModel
from model_lifecycle.registry.domain.model_outputs import ModelOutputs, model_outputs

from .onnx_parity import KEY, OnnxParity, not_exported
from .protocol import Column

MLMODEL = "MLmodel"
#: The key in MLmodel's metadata under which the meaning of outputs is kept.
OUTPUTS = "lifecycle.outputs"


@dataclass(frozen=True)
class ModelFile:
    """A parsed ``MLmodel`` file: its flavors, the columns of its signature, and the
    metadata that was added when it was saved."""

    folder: Path
    flavors: Mapping[str, Any]
    columns: tuple[Column, ...] | None
    metadata: Mapping[str, Any]

    def flavor(self, name: str) -> Mapping[str, Any]:
        """One flavor's entries. Raises :class:`InvalidInput` when the model has no such flavor."""
        flavor = self.flavors.get(name)
        if not isinstance(flavor, Mapping):
            flavors = ", ".join(sorted(map(str, self.flavors))) or "none"
            raise InvalidInput(
                f"the model was not saved as {name}: its flavors are {flavors}", field="framework"
            )
        return flavor

    def holds(self, name: str) -> bool:
        """Whether the folder has a file of that name, which may be a link."""
        return (self.folder / name).is_file()

    def parity(self) -> OnnxParity:
        """The recorded parity of ``model.onnx``, or the reason why there is none."""
        here = self.holds(ONNX_MODEL)
        parity = OnnxParity.from_document(self.metadata.get(KEY))
        if parity is not None and parity.exported == here:
            return parity
        if here:
            return OnnxParity(reason="the model.onnx in the folder was not compared with the model")
        return not_exported()

    def outputs(self) -> ModelOutputs:
        """Which outputs were named at registration. Raises :class:`InvalidInput` for an entry
        that is no such thing."""
        return model_outputs(self.metadata.get(OUTPUTS))

    def payload(self, name: Any) -> Path:
        """The payload file ``name``. Raises :class:`UntrustedModel` when it is no plain file
        inside the model's folder."""
        parts = PurePosixPath(name).parts if isinstance(name, str) else ()
        file = self.folder.joinpath(*parts)
        inside = parts and ".." not in parts and not PurePosixPath(name).is_absolute()
        if not inside or not file.resolve().is_relative_to(self.folder.resolve()):
            raise UntrustedModel(f"MLmodel names a payload outside of its folder: {name!r:.120}")
        if not file.is_file():
            raise InvalidInput(f"the model's payload {name!r:.120} is missing", field="model")
        return file

    def requirements(self) -> tuple[str, ...]:
        """The lines of ``requirements.txt``, sorted; none when the model has no such file."""
        file = self.folder / "requirements.txt"
        if not file.is_file():
            return ()
        lines = (line.strip() for line in file.read_text().splitlines())
        return tuple(sorted(line for line in lines if line and not line.startswith("#")))


def read_mlmodel(folder: Path) -> ModelFile:
    """The ``MLmodel`` file in ``folder``. Raises :class:`InvalidInput` when it cannot be read."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # Both candidates are safe loaders: they make plain values only.
        document = yaml.load((folder / MLMODEL).read_bytes(), Loader=loader)  # noqa: S506
        flavors = document["flavors"]
        columns = _columns(document.get("signature"))
        metadata = document.get("metadata")
    except FileNotFoundError:
        raise InvalidInput(
            f"there is no {MLMODEL} file: not an MLflow model", field="model"
        ) from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"the {MLMODEL} file cannot be read: {error}", field="model") from None
    if not isinstance(flavors, Mapping):
        raise InvalidInput(f"the {MLMODEL} file has no flavors", field="model")
    _refuse_code(flavors)
    return ModelFile(folder, flavors, columns, metadata if isinstance(metadata, Mapping) else {})


def _refuse_code(flavors: Mapping[str, Any]) -> None:
    """Refuse a flavor that ships code or names a loader module that is not MLflow's own for it.

    This package runs neither, but MLflow does for anyone who loads the files with it.
    """
    for name, flavor in flavors.items():
        if isinstance(flavor, Mapping) and flavor.get("code"):
            raise UntrustedModel(f"the flavor {name!r:.80} brings code along, which is not allowed")
    generic = flavors.get("python_function")
    loader = generic.get("loader_module") if isinstance(generic, Mapping) else None
    if loader is not None and loader not in {f"mlflow.{name}" for name in flavors}:
        raise UntrustedModel(f"the loader module {loader!r:.80} is not allowed")


def _columns(signature: Any) -> tuple[Column, ...] | None:
    """Columns of a column-based signature; None for none, and for one of tensors."""
    inputs = json.loads((signature or {}).get("inputs") or "[]")
    if not inputs or any("name" not in item or item.get("type") == "tensor" for item in inputs):
        return None
    return tuple(
        Column(str(item["name"]), str(item["type"]), bool(item.get("required", True)))
        for item in inputs
    )
