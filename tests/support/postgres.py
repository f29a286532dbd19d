"""A PostgreSQL server of a test's own: a new cluster in a temporary folder, gone with the test."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

DEBIAN = Path("/usr/lib/postgresql")
UNPRIVILEGED = (
    "postgres"  # who runs the server where the tests run as root: it refuses to be root's
)
USER = "tap"
DATABASE = "postgres"
TRIES = 5
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_wal_senders": "4",
    "max_replication_slots": "4",
    "fsync": "off",
    "timezone": "Asia/Kathmandu",  # 05:45, so that a zone that is forgotten is seen
}
# PostgreSQL 15.19 and later use only the plugins that this setting names; 15.18 does not know the
# setting, and does not start with it.
ALLOWED_PLUGINS = {"output_plugin_libraries": "wal2json"}


@dataclass(frozen=True)
class Postgres:
    """A server that is running, for anybody on this machine who calls himself ``USER``."""

    port: int
    binaries: Path

    def run(self, script: str) -> str:
        """Run SQL statements, each committed by itself, and return what psql writes of them."""
        command = [str(self.binaries / "psql"), "--no-psqlrc", "--quiet", "--no-align"]
        command += ["--tuples-only", "--set=ON_ERROR_STOP=1", "--host=127.0.0.1"]
        command += [f"--port={self.port}", f"--username={USER}", f"--dbname={DATABASE}"]
        done = subprocess.run(
            command,
            input=script.encode(),
            capture_output=True,
            env={"PGCLIENTENCODING": "UTF8"},
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query as PostgreSQL's own JSON has them, each number exactly.

        A number with a fraction is a Decimal, inside of objects and arrays too.
        """
        lines = self.run(f"SELECT row_to_json(t) FROM ({query}) AS t;").split("\n")
        return [json.loads(line, parse_float=Decimal) for line in lines if line]


def find_binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs, of the newest version that there is."""
    found = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    found += [Path(on_path).resolve()] if on_path and not found else []
    return found[-1].parent if found else None


def has_wal2json(binaries: Path) -> bool:
    """Say whether the server can write its log as JSON."""
    return any(binaries.parent.glob("lib/**/wal2json.so"))


def has_setting(binaries: Path, name: str) -> bool:
    """Say whether the server has a setting of this name."""
    command = [str(binaries / "postgres"), "--describe-config"]
    described = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return any(line.split("\t", 1)[0] == name for line in described.stdout.splitlines())


@contextlib.contextmanager
def running_postgres(binaries: Path) -> Iterator[Postgres]:
    """Make a cluster and run a server on it, until the block ends."""
    # Not in pytest's folder: nobody else may go into that.
    home = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(home, UNPRIVILEGED, UNPRIVILEGED)
        initdb = ["initdb", f"--username={USER}", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        _run(binaries, home, *initdb, "--no-sync")
        port = _start(binaries, home)
        try:
            yield Postgres(port, binaries)
        finally:
            _run(binaries, home, "pg_ctl", "stop", "--mode=immediate")
    finally:
        shutil.rmtree(home)


def _start(binaries: Path, home: Path) -> int:
    """Start the server on a free port; another one if somebody was quicker to take it."""
    known = {name: value for name, value in ALLOWED_PLUGINS.items() if has_setting(binaries, name)}
    for left in reversed(range(TRIES)):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        settings = {**SETTINGS, **known, "port": str(port)}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        log = home / "server.log"
        try:
            _run(binaries, home, "pg_ctl", "start", "--wait", f"--log={log}", f"-o {options}")
        except subprocess.CalledProcessError as error:
            if not left:
                raise AssertionError(log.read_text()) from error
        else:
            break
    return port


def _run(binaries: Path, home: Path, program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL's on the cluster, as a user who may."""
    command = [str(binaries / program), *arguments, f"--pgdata={home / 'data'}"]
    if os.geteuid() == 0:
        subprocess.run(
            command,
            user=UNPRIVILEGED,
            group=UNPRIVILEGED,
            extra_groups=[],
            cwd=home,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )
    else:
        subprocess.run(command, cwd=home, check=True, stdout=subprocess.DEVNULL, timeout=60)
