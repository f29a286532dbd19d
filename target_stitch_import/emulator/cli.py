"""The command ``stitch-import-emulator``: flags, signals and exit codes.

It can be imported without the extra ``emulator``, so that it can say what to install.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import signal
import sqlite3
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.destinations.facts import DESTINATIONS
from target_stitch_import.emulator.faults.spec import Faults
from target_stitch_import.limits import REGIONS

if TYPE_CHECKING:
    from collections.abc import Sequence


MAX_PORT: Final = 65_535


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the emulator until SIGTERM or SIGINT."""
    options = _parser().parse_args(arguments)
    try:
        server = importlib.import_module("target_stitch_import.emulator.http.server")
    except ModuleNotFoundError as error:
        return _fail(f"{error.name} is missing: pip install 'target-stitch-import[emulator]'")
    if options.verbose:
        logging.basicConfig(format="%(message)s", stream=sys.stderr)
        logging.getLogger("stitch-import-emulator").setLevel(logging.INFO)
    stop = threading.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: stop.set())
    try:
        return _run(server, options, stop)
    except sqlite3.Error as error:
        return _fail(f"{options.database} can't be used as a database: {error}")
    except OSError as error:
        return _fail(f"port {options.port} can't be used: {error.strerror}")


def _run(server: Any, options: argparse.Namespace, stop: threading.Event) -> int:
    with server.running_emulator(
        options.database,
        token=options.token,
        client_id=options.client_id,
        region=options.region,
        active=not options.paused,
        port=options.port,
        faults=options.faults,
        answers=options.answers,
        destination=options.destination,
    ) as emulator:
        sys.stdout.write(
            f"Import API emulator listening on {emulator.url}, database {emulator.database}\n"
            f"What arrives is shown at {emulator.url}/\n"
        )
        sys.stdout.flush()
        # With a timeout, for without one no signal gets through on Windows.
        while not stop.wait(1):
            pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stitch-import-emulator",
        description=(
            "Emulate the Stitch Import API on 127.0.0.1: check requests as the service does, "
            "and load them into an SQLite database as Stitch loads them."
        ),
    )
    parser.add_argument(
        "--port", type=_port, default=8787, help="0 is any free one (default: %(default)s)"
    )
    parser.add_argument(
        "--database",
        default="stitch.db",
        metavar="FILE",
        help="SQLite database to load into, created where there is none (default: %(default)s)",
    )
    parser.add_argument(
        "--token", help="the access token to accept (default: any that is not empty)"
    )
    parser.add_argument(
        "--client-id",
        type=int,
        metavar="ID",
        help="the client ID to accept in push and validate bodies (default: any)",
    )
    parser.add_argument(
        "--region",
        choices=list(REGIONS),
        default="us",
        help=(
            "whose API this is; a token that starts with the name of another region and a "
            "colon is answered 'Invalid region.' (default: %(default)s)"
        ),
    )
    parser.add_argument(
        "--paused",
        action="store_true",
        help="answer every post as for an integration that is paused or deleted",
    )
    parser.add_argument(
        "--faults",
        type=_faults,
        metavar="SPEC",
        help=(
            "what goes wrong on purpose: a script such as 503*2,drop or rates such as "
            "seed=7,503=0.1,drop=0.05; docs/emulator.md lists all of it"
        ),
    )
    parser.add_argument(
        "--answers",
        choices=["placed", "unplaced"],
        default="placed",
        help=(
            "whether the refusal of a record says its place in the batch, as in 'Record 0 did not "
            "conform to schema'; the service does both (default: %(default)s)"
        ),
    )
    parser.add_argument(
        "--destination",
        choices=list(DESTINATIONS),
        metavar="NAME",
        help=(
            "load like a destination of Stitch, with its names, types and subtables, and a table "
            f"_sdc_rejected: {', '.join(DESTINATIONS)} (default: like none of them)"
        ),
    )
    parser.add_argument("--verbose", action="store_true", help="log each request on stderr")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {MAX_PORT}")
    return int(text)


def _faults(text: str) -> Faults:
    try:
        return Faults.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _fail(message: str) -> int:
    sys.stderr.write(f"stitch-import-emulator: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
