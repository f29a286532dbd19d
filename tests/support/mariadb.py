"""A MariaDB server of a test's own: a new one in a temporary folder, gone with the test."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

UNPRIVILEGED: Final = "mysql"  # who runs the server where the tests run as root
USER: Final = "tap"
PASSWORD: Final = "of-this-test"
DATABASE: Final = "shop"
TRIES: Final = 5
START_SECONDS: Final = 60
SETTINGS: Final = {
    "bind-address": "127.0.0.1",
    # what a tap that reads the binlog asks for
    "server-id": "1",
    "log-bin": "binlog",
    "binlog-format": "ROW",
    "binlog-row-image": "FULL",
    "sql-mode": "STRICT_TRANS_TABLES",  # which takes 0000-00-00
    "default-time-zone": "+05:45",  # so that a zone that is forgotten is seen
    "character-set-server": "utf8mb4",
    "innodb-flush-log-at-trx-commit": "0",
}
RIGHTS: Final = "SELECT, REPLICATION CLIENT, REPLICATION SLAVE"


@dataclass(frozen=True)
class MariaDB:
    """A server that is running, with a database and a user who may read it and its binlog."""

    port: int
    socket: Path

    def run(self, script: str, database: str = DATABASE) -> str:
        """Run SQL statements, each committed by itself, and return what the client writes of them."""
        command = ["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", "--batch"]
        command += ["--skip-column-names", "--default-character-set=utf8mb4", database]
        done = subprocess.run(
            command, input=script.encode(), capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


def has_mariadb() -> bool:
    """Say whether this machine has the server's programs."""
    return all(map(_program, ("mariadbd", "mariadb-install-db", "mariadb")))


@contextlib.contextmanager
def running_mariadb() -> Iterator[MariaDB]:
    """Make a data folder and run a server on it, until the block ends."""
    # Not in pytest's folder: nobody else may go into that, and a socket's path is short.
    home = Path(tempfile.mkdtemp(prefix="mariadb-"))
    try:
        with _started(home) as server:
            server.run(
                f"CREATE DATABASE {DATABASE}; CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}';"
                f"GRANT {RIGHTS} ON *.* TO {USER}@'%';",
                database="mysql",
            )
            yield server
    finally:
        shutil.rmtree(home)


@contextlib.contextmanager
def _started(home: Path) -> Iterator[MariaDB]:
    """Start the server on a free port; another one if somebody was quicker to take it."""
    user = []
    if os.geteuid() == 0:
        shutil.chown(home, UNPRIVILEGED, UNPRIVILEGED)
        user = [f"--user={UNPRIVILEGED}"]
    data = f"--datadir={home / 'data'}"
    install = [str(_program("mariadb-install-db")), "--no-defaults", data, *user]
    install += ["--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL, timeout=60)
    log = home / "server.log"
    for _ in range(TRIES):
        with socket.create_server(("127.0.0.1", 0)) as free:
            server = MariaDB(int(free.getsockname()[1]), home / "socket")
        command = [str(_program("mariadbd")), "--no-defaults", data, *user]
        command += [f"--port={server.port}", f"--socket={server.socket}"]
        command += [f"--{name}={value}" for name, value in SETTINGS.items()]
        with log.open("ab") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            if _answers(server, process):
                yield server
                return
        finally:
            process.terminate()
            process.wait(timeout=60)
    raise AssertionError(log.read_text())


def _answers(server: MariaDB, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the server takes statements; return False if it has ended."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(AssertionError):
            server.run("SELECT 1;", database="mysql")
            return True
        time.sleep(0.1)
    return False


def _program(name: str) -> str | None:
    """Return the path of a program; Debian's server is where only root's PATH leads."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")
