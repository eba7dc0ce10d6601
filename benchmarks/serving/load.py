"""A load generator: HTTP/1.1 over plain asyncio streams, one request at a time a connection."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Call:
    """One request."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Connection:
    """A kept-alive connection to a server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, call: Call) -> tuple[int, bytes]:
        """Status and body; once more where the server had closed the idle connection."""
        try:
            return await self._send(call)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.close()
            return await self._send(call)

    async def _send(self, call: Call) -> tuple[int, bytes]:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        assert self._reader is not None
        head = f"{call.method} {call.path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
        head += f"Content-Length: {len(call.body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in call.headers)
        self._writer.write(head.encode() + b"\r\n" + call.body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        status = int(lines[0].split(b" ")[1])
        headers = dict(line.lower().split(b":", 1) for line in lines[1:] if b":" in line)
        if b"chunked" in headers.get(b"transfer-encoding", b""):
            body = await self._chunks()
        else:
            body = await self._reader.readexactly(int(headers.get(b"content-length", b"0")))
        if b"close" in headers.get(b"connection", b""):
            self.close()
        return status, body

    async def _chunks(self) -> bytes:
        assert self._reader is not None
        body = b""
        while size := int((await self._reader.readline()).split(b";")[0], 16):
            body += await self._reader.readexactly(size)
            await self._reader.readexactly(2)
        await self._reader.readline()
        return body

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


@dataclass
class Times:
    """Seconds of each request, and how many failed."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def side_by_side(
    ways: dict[str, tuple[str, Callable[[], list[Call]]]], rounds: int
) -> dict[str, Times]:
    """Time the ways in turn, round after round and each round in another order, so that all meet
    the same machine and none always follows the same other. A way is a server and what makes the
    requests of one round; a round's time is that of all of them."""
    times = {name: Times() for name in ways}
    connections = {name: Connection(url) for name, (url, _) in ways.items()}
    for number in range(rounds + max(3, rounds // 10)):
        for name in random.sample(list(ways), len(ways)):
            calls = ways[name][1]()
            started = time.perf_counter()
            for call in calls:
                status, body = await connections[name].send(call)
                if status != 200:
                    times[name].failures.append(f"{status} {body[:200]!r}")
            if number >= max(3, rounds // 10):
                times[name].seconds.append(time.perf_counter() - started)
    for connection in connections.values():
        connection.close()
    return times


async def sustained(
    url: str,
    read: Callable[[], Call],
    write: Callable[[], Call],
    *,
    connections: int,
    seconds: float,
) -> Times:
    """Reads and writes, nine to one, over many connections at once."""
    times = Times()
    end = time.perf_counter() + seconds

    async def client() -> None:
        connection = Connection(url)
        while time.perf_counter() < end:
            call = write() if random.random() < 0.1 else read()
            started = time.perf_counter()
            try:
                status, body = await connection.send(call)
            except (OSError, EOFError) as error:
                times.failures.append(type(error).__name__)
                connection.close()
                continue
            times.seconds.append(time.perf_counter() - started)
            if status >= 400:
                times.failures.append(f"{status} {body[:200]!r}")
        connection.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    return times
