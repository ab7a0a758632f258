"""Servers on this machine: a web server for tests of downloads, ports for others."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

CLOSED = "http://127.0.0.1:9/"  # the discard port: nothing listens
Serve = Callable[..., str]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a local server of given files; ``cut`` breaks off bodies, ``hang`` never answers."""
    servers: list[ThreadingHTTPServer] = []
    end = threading.Event()

    def start(files: dict[str, bytes], *, cut: bool = False, hang: bool = False) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if hang:
                    end.wait()
                    return
                body = files.get(self.path.removeprefix("/"))
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if cut else body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.block_on_close = False
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients hang up
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    end.set()
    for server in servers:
        server.shutdown()
        server.server_close()
