"""Records that can't be delivered are kept, as a Singer stream."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from target_stitch_import.delivery.quarantine import Quarantine
from target_stitch_import.errors import QuarantineError
from target_stitch_import.singer.messages import RecordMessage, SchemaMessage

if TYPE_CHECKING:
    from pathlib import Path

AT = "2024-01-01T00:00:00Z"


def schema(stream: str = "orders", text: bytes = b'{"properties": {}}') -> SchemaMessage:
    """Return what declares a stream."""
    return SchemaMessage(stream, msgspec.Raw(text), ["id"], ["at"])


def record(text: bytes = b'{"id": 1.10}', stream: str = "orders", **more: Any) -> RecordMessage:
    """Return a record of it."""
    return RecordMessage(stream, msgspec.Raw(text), **{"time_extracted": AT, **more})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "quarantine.singer"


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the messages in the file."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_record_is_kept_behind_its_schema_with_its_own_bytes(path: Path) -> None:
    # Given a quarantine, and a record with a version
    quarantine = Quarantine(str(path))
    # When it is set aside
    quarantine.add(schema(), record(version=3), "it lacks a key", 7)
    quarantine.close()
    # Then the file is a Singer stream
    declared, kept = lines(path)
    assert declared == {
        "type": "SCHEMA",
        "stream": "orders",
        "schema": {"properties": {}},
        "key_properties": ["id"],
        "bookmark_properties": ["at"],
    }
    assert kept == {
        "type": "RECORD",
        "stream": "orders",
        "record": {"id": 1.1},
        "error": "it lacks a key",
        "line": 7,
        "time_extracted": AT,
        "version": 3,
    }
    # and the record is byte for byte what it was
    assert b'"record":{"id": 1.10},' in path.read_bytes()


def test_a_record_without_a_time_gets_that_of_now(path: Path) -> None:
    quarantine = Quarantine(str(path))
    quarantine.add(schema(), record(time_extracted=None), "no", 1)
    quarantine.close()
    time = lines(path)[1]["time_extracted"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", time)


def test_a_schema_is_written_where_it_is_new(path: Path) -> None:
    quarantine = Quarantine(str(path))
    changed = schema(text=b'{"properties": {"x": {}}}')
    for declared in (schema(), schema(), changed, changed, schema("others"), changed):
        quarantine.add(declared, record(stream=declared.stream), "no", 1)
    quarantine.close()
    kinds = "".join(message["type"][0] for message in lines(path))
    assert kinds == "SRR" + "SRR" + "SR" + "R"
    assert dict(quarantine.counts) == {"orders": 5, "others": 1}


def test_a_later_run_adds_to_the_file(path: Path) -> None:
    for _ in range(2):
        quarantine = Quarantine(str(path))
        quarantine.add(schema(), record(), "no", 1)
        quarantine.close()
    assert [message["type"] for message in lines(path)] == ["SCHEMA", "RECORD"] * 2


def test_nothing_set_aside_leaves_no_file_and_no_word(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    quarantine = Quarantine(str(path))
    quarantine.sync()
    quarantine.close()
    assert not path.exists()
    assert caplog.records == []


def test_at_the_end_the_records_are_counted_by_stream(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    quarantine = Quarantine(str(path))
    for stream in ("orders", "others", "orders"):
        quarantine.add(schema(stream), record(stream=stream), f"no to {stream}", 1)
    quarantine.close()
    lines_logged = [entry.getMessage() for entry in caplog.records]
    # the first of each stream, and the sum
    assert lines_logged[:2] == [
        f"Set aside in {path}: no to {stream}" for stream in ("orders", "others")
    ]
    assert lines_logged[2].startswith("3 records were set aside (2 of 'orders', 1 of 'others') in ")


@pytest.mark.parametrize("most", [0, 1, 3])
def test_more_than_are_permitted_fail(path: Path, most: int) -> None:
    quarantine = Quarantine(str(path), max_records=most)
    for _ in range(most):
        quarantine.add(schema(), record(), "no", 1)
    with pytest.raises(
        QuarantineError, match=f"Line 1 of the input: no. And {most} records are set aside already"
    ):
        quarantine.add(schema(), record(), "no", 1)
    quarantine.close()
    kept = lines(path) if most else []
    assert len([message for message in kept if message["type"] == "RECORD"]) == most


@pytest.mark.parametrize("cut", range(1, 90))
def test_half_a_line_that_a_crash_left_is_cut_off(path: Path, cut: int) -> None:
    # Given a file whose last line has no end
    quarantine = Quarantine(str(path))
    quarantine.add(schema(), record(), "no", 1)
    quarantine.close()
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[1][:cut])
    # When another record is set aside
    quarantine = Quarantine(str(path))
    quarantine.add(schema("others"), record(stream="others"), "no", 1)
    quarantine.close()
    # Then every line can be read
    assert [message["stream"] for message in lines(path)] == ["orders"] * 2 + ["others"] * 2


@pytest.mark.parametrize(
    "tail", [b'{"type":"RECORD","stream":"orders","record":{}}', b"not ours", b'{"a": 1}']
)
def test_a_last_line_that_is_no_half_of_ours_is_ended(path: Path, tail: bytes) -> None:
    # Given a line that a person has written, without its end
    path.write_bytes(b"{}\n" + tail)
    quarantine = Quarantine(str(path))
    quarantine.add(schema(), record(), "no", 1)
    quarantine.close()
    # Then it stays, and what is added begins in a line of its own
    assert path.read_bytes().startswith(b"{}\n" + tail + b'\n{"type":"SCHEMA"')


def test_a_half_line_longer_than_what_is_read_at_once_is_cut_off(path: Path) -> None:
    path.write_bytes(b'{}\n{"type":"RECORD","x":"' + b"x" * 200_000)
    quarantine = Quarantine(str(path))
    quarantine.add(schema(), record(), "no", 1)
    quarantine.close()
    assert len(lines(path)) == 3


def test_what_is_set_aside_is_forced_to_disk_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[int] = []
    quarantine = Quarantine(str(path))
    quarantine.add(schema(), record(), "no", 1)
    monkeypatch.setattr(os, "fsync", forced.append)
    quarantine.sync()
    quarantine.sync()
    assert len(forced) == 1
    quarantine.add(schema(), record(), "no", 1)
    quarantine.sync()
    assert len(forced) == 2
    quarantine.close()


def test_what_could_not_be_forced_to_disk_is_never_considered_safe(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a disk that fails once
    quarantine = Quarantine(str(path))
    quarantine.add(schema(), record(), "no", 1)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(QuarantineError, match="No space left"):
            quarantine.sync()
    # When it would say that all is well
    # Then that is not believed
    with pytest.raises(QuarantineError, match="No space left"):
        quarantine.sync()
    quarantine.close()


def test_a_full_disk_is_reported_with_the_setting(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quarantine = Quarantine(str(path))

    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(QuarantineError, match=r"No space left .* setting quarantine_path"):
        quarantine.add(schema(), record(), "no", 1)


def test_a_write_that_takes_a_part_is_gone_on_with(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, bytes(data)[:10]))
    quarantine = Quarantine(str(path))
    quarantine.add(schema(), record(), "no", 1)
    quarantine.close()
    assert len(lines(path)) == 2


def test_half_a_line_that_a_full_disk_leaves_is_cut_off(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a disk that is full in the middle of a line
    quarantine = Quarantine(str(path))
    quarantine.add(schema(), record(), "no", 1)
    before = path.read_bytes()
    write, room = os.write, iter([10])

    def write_some(file: int, data: bytes) -> int:
        if (size := next(room, 0)) == 0:
            raise OSError(28, "No space left on device")
        return write(file, bytes(data)[:size])

    monkeypatch.setattr(os, "write", write_some)
    # when a record can't be written as a whole
    with pytest.raises(QuarantineError, match="No space left"):
        quarantine.add(schema(), record(), "no", 2)
    # then the file is as it was before, and what comes later is a line of its own
    assert path.read_bytes() == before
    monkeypatch.undo()
    quarantine.add(schema(), record(), "no", 3)
    quarantine.close()
    assert len(lines(path)) == 3


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("nowhere/q.singer", "the folder .*nowhere does not exist"),
        (".", "it is not a regular file"),
    ],
)
def test_a_path_that_can_not_be_written_is_refused_at_the_start(
    tmp_path: Path, place: str, reason: str
) -> None:
    with pytest.raises(QuarantineError, match=reason):
        Quarantine(str(tmp_path / place))


@pytest.mark.parametrize("exists", [True, False])
def test_a_path_without_permission_is_refused_at_the_start(
    path: Path, exists: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if exists:
        path.write_bytes(b"")

    def fail(*_: object) -> int:
        raise PermissionError(13, "Permission denied")  # the tests may run as root

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(QuarantineError, match=r"Permission denied.* setting quarantine_path"):
        Quarantine(str(path))


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_a_name_that_no_file_can_have_is_refused_at_the_start(tmp_path: Path, name: str) -> None:
    with pytest.raises(QuarantineError, match="Check the setting quarantine_path"):
        Quarantine(str(tmp_path / name))


def test_the_input_of_a_run_is_not_added_to(path: Path) -> None:
    # Given a quarantine that is being loaded again
    path.write_bytes(b"{}\n")
    with path.open("rb") as source:
        quarantine = Quarantine(str(path), input_fd=source.fileno())
        # When a record of it has to be set aside once more
        with pytest.raises(QuarantineError, match="it is the input of this run"):
            quarantine.add(schema(), record(), "no", 1)
        quarantine.close()
    # Then the file has not grown
    assert path.read_bytes() == b"{}\n"
