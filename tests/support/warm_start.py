"""Starts the target in a copy of a process that has imported it already.

The imports are most of a short run, and the tests have many. What follows them is as in any process:
its standard streams, its environment, its folder, its signals and its exit code.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import random
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any, Final

PROJECT: Final = Path(__file__).parents[2]
_SUBREAPER: Final = 36  # PR_SET_CHILD_SUBREAPER of Linux
_READ_AT_START: Final = ("LANG", "LC_", "PYTHON")
"""What the names of variables begin with that Python itself reads when it starts."""


def is_possible(env: dict[str, str]) -> bool:
    """Return True if a copy can have this environment: what is read at a start is as it is here."""
    names = {name for name in {*env, *os.environ} if name.startswith(_READ_AT_START)}
    same = all(env.get(name) == os.environ.get(name) for name in names - {"PYTHONWARNINGS"})
    return sys.platform == "linux" and same and "COVERAGE_PROCESS_CONFIG" not in env


class Process(subprocess.Popen[bytes]):
    """A child of this process, as any other that ``subprocess`` starts."""

    def _execute_child(self, arguments: list[str], *more: Any) -> None:
        folder, env, descriptors = more[4], more[5], more[9:15]
        stdin, _, _, stdout, _, stderr = descriptors
        message = json.dumps({"arguments": arguments, "folder": str(folder), "env": env})
        self.pid = _server().copy(message, [stdin, stdout, stderr])
        self._child_created = True
        self._close_pipe_fds(*descriptors)  # type: ignore[attr-defined]


class _Server:
    """The process that is copied."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", __name__, str(theirs.fileno()), str(os.getpid())]
        env = {**os.environ, "PYTHONWARNINGS": "ignore:Python 3"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env=env,
            cwd=PROJECT,
        )
        theirs.close()
        atexit.register(self._close)

    def _close(self) -> None:
        self._connection.close()
        self._process.wait()

    def copy(self, message: str, descriptors: list[int]) -> int:
        """Return the ID of a copy, which is a child of this process."""
        with self._lock:
            _adopt_orphans(wanted=True)
            socket.send_fds(self._connection, [message.encode()], descriptors)
            pid = int(self._connection.recv(100))
            _adopt_orphans(wanted=False)
        return pid


@cache
def _server() -> _Server:
    return _Server()


def _adopt_orphans(*, wanted: bool) -> None:
    ctypes.CDLL(None).prctl(_SUBREAPER, int(wanted), 0, 0, 0)


def _serve(connection: socket.socket, parent: int) -> dict[str, Any]:
    """Make a copy for each message; return in the copy, with what it is to do."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 3)
        if not data:
            os._exit(0)  # the tests have ended
        if (middle := os.fork()) == 0:
            if os.fork():
                os._exit(0)  # so that the copy becomes the child of the tests
            break
        for descriptor in descriptors:
            os.close(descriptor)
        os.waitpid(middle, 0)
    while os.getppid() != parent:
        pass
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    connection.send(str(os.getpid()).encode())
    connection.close()
    request: dict[str, Any] = json.loads(data)
    return request


def _main() -> None:
    from target_stitch_import import cli, target  # noqa: F401, PLC0415 - what takes long

    request = _serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = request["arguments"]
    random.seed()
    cli.main()


if __name__ == "__main__":
    _main()
