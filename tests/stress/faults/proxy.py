"""A TCP proxy before an HTTP server that loses, delays and falsifies answers as it is set to."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Fault:
    """The fate of a request. ``arrives`` says whether the server sees it; then ``answer``
    (None: its own) is sent back, of its own only the ``share`` of the bytes, or the connection is
    reset. The request waits for ``released`` before it is passed on."""

    name: str
    arrives: bool = True
    answer: bytes | None = None
    share: float = 1.0
    resets: bool = False
    released: asyncio.Event | None = None

    def __str__(self) -> str:
        return self.name


def _answer(status: str, body: str, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n{body}".encode()


_HTML = "<!doctype html><html><body>Bad gateway</body></html>"
LOST = Fault("answer lost", resets=True)
RESET = Fault("request reset", arrives=False, resets=True)
TRUNCATED = Fault("answer truncated", share=0.9)
#: Each says that it failed, or says nothing that can be understood.
ANSWERS = {
    "500": _answer("500 Internal Server Error", '{"error_code": "INTERNAL_ERROR"}'),
    "502 in HTML": _answer("502 Bad Gateway", _HTML, "text/html"),
    "503": _answer("503 Service Unavailable", ""),
    "429": _answer("429 Too Many Requests", '{"error_code": "REQUEST_LIMIT_EXCEEDED"}'),
    "200 in HTML": _answer("200 OK", _HTML, "text/html"),
    "half JSON": _answer("200 OK", '{"model_version": {"name": "ac'),
}
BEFORE = [
    RESET,
    *(Fault(f"{name} before", arrives=False, answer=text) for name, text in ANSWERS.items()),
]
AFTER = [
    LOST,
    TRUNCATED,
    *(Fault(f"{name} after", answer=text) for name, text in ANSWERS.items()),
]


@dataclass
class Proxy:
    """``plan`` holds (pattern of ``METHOD path``, fault, how often); the first that fits counts.
    ``requests`` is all that came, as ``METHOD path`` and body; ``waiting`` how many have no answer
    yet."""

    upstream: tuple[str, int]
    url: str = ""
    down: bool = False
    hangs: bool = False
    plan: list[tuple[str, Fault, int]] = field(default_factory=list)
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    waiting: int = 0

    def strike(self, pattern: str, fault: Fault, times: int = 1) -> None:
        self.plan.append((pattern, fault, times))

    def writes(self) -> list[tuple[str, bytes]]:
        """The requests that change something. MLflow's client searches by POST as well."""
        return [item for item in self.requests if is_write(item[0])]

    def _fault(self, line: str) -> Fault | None:
        for place, (pattern, fault, times) in enumerate(self.plan):
            if re.search(pattern, line):
                self.plan[place : place + 1] = [(pattern, fault, times - 1)] if times > 1 else []
                self.struck.append(f"{fault}: {line}")
                return fault
        return None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.waiting += 1
        try:
            if self.down:
                return _reset(writer)
            head, body = await _message(reader)
            if not head:
                return None
            line = " ".join(head.split(b"\r\n", 1)[0].decode().split()[:2]).partition("?")[0]
            self.requests.append((line, body))
            if self.hangs:
                await asyncio.sleep(3600)
            fault = self._fault(line) or Fault("none")
            if fault.released is not None:
                await fault.released.wait()
            answer = fault.answer
            if fault.arrives:
                own = await self._forward(head, body)
                answer = answer or own[: int(len(own) * fault.share)]
            if fault.resets or answer is None:
                return _reset(writer)
            writer.write(answer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return None
        finally:
            self.waiting -= 1
            with suppress(OSError):
                writer.close()

    async def _forward(self, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self.upstream)
        head = re.sub(rb"(?im)^connection:[^\r]*\r\n", b"", head)
        head = head.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
        writer.write(head + body)
        await writer.drain()
        answer = await reader.read(-1)
        writer.close()
        return answer


def is_write(line: str) -> bool:
    method = line.partition(" ")[0]
    return method in ("PATCH", "DELETE", "PUT") or (method == "POST" and "search" not in line)


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b"", b""
    length = re.search(rb"(?im)^content-length:\s*(\d+)", head)
    return head, await reader.readexactly(int(length[1])) if length else b""


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST: the other side sees a broken connection, not an end."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def http_proxy(address: str) -> AsyncIterator[Proxy]:
    """A proxy on this event loop to the server at ``address`` until the block ends."""
    parts = urlsplit(address)
    proxy = Proxy((str(parts.hostname), int(parts.port or 80)))
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):
            await proxy.serve(reader, writer)
        tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
