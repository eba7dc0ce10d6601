"""One stack: its folder, its ports, its secrets. All is kept in the folder, for the next start."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from .ports import DEFAULTS, HOST, NAMES, choose

_FILE = "stack.json"
_USERS = {"admin": "admin", "operator": "op", "viewer": "viewer"}
BUCKET = "lifecycle"
TENANT = "demo"


@dataclass(frozen=True)
class Secrets:
    """Made at random on the first start. ``airflow_users`` holds a password for each user."""

    postgres: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    s3_access_key: str = field(default_factory=lambda: f"AK{secrets.token_hex(9).upper()}")
    s3_secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(30))
    airflow_fernet: str = field(
        default_factory=lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    )
    airflow_jwt: str = field(default_factory=lambda: secrets.token_urlsafe(64))
    airflow_users: Mapping[str, str] = field(
        default_factory=lambda: {name: secrets.token_urlsafe(12) for name in _USERS}
    )
    #: A key of the HTTP API; empty until the ledger is there to make it.
    api_key: str = ""


@dataclass(frozen=True)
class Instance:
    """``dag_folders`` are served by Airflow besides the flight DAGs; ``airflow_environment`` goes
    before what we set for Airflow."""

    folder: Path
    ports: Mapping[str, int]
    secrets: Secrets
    dag_folders: tuple[Path, ...] = ()
    airflow_environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def at(
        cls,
        folder: Path,
        requested: Mapping[str, int] | None = None,
        *,
        fixed: Mapping[str, int] = DEFAULTS,
        dag_folders: tuple[Path, ...] = (),
        airflow_environment: Mapping[str, str] | None = None,
    ) -> Instance:
        """The stack kept in ``folder``, or a new one; ``wanted`` ports replace what was kept."""
        folder = folder.absolute()
        if (folder / _FILE).is_file():
            stored = cls.load(folder)
            instance = replace(stored, ports={**stored.ports, **(requested or {})})
        else:
            instance = cls(folder, choose(requested or {}, fixed), Secrets())
        instance = replace(
            instance, dag_folders=dag_folders, airflow_environment=airflow_environment or {}
        )
        instance.save()
        return instance

    @classmethod
    def load(cls, folder: Path) -> Instance:
        """The stack kept in ``folder``. Raises FileNotFoundError if there never was one."""
        document = json.loads((folder / _FILE).read_text())
        return cls(
            folder,
            {name: port for name, port in document["ports"].items() if name in NAMES},
            Secrets(
                **{
                    item.name: document["secrets"][item.name]
                    for item in fields(Secrets)
                    if item.name in document["secrets"]
                }
            ),
            tuple(Path(one) for one in document["dag_folders"]),
            document["airflow_environment"],
        )

    def save(self) -> None:
        """Keep ports and secrets, readable by the owner alone."""
        # Others may pass, as PostgreSQL's own user has to, but not look.
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o711)
        self.logs.mkdir(exist_ok=True)
        document = {
            "ports": dict(self.ports),
            "secrets": asdict(self.secrets),
            "dag_folders": [str(one) for one in self.dag_folders],
            "airflow_environment": dict(self.airflow_environment),
        }
        write_private(self.folder / _FILE, json.dumps(document, indent=2))

    def with_api_key(self, key: str) -> Instance:
        instance = replace(self, secrets=replace(self.secrets, api_key=key))
        instance.save()
        return instance

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def airflow_home(self) -> Path:
        return self.folder / "airflow"

    @property
    def airflow_roles(self) -> Mapping[str, str]:
        """Airflow's role of each user that can log in."""
        return _USERS

    def url(self, name: str) -> str:
        """Address of a part that speaks HTTP."""
        return f"http://{HOST}:{self.ports[name]}"

    def database(self, name: str, driver: str = "psycopg2") -> str:
        """SQLAlchemy URL of one of the databases ``airflow``, ``mlflow`` and ``ledger``."""
        port = self.ports["postgres"]
        return f"postgresql+{driver}://postgres:{self.secrets.postgres}@{HOST}:{port}/{name}"


def write_private(file: Path, text: str) -> None:
    """Replace ``file`` as a whole, mode 600."""
    scratch = file.with_suffix(".new")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    scratch.replace(file)
