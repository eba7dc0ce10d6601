"""A TCP proxy before PostgreSQL that cuts the connection at a COMMIT: before it, or after it has
been carried out, so that only its answer is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class PostgresProxy:
    """``lose`` are the numbers, from 1, of those COMMITs since :meth:`arm` whose answer is lost,
    ``drop`` of those that never arrive. ``lose_next`` loses the answer to whatever is sent next.
    ``down`` refuses every new connection. ``trips`` counts what is sent and waited for."""

    upstream: tuple[str, int]
    port: int = 0
    down: bool = False
    trips: int = 0
    lose_next: bool = False
    commits: int = 0
    lose: set[int] = field(default_factory=set)
    drop: set[int] = field(default_factory=set)
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    def arm(self, *, lose: set[int] | None = None, drop: set[int] | None = None) -> None:
        self.commits, self.lose, self.drop = 0, lose or set(), drop or set()

    def cut_all(self) -> None:
        """Break every connection that is open."""
        for writer in self.open:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.transport.abort()
            return
        server_reader, server_writer = await asyncio.open_connection(*self.upstream)
        state = {"lost": False}
        self.open.add(writer)

        async def ask() -> None:
            while data := await reader.read(65536):
                self.trips += 1
                state["lost"] |= self.lose_next
                self.lose_next = False
                if b"COMMIT;" in data:
                    self.commits += 1
                    if self.commits in self.drop:
                        return
                    state["lost"] |= self.commits in self.lose
                server_writer.write(data)
                await server_writer.drain()

        async def answer() -> None:
            while data := await server_reader.read(65536):
                if state["lost"]:
                    return
                writer.write(data)
                await writer.drain()

        ways = {asyncio.ensure_future(ask()), asyncio.ensure_future(answer())}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self.open.discard(writer)
            writer.transport.abort()
            with suppress(OSError):
                server_writer.transport.abort()


@asynccontextmanager
async def postgres_proxy(host: str, port: int) -> AsyncIterator[PostgresProxy]:
    """A proxy on this event loop until the block ends."""
    proxy = PostgresProxy((host, port))
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):
            await proxy.serve(reader, writer)
        tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
