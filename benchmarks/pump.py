"""The limit: reads stdin and posts the same bytes, looking at nothing of them.

Its arguments are the service's URL, and how many requests are sent at a time.
"""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import requests

BODY = 4_000_000
HEADERS = {"Authorization": "Bearer bench", "Content-Type": "application/json"}


def post(session: requests.Session, url: str, body: bytes) -> None:
    """Post one body."""
    session.post(url, data=body, headers=HEADERS, timeout=60).raise_for_status()


def pump(url: str, parallel: int) -> None:
    """Post everything in pieces of the size of a full batch, ``parallel`` at a time."""
    with requests.Session() as session, ThreadPoolExecutor(parallel) as pool:
        session.trust_env = False
        pending: deque[Future[None]] = deque()
        while body := sys.stdin.buffer.read(BODY):
            if parallel == 1:
                post(session, url, body)
                continue
            if len(pending) >= parallel:
                pending.popleft().result()
            pending.append(pool.submit(post, session, url, body))
        for future in pending:
            future.result()


if __name__ == "__main__":
    pump(sys.argv[1] + "/v2/import/batch", int(sys.argv[2]))
