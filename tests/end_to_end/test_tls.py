"""Over TLS, as the service is reached in the world."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.support.messages import record, schema, tap_output
from tests.support.running import piped
from tests.support.service import running_service

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def authority() -> trustme.CA:
    """Return somebody who issues certificates."""
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """Return the service's side, with a certificate for the loopback address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_small_and_large_bodies_arrive_over_tls(
    authority: trustme.CA, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    # given a service with a certificate that this machine trusts
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    records = [f'{{"id": {place}, "name": "{place:0790d}"}}' for place in range(20_000)]
    # when 16 MB of one stream and a record of another are loaded
    with running_service(tls=tls) as service:
        note = [schema("notes"), record('{"id": -1}', "notes")]
        data = tap_output(schema(), *map(record, records), *note)
        trusted = {"REQUESTS_CA_BUNDLE": str(tmp_path / "authority.pem")}
        run = piped(service.config(), tmp_path, data, **trusted)
    # then each record is there once, to the byte, be its body large or small
    assert run.exit_code == 0, run.stderr
    taken = [each for request in service.requests for each in request.records]
    assert sorted(taken) == sorted(each.encode() for each in [*records, '{"id": -1}'])
    assert {len(request.body) > 1 << 20 for request in service.requests} == {True, False}
    # over a few connections that are kept
    assert len({request.connection for request in service.requests}) <= 4


def test_a_service_that_is_not_trusted_is_sent_nothing(tls: ssl.SSLContext, tmp_path: Path) -> None:
    # given a certificate of somebody whom this machine does not know
    with running_service(tls=tls) as service:
        # when a record is loaded
        run = piped(service.config(), tmp_path, tap_output(schema(), record({"id": 1})))
    # then the run fails at once and says why, and nothing was sent
    assert run.exit_code == 1
    assert f"{service.url} is not trusted" in run.last_line
    assert service.requests == []
