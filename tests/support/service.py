"""A service that keeps what it was sent and answers as a test tells it to."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator


class _Message(msgspec.Struct):
    data: msgspec.Raw


class _Body(msgspec.Struct):
    messages: list[_Message]


ServiceResponse = tuple[int, bytes, dict[str, str]]

UP: ServiceResponse = (200, b'{"name": "pipeline.gate", "status": "OK", "reason": null}', {})
ACCEPTED: ServiceResponse = (201, b'{"status": "OK", "message": "Batch Accepted!"}', {})
HANG_UP: ServiceResponse = (0, b"", {})  # close the connection instead


@dataclass
class Request:
    """One request as it arrived."""

    body: bytes
    headers: dict[str, str]
    path: str
    connection: int
    """Tells apart the connections that requests came over."""

    @property
    def batch(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)

    @property
    def records(self) -> list[bytes]:
        """The bytes of each record, as they stand in the body."""
        messages = msgspec.json.decode(self.body, type=_Body).messages
        return [bytes(message.data) for message in messages]


@dataclass
class Service:
    """The requests so far, and how to answer the next."""

    url: str
    answer: Callable[[Request], ServiceResponse]
    requests: list[Request] = field(default_factory=list)
    """The posts."""
    status: Callable[[Request], ServiceResponse] = lambda _: UP
    """How to answer the next look at the status."""
    status_requests: list[Request] = field(default_factory=list)
    interim: bytes = b""
    """What is sent a moment before each answer."""
    most_at_once: int = 0

    @property
    def ids(self) -> list[Any]:
        """The ``id`` of every record that arrived."""
        messages = [message for request in self.requests for message in request.batch["messages"]]
        return [message["data"]["id"] for message in messages if "data" in message]

    def config(self, **settings: Any) -> dict[str, Any]:
        """Return a config for a target that loads into this service."""
        return {"token": "secret-token", "api_url": self.url, **settings}


@contextlib.contextmanager
def running_service(
    answer: Callable[[Request], ServiceResponse] = lambda _: ACCEPTED,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Service]:
    """Run a service on a free loopback port; ``answer`` is called with each request."""
    service = Service("", answer)
    lock = threading.Lock()
    at_once: set[int] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            request = Request(b"", dict(self.headers), self.path, self.client_address[1])
            with lock:
                service.status_requests.append(request)
            self._send(service.status(request))

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:  # the client has gone
                self.close_connection = True
                return
            request = Request(body, dict(self.headers), self.path, self.client_address[1])
            with lock:
                service.requests.append(request)
                at_once.add(request.connection)
                service.most_at_once = max(service.most_at_once, len(at_once))
            answer = service.answer(request)
            with lock:
                at_once.discard(request.connection)
            self._send(answer)

        def _send(self, answer: ServiceResponse) -> None:
            status, body, headers = answer
            if answer is HANG_UP:
                self.close_connection = True
                return
            if service.interim:
                self.wfile.write(service.interim)
                time.sleep(0.1)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            with contextlib.suppress(ConnectionError):  # the client has gone
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        service.url = service.url.replace("http", "https")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
