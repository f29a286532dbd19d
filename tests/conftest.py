"""What the tests of every kind share."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import running_emulator
from tests.support.service import running_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Service


_LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that opens a connection to anything but this machine."""

    def guarded(real: Callable[..., Any]) -> Callable[..., Any]:
        def connect(sock: socket.socket, address: Any) -> Any:
            if sock.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(
                _LOOPBACK
            ):
                pytest.fail(f"this test opens a connection to {address}")
            return real(sock, address)

        return connect

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))


TESTS = Path(__file__).parent
SLOW = (
    "benchmarks",
    "chaos",
    "contract",
    "documentation",
    "emulator",
    "end_to_end",
    "fuzz",
    "properties",
)
"""Folders whose tests run processes or servers, or many examples."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of whole folders as slow, and measure no coverage of those with many examples."""
    for item in items:
        if item.path.relative_to(TESTS).parts[0] in SLOW:
            item.add_marker("slow")
        if item.get_closest_marker("hypothesis"):
            item.add_marker("no_cover")  # it doubles their time, and other tests run the same code


MEASURED = ("test_events", "test_preview", "test_pytest_plugin")
"""Modules whose processes run code that no test runs in its own process."""


@pytest.fixture(autouse=True)
def _coverage_of_processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure coverage in few of the processes that tests start: it doubles their time."""
    if request.path.stem not in MEASURED:
        monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """Run an emulator with an empty database."""
    with running_emulator(database=tmp_path / "stitch.db") as running:
        yield running


@pytest.fixture
def service() -> Iterator[Service]:
    """Run a service that keeps what it is sent, and accepts it."""
    with running_service() as running:
        yield running
