"""Whether the artifact store and MLflow of this process are those that belong to the ledger.

The ledger's registry id is in all three: in the ledger's database, in a small object at the
artifact root, and on a registered model in MLflow. The artifact root itself is compared when a
registry opens; the ids are compared before each store's first use, so that a command that reads the
ledger alone waits for neither.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path

from ..domain import artifact_paths
from ..domain.canonical_json import canonical_json
from ..domain.errors import AlreadyExists, ArtifactNotFound, InvalidInput
from ..ledger.engine import database_url
from ..ledger.identity import RegistryIdentity
from ..settings import without_passwords
from .artifact_root import require_same_root
from .backends import Backends

#: Begins a root in the folder of an embedded ledger: the two move together.
_BESIDE_LEDGER = "beside the ledger:"
_MOVE = (
    "If the registry is to move to these stores, copy its files there and run "
    "`model-lifecycle registry move` (docs/operations/production.md)"
)


class StoreIdentity:
    """Compares the stores of ``backends`` with the ledger's record of them."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._record = backends.ledger.identity
        self._folder = _ledger_folder(backends.settings.database_url)
        probe = "root"
        #: The artifact root as the ledger records it.
        self.root = self._label(backends.artifacts.uri(probe).removesuffix(probe).rstrip("/"))
        self._tracking_uri = without_passwords(backends.settings.tracking_uri)

    async def open(self) -> None:
        """Compare the artifact roots, and have the stores compared before their first use.

        Raises :class:`InvalidInput`, naming both roots, if the ledger's files are elsewhere.
        """
        identity = await self._record.load()
        self._check_root(identity)
        self._backends.artifacts.former_roots = tuple(map(self._address, identity.former_roots))
        self._backends.artifacts.before_first_use(self.check_artifacts)
        self._backends.tracking.before_first_use(self.check_mlflow)

    async def check_artifacts(self) -> None:
        """Return if the files at the artifact root are the ledger's. The first use binds the root
        to the ledger. Raises :class:`InvalidInput`."""
        identity = await self._record.load()
        self._check_root(identity)
        holder = await self._holder()
        if holder is None:
            if identity.artifact_root is not None:
                raise InvalidInput(
                    f"the artifact root {self._address(self.root)} on host {_host()} does not hold "
                    f"the files of registry {identity.registry_id}, which first used it on host "
                    f"{identity.artifact_host}: {artifact_paths.REGISTRY_IDENTITY} is missing. A "
                    "folder is reached from its own host alone; workers on several hosts need one "
                    f"store that all of them reach, such as s3://. {_MOVE}",
                    field="artifact_root",
                )
            # A ledger from before its identity was recorded: its files are the evidence.
            version = await self._backends.ledger.read.any_version()
            if version is not None:
                await require_same_root(self._backends.artifacts, version)
            holder = await self._mark(identity.registry_id)
        self._check_holder(identity, holder)
        if identity.artifact_root is None:
            self._check_root(await self._record.bind_artifacts(self.root, _host()))

    async def check_mlflow(self) -> None:
        """Return if this MLflow is the ledger's. The first use binds it. Raises
        :class:`InvalidInput`."""
        identity = await self._record.load()
        if await self._backends.tracking.has_registry(identity.registry_id):
            if identity.tracking_uri is None:
                await self._record.bind_mlflow(self._tracking_uri)
            return
        if identity.tracking_uri is not None:
            raise InvalidInput(
                f"MLflow at {self._tracking_uri} is another one than that of registry "
                f"{identity.registry_id}, which uses {identity.tracking_uri}. Give every worker "
                "the same MLflow (the setting MODEL_LIFECYCLE_TRACKING_URI, or tracking_uri of "
                f"the connection). {_MOVE}",
                field="tracking_uri",
            )
        await self._backends.tracking.add_registry(identity.registry_id)
        await self._record.bind_mlflow(self._tracking_uri)

    async def move(self) -> RegistryIdentity:
        """Bind the ledger to the stores of this process instead of those before; the identity
        after it.

        Every production version must have its files at the new root. Raises
        :class:`InvalidInput` where they are not, or where the stores are another registry's.
        """
        identity = await self._record.load()
        read = self._backends.ledger.read
        for tenant, model in await read.model_ids(None):
            row = await read.row(tenant, model)
            if row is None or row.production_version is None:
                continue
            version = await read.version(tenant, model, row.production_version)
            if version is not None:
                await require_same_root(self._backends.artifacts, version, by_files=True)
        holder = await self._holder()
        self._check_holder(identity, holder or await self._mark(identity.registry_id))
        await self._backends.tracking.add_registry(identity.registry_id)
        return await self._record.move(self.root, _host(), self._tracking_uri)

    async def _holder(self) -> str | None:
        """Id of the registry whose files are at the artifact root; None if there is none yet."""
        try:
            content = await self._backends.artifacts.get_bytes(artifact_paths.REGISTRY_IDENTITY)
        except ArtifactNotFound:
            return None
        try:
            return str(json.loads(content)["registry_id"])
        except (ValueError, KeyError, TypeError):
            return "that cannot be read"

    async def _mark(self, registry_id: str) -> str:
        """Mark the root as this registry's; the id that it is marked with, if another was first."""
        content = canonical_json({"registry_id": registry_id, "artifact_root": self.root})
        try:
            await self._backends.artifacts.put_bytes(
                artifact_paths.REGISTRY_IDENTITY, content, overwrite=False
            )
        except AlreadyExists:
            return await self._holder() or registry_id
        return registry_id

    def _label(self, root: str) -> str:
        """``root`` as the ledger records it: relative where it moves together with the ledger."""
        if self._folder is not None and root.startswith(f"{self._folder}/"):
            return f"{_BESIDE_LEDGER}{root.removeprefix(f'{self._folder}/')}"
        return root

    def _address(self, label: str) -> str:
        """The inverse of :meth:`_label`."""
        if self._folder is not None and label.startswith(_BESIDE_LEDGER):
            return f"{self._folder}/{label.removeprefix(_BESIDE_LEDGER)}"
        return label

    def _check_root(self, identity: RegistryIdentity) -> None:
        if identity.artifact_root is None or identity.artifact_root == self.root:
            return
        here, recorded = self._address(self.root), self._address(identity.artifact_root)
        raise InvalidInput(
            f"the artifact root here is {here}, but the files of this ledger are in {recorded}. "
            "Give every worker the same artifact root (the setting MODEL_LIFECYCLE_ARTIFACT_ROOT, "
            f"or artifact_root of the connection): one that all of them reach. {_MOVE}",
            field="artifact_root",
        )

    def _check_holder(self, identity: RegistryIdentity, holder: str) -> None:
        if holder != identity.registry_id:
            raise InvalidInput(
                f"the artifact root {self._address(self.root)} holds the files of registry "
                f"{holder}, but this ledger is registry {identity.registry_id}. Give each ledger "
                "an artifact root of its own",
                field="artifact_root",
            )


def _ledger_folder(url: str) -> str | None:
    """The folder of an embedded ledger as a ``file:`` URI; None for a ledger in service."""
    address = database_url(url)
    file = address.database
    if address.get_backend_name() != "sqlite" or not file or file.startswith(":"):
        return None
    return Path(file).absolute().parent.as_uri()


def _host() -> str:
    return socket.gethostname()
