"""``python -m tests.contract``: does the Import API keep its contract?

It runs against an emulator of its own, or against the service at CONTRACT_API_URL.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.emulator import running_emulator
from tests.contract.bodies import PREFIX, rows
from tests.contract.case import Request
from tests.contract.cases import CASES
from tests.contract.report import counts, print_results, rules_page, write_json
from tests.contract.runner import run
from tests.contract.service import ATTEMPTS, NoAnswerError, Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REPORT: Final = Path("build/contract.json")
DIFFERS: Final = 1
NOT_TOLD: Final = 2
"""The exit code if the tests could not run, or a request got no answer."""
_TOKEN: Final = "token-of-the-emulator"
_CLIENT_ID: Final = 4231
_NOTHING: Final = Request("batch", {})
"""A request that is refused by everyone, but for other reasons where the access is wrong."""
_NO_ACCESS: Final = (401, 403)


class CannotRunError(Exception):
    """The tests can't run; the message says what to do."""


def main(arguments: Sequence[str] | None, environment: Mapping[str, str]) -> int:
    """Run the contract tests, and return the exit code."""
    options = _parser().parse_args(arguments)
    if options.rules:
        sys.stdout.write(rules_page(CASES))
        return 0
    try:
        with _service(environment) as service:
            _check_access(service)
            results = list(run(CASES, service))
    except CannotRunError as error:
        sys.stderr.write(f"contract: {error}\n")
        return NOT_TOLD
    print_results(results, sys.stdout)
    version = importlib.metadata.version("target-stitch-import")
    url = "the emulator" if service.is_emulator else service.url
    try:
        write_json(results, options.output, url=url, version=version)
    except OSError as error:
        sys.stderr.write(f"contract: {options.output} can't be written: {error.strerror}\n")
        return NOT_TOLD
    sys.stdout.write(
        f"All of it is in {options.output}. docs/contract.md says what to do with it.\n"
    )
    if counts(results)["differs"]:
        return DIFFERS
    return NOT_TOLD if any(each.unanswered for each in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.contract",
        description=(
            "Test the contract of the Import API against an emulator, or against the service at "
            "CONTRACT_API_URL with the token in CONTRACT_TOKEN and, for push, the client ID in "
            "CONTRACT_CLIENT_ID. docs/contract.md explains it."
        ),
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=REPORT,
        metavar="FILE",
        help="where the results are written as JSON (default: %(default)s)",
    )
    parser.add_argument(
        "--rules", action="store_true", help="print the rules as Markdown, and run nothing"
    )
    return parser


@contextlib.contextmanager
def _service(environment: Mapping[str, str]) -> Iterator[Service]:
    """Give the service of the environment, or an emulator."""
    if not environment.get("CONTRACT_API_URL"):
        if environment.get("CONTRACT_TOKEN"):
            raise CannotRunError("CONTRACT_TOKEN is set, but CONTRACT_API_URL is not")
        with _emulator() as service:
            yield service
        return
    settings = _settings(environment)
    try:
        service = Service(**settings)
    except ValueError as error:
        raise CannotRunError(f"CONTRACT_API_URL and CONTRACT_TOKEN: {error}") from None
    with contextlib.closing(service):
        _ask(environment, service)
        yield service


@contextlib.contextmanager
def _emulator() -> Iterator[Service]:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_emulator(
            Path(folder) / "stitch.db", token=_TOKEN, client_id=_CLIENT_ID
        ) as emulator,
        contextlib.closing(Service(emulator.url, _TOKEN, _CLIENT_ID, is_emulator=True)) as service,
    ):
        yield service


def _settings(environment: Mapping[str, str]) -> dict[str, Any]:
    token = environment.get("CONTRACT_TOKEN", "")
    if not token:
        raise CannotRunError("CONTRACT_API_URL is set, but CONTRACT_TOKEN is not")
    client_id = environment.get("CONTRACT_CLIENT_ID", "")
    if client_id and not (client_id.isascii() and client_id.isdecimal()):
        raise CannotRunError("CONTRACT_CLIENT_ID is no number")
    return {
        "url": environment["CONTRACT_API_URL"],
        "token": token,
        "client_id": int(client_id) if client_id else None,
    }


def _ask(environment: Mapping[str, str], service: Service) -> None:
    """Say what is going to happen, and go on only with YES=1."""
    sent = [each.request for each in CASES if each.request is not None and not each.not_sent]
    most = ATTEMPTS * sum(map(rows, sent))
    sys.stdout.write(
        f"This posts {len(sent)} requests to {service.url}. Some are wrong on purpose. Even if all "
        f"were accepted, they would be at most {most} rows, all of them in tables whose names begin "
        f"with {PREFIX}. Delete these afterwards.\n"
    )
    if service.client_id is None:
        sys.stdout.write("CONTRACT_CLIENT_ID is not set: push is not tested.\n")
    sys.stdout.flush()
    if environment.get("YES") != "1":
        raise CannotRunError("nothing was sent. To go on, set YES=1: make contract YES=1")


def _check_access(service: Service) -> None:
    """Stop where no answer would tell anything: the service is down, or does not take the token.

    Raises:
        CannotRunError: it is so.
    """
    try:
        answer = service.send(_NOTHING)
    except NoAnswerError as error:
        raise CannotRunError(f"{service.url} can't be tested now: {error}") from None
    if answer.status in _NO_ACCESS:
        reason = service.redact(answer.text)
        raise CannotRunError(
            f"{service.url} answers {answer.status}: {reason}. Check CONTRACT_API_URL (the region), "
            "CONTRACT_TOKEN, and that the integration is not paused"
        )


if __name__ == "__main__":
    sys.exit(main(None, os.environ))
