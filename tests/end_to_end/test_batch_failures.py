"""BATCH messages whose files are slow, or can't be read."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.batches import batch, jsonl
from tests.support.messages import record, schema, state, tap_output
from tests.support.running import loaded, started, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import Service


def test_old_batches_are_sent_while_a_file_is_slow(service: Service, tmp_path: Path) -> None:
    # given a file that comes through a pipe
    path = tmp_path / "slow"
    os.mkfifo(path)
    config = service.config(max_batch_age_seconds=0.1)
    with started(config, tmp_path) as process:
        assert process.stdin is not None
        process.stdin.write(tap_output(schema(), batch(path), state({"at": 1})))
        process.stdin.close()
        # when it says nothing more behind a record
        with path.open("wb", buffering=0) as slow:
            slow.write(b'{"id": 1}\n')
            # then that is sent all the same
            wait_for(lambda: service.ids == [1])
            slow.write(b'{"id": 2}\n')
        # and the rest once it has come
        assert process.wait(60) == 0
    assert service.ids == [1, 2]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_in_good_order_while_a_file_is_read(
    signum: int, service: Service, tmp_path: Path
) -> None:
    # given a file that comes through a pipe, and says nothing more
    path = tmp_path / "slow"
    os.mkfifo(path)
    lines = tap_output(schema(), record({"id": 0}), state({"at": 1}), batch(path), state({"at": 2}))
    with started(service.config(max_batch_age_seconds=0.1), tmp_path) as process:
        assert process.stdin is not None
        process.stdin.write(lines)
        process.stdin.flush()
        with path.open("wb", buffering=0) as slow:
            slow.write(b'{"id": 1}\n')
            wait_for(lambda: 1 in service.ids)
            slow.write(b'{"id": 2}\n')
            # when the signal comes
            process.send_signal(signum)
            # then the run ends by it
            stdout, _ = process.communicate(timeout=60)
    # with the STATE from before the file, and not the one behind it
    assert process.returncode == 128 + signum
    assert stdout.splitlines() == [b'{"at": 1}']


# What can't be read


def spoilt(folder: Path) -> dict[str, tuple[str, str]]:
    """Return BATCH lines that can't be used, each with what is said of it."""
    whole = jsonl(folder / "whole.gz", *({"id": n, "name": f"{n}" * 50} for n in range(9_999)))
    cut = folder / "cut.gz"
    cut.write_bytes(whole.read_bytes()[:-20])
    (folder / "empty.gz").touch()
    no_json = jsonl(folder / "no.json", {"id": 1}, "hello")
    deep = jsonl(folder / "deep.json", "[" * 99_999)
    return {
        "missing": (batch(folder / "x"), "/x' can't be read: it does not exist; the tap must keep"),
        "a folder": (batch(folder), "can't be read: Is a directory"),
        "cut": (batch(cut, compression="gzip"), "can't be read: its gzip data is cut off or"),
        "empty": (batch(folder / "empty.gz", compression="gzip"), "it is empty, so it is not gzip"),
        "no JSON": (batch(no_json), "no.json', line 2: it is not JSON: "),
        "no JSON, with NaN": (
            batch(jsonl(folder / "nan", '{"id": "NaN"')),
            "nan', line 1: it is not JSON: ",
        ),
        "no JSON, with half a pair": (
            batch(jsonl(folder / "half", '{"id": "\\ud800"')),
            "half', line 1: it is not JSON: ",
        ),
        "deep": (batch(deep), "deep.json', line 1: it is nested too deeply"),
        "format": (batch("x", format="csv"), "have the format 'csv', and this target reads jsonl,"),
        "compression": (
            batch("x", compression="zstd"),
            "have the compression of jsonl 'zstd', and",
        ),
        "storage": (batch("gs://b/x"), "this target can't read from gs://: let the tap"),
        "no key": (batch("s3://b"), "an address in S3 has to be s3://BUCKET/KEY"),
        "no Parquet": (batch(no_json, format="parquet"), "not a parquet file"),
        "no schema": (batch("x", stream="other"), "BATCH of stream 'other' came before its SCHEMA"),
        "bad record": (
            batch(jsonl(folder / "bad", {"id": 1}, {"id": "x"})),
            'bad\', line 2: record of stream \'orders\' with key {"id":"x"}: it does not fit',
        ),
    }


@pytest.mark.parametrize(
    "case",
    [
        "missing",
        "a folder",
        "cut",
        "empty",
        "no JSON",
        "no JSON, with NaN",
        "no JSON, with half a pair",
        "deep",
        "format",
        "compression",
        "storage",
        "no key",
        "no Parquet",
        "no schema",
        "bad record",
    ],
)
def test_what_cant_be_read_is_told_and_what_came_before_is_delivered(
    case: str, service: Service, tmp_path: Path
) -> None:
    # given a BATCH message that can't be used, behind a record and its STATE
    line, reason = spoilt(tmp_path)[case]
    data = tap_output(schema(), record({"id": 0}), state({"at": 1}), line, state({"at": 2}))
    # when it is loaded
    states, error = loaded(service.config(), data)
    # then what came before is there, with its STATE, and the error says where it is and why
    assert states == [b'{"at": 1}']
    assert 0 in service.ids
    assert str(error).startswith("Line 4 of the input: ")
    assert reason in str(error)
