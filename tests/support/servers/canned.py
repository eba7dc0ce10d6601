"""Tiny HTTP servers that misbehave in one chosen way, as proxies and overloaded servers do."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Canned:
    """``requests`` holds method and path of each request but those for ``/health``, which is
    answered with 200 like a healthy server's; ``headers`` what came along with them."""

    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def canned_server(
    status: int = 200,
    body: bytes = b"{}",
    *,
    content_type: str = "application/json",
    length: int | None = None,
    delay: float = 0.0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Canned]:
    """A server that gives every request the same answer, after ``delay`` seconds; ``length`` is
    the Content-Length it claims. With ``tls`` it speaks HTTPS."""
    canned = Canned()
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.endswith("/health"):
                return self._answer(200, b"OK", "text/plain", None)
            canned.requests.append((self.command, self.path.partition("?")[0]))
            canned.headers.append(dict(self.headers))
            stopped.wait(delay)
            return self._answer(status, body, content_type, length)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def _answer(self, status: int, body: bytes, kind: str, length: int | None) -> None:
            self.close_connection = True
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(length or len(body)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    canned.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    try:
        yield canned
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        serving.join()


@contextmanager
def black_hole() -> Iterator[str]:
    """Address of a socket that accepts connections and never answers."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
