"""Which part listens where on 127.0.0.1."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from contextlib import closing

HOST = "127.0.0.1"

#: What people and programs call. The other ports are picked when the stack is first started.
DEFAULTS = {"postgres": 5433, "s3": 8333, "mlflow": 5000, "airflow": 8080, "api": 8090}
_WITHIN_S3 = (
    *("s3-master", "s3-master-grpc", "s3-volume", "s3-volume-grpc"),
    *("s3-filer", "s3-filer-grpc", "s3-grpc"),
)
NAMES = (*DEFAULTS, *_WITHIN_S3)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind((HOST, 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()


def choose(requested: Mapping[str, int], fixed: Mapping[str, int] = DEFAULTS) -> dict[str, int]:
    """A port for each name: what is ``wanted``, else what is ``fixed``, else a free one."""
    open_names = [name for name in NAMES if name not in requested and name not in fixed]
    return {**fixed, **dict(zip(open_names, free_ports(len(open_names)), strict=True)), **requested}


def taken(ports: Mapping[str, int]) -> list[str]:
    """Names of the ports that somebody listens on."""
    return [name for name, port in ports.items() if listens(port)]


def parse(options: Iterable[str]) -> dict[str, int]:
    """``NAME=PORT`` texts as ports by name. Raises ValueError, saying what is allowed."""
    ports = {}
    for text in options:
        name, _, number = text.partition("=")
        if name not in NAMES or not number.isdecimal() or not 0 < int(number) < 65536:
            raise ValueError(
                f"{text!r} is no port: write NAME=PORT, where NAME is one of {', '.join(NAMES)}"
            )
        ports[name] = int(number)
    return ports


def host() -> str:
    """The host that every part listens on, as Airflow's ``hostname_callable``."""
    return HOST


def listens(port: int) -> bool:
    """Whether somebody listens on the port."""
    with closing(socket.socket()) as caller:
        caller.settimeout(1)
        return caller.connect_ex((HOST, port)) == 0
