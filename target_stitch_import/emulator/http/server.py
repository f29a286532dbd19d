"""The emulator as a running server, in a thread of this process."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import uvicorn

from target_stitch_import.destinations.facts import DESTINATIONS
from target_stitch_import.emulator.faults.connections import RefusingServer, ResettableProtocol
from target_stitch_import.emulator.faults.spec import Faults
from target_stitch_import.emulator.http.access import Account
from target_stitch_import.emulator.http.app import create_app
from target_stitch_import.emulator.storage.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.applications import Starlette
    from starlette.middleware import Middleware

    from target_stitch_import.emulator.rules.responses import Answers

HOST = "127.0.0.1"
GRACE_SECONDS = 1
"""Time for the requests that are being answered when the emulator stops."""


@dataclasses.dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    url: str
    """Base URL, without a slash at the end."""
    database: Path
    """The SQLite file, to be read with ``read_table``."""


@contextlib.contextmanager
def running_emulator(
    database: str | Path,
    *,
    token: str | None = None,
    client_id: int | None = None,
    region: Literal["us", "eu"] = "us",
    active: bool = True,
    port: int = 0,
    middleware: Sequence[Middleware] = (),
    faults: Faults | str | None = None,
    answers: Answers = "placed",
    destination: str | None = None,
) -> Iterator[Emulator]:
    """Run an emulator on 127.0.0.1 for as long as the ``with`` block lasts.

    Args:
        database: the SQLite file; it is created if there is none.
        token: the access token to accept; any by default.
        client_id: the client ID to accept in push and validate bodies; any by default.
        region: the region of the API.
        active: False answers as for an integration that is paused or deleted.
        port: the port to listen on; 0 is any free one.
        middleware: Starlette middleware around the API, outermost first.
        faults: what goes wrong on purpose, behind the middleware; or its text, as ``--faults``
            has it.
        answers: "unplaced" refuses a record of a batch without its place in the batch.
        destination: the destination to load like, by its name in ``destinations.json``.

    Raises:
        KeyError: there is no such ``destination``.
        ValueError: ``faults`` is a text that can't be parsed.
        OSError: the port is taken.
        sqlite3.Error: the file is no database, or can't be written.
    """
    if isinstance(faults, str):
        faults = Faults.parse(faults)
    loaded_like = None if destination is None else DESTINATIONS[destination]
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_bind(port))
        # From here on, connections wait in the backlog until the server accepts them.
        listener.listen(2048)
        port = listener.getsockname()[1]
        store = stack.enter_context(contextlib.closing(Database(database, loaded_like)))
        account = Account(token, client_id, region, active)
        app = create_app(store, account, middleware, faults=faults, answers=answers)
        server = _create_server(app) if faults is None else _create_faulty_server(app, port)
        stack.enter_context(_run_in_thread(server, listener))
        yield Emulator(f"http://{HOST}:{port}", Path(database))


def _bind(port: int) -> socket.socket:
    # asyncio turns off Nagle's algorithm only if the protocol is named. Else the second packet
    # of every response comes 40 ms late.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


def _create_server(app: Starlette) -> uvicorn.Server:
    return uvicorn.Server(_uvicorn_config(app))


def _create_faulty_server(app: Starlette, port: int) -> uvicorn.Server:
    # ``RefusingServer`` relies on how asyncio's own loop closes a port.
    config = _uvicorn_config(app, http=ResettableProtocol, loop="asyncio")
    return RefusingServer(config, functools.partial(_bind, port))


def _uvicorn_config(app: Starlette, **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
        **more,
    )


@contextlib.contextmanager
def _run_in_thread(server: uvicorn.Server, listener: socket.socket) -> Iterator[None]:
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="stitch-import-emulator"
    )
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
