"""The limit: reads stdin and posts the same bytes, looking at nothing of them."""

from __future__ import annotations

import argparse
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = 4_000_000
HEADERS = {"Authorization": "Bearer bench", "Content-Type": "application/json"}


def bodies() -> Iterator[bytes]:
    """Yield what comes from stdin in pieces of the size of a full batch."""
    while body := sys.stdin.buffer.read(BODY):
        yield body


def post(session: requests.Session, url: str, body: bytes) -> None:
    """Post one body."""
    session.post(url, data=body, headers=HEADERS, timeout=60).raise_for_status()


def pump(url: str, parallel: int) -> None:
    """Post everything, ``parallel`` bodies at a time."""
    with requests.Session() as session, ThreadPoolExecutor(parallel) as pool:
        session.trust_env = False
        pending: deque[Future[None]] = deque()
        for body in bodies():
            if parallel == 1:
                post(session, url, body)
                continue
            if len(pending) >= parallel:
                pending.popleft().result()
            pending.append(pool.submit(post, session, url, body))
        for future in pending:
            future.result()


def main() -> int:
    """Pump."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--parallel", type=int, default=1)
    options = parser.parse_args()
    pump(options.url + "/v2/import/batch", options.parallel)
    return 0


if __name__ == "__main__":
    sys.exit(main())
