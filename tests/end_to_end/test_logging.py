"""What the target says on stderr: as JSON, at a level, and its metrics."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import read_table
from tests.support.messages import record, schema, state, tap_output
from tests.support.running import piped
from tests.support.service import ACCEPTED, running_service

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Service, ServiceResponse

SECRET = "what-the-record-holds"
LINES = [schema(), *(record({"id": place, "name": SECRET}) for place in range(25))]
GOOD = tap_output(*LINES, state({"at": 25}))
BAD = tap_output(*LINES, record({"id": 99, "name": [SECRET]}))


def log_config(folder: Path, **loggers: Any) -> str:
    """Write a logging config that makes each line a JSON object; return its path."""
    path = folder / "logging.yml"  # YAML, of which JSON is a part
    handler = {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}
    metrics = {"class": "logging.FileHandler", "formatter": "json", "delay": True}
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "singer_sdk.logging.StructuredFormatter"}},
        "handlers": {
            "stderr": handler,
            "metrics": {**metrics, "filename": str(folder / "metrics.log")},
        },
        "root": {"level": "INFO", "handlers": ["stderr"]},
        "loggers": loggers,
    }
    path.write_text(json.dumps(config))
    return str(path)


def metrics_in(stderr: str, name: str = "record_count") -> list[dict[str, Any]]:
    """Return the metrics of a name among the lines of a log."""
    lines = [line.partition("METRIC: ")[2] for line in stderr.splitlines()]
    return [metric for metric in map(json.loads, filter(None, lines)) if metric["metric"] == name]


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
@pytest.mark.parametrize(("data", "exit_code"), [(GOOD, 0), (BAD, 1)], ids=["good", "bad"])
def test_every_line_of_a_structured_log_is_json_without_secrets(
    level: str, data: bytes, exit_code: int, service: Service, tmp_path: Path
) -> None:
    # given a logging config with the SDK's structured formatter
    env = {"SINGER_SDK_LOG_CONFIG": log_config(tmp_path), "LOGLEVEL": level}
    # when a run ends well, and when one ends badly
    run = piped(service.config(), tmp_path, data, **env)
    # then each line on stderr is a JSON object with a level and a message
    assert run.exit_code == exit_code, run.stderr
    lines = [json.loads(line) for line in run.stderr.splitlines()]
    assert all(line["message"] for line in lines)
    levels = {line["level"] for line in lines}
    assert ("critical" in levels) == bool(exit_code)
    # and neither the token nor what is in a record is in any
    assert "secret-token" not in run.stderr
    assert SECRET not in run.stderr


def test_a_structured_log_has_the_metrics_as_fields(service: Service, tmp_path: Path) -> None:
    # given a structured log
    env = {"SINGER_SDK_LOG_CONFIG": log_config(tmp_path)}
    # when records are loaded
    run = piped(service.config(), tmp_path, GOOD, **env)
    # then their count is a field, and no text to be taken apart
    lines = [json.loads(line) for line in run.stderr.splitlines()]
    metrics = [line["metric_info"] for line in lines if line["message"] == "METRIC"]
    assert {each["metric"] for each in metrics} == {"record_count", "batch_processing_time"}
    (count,) = [each for each in metrics if each["metric"] == "record_count"]
    assert (count["value"], count["tags"]["stream"]) == (25, "orders")


def test_a_table_is_counted_once_also_if_the_run_fails_at_its_end(
    service: Service, tmp_path: Path
) -> None:
    # given a stream that loads, and one that has neither columns nor records
    empty = '{"type": "SCHEMA", "stream": "none", "schema": {}, "key_properties": []}'
    run = piped(service.config(), tmp_path, GOOD + f"{empty}\n".encode())
    # then the run fails once all is delivered, and the records are counted once
    assert run.exit_code == 1
    assert len([each for each in metrics_in(run.stderr) if each["tags"]["stream"] == "orders"]) == 1


def test_metrics_can_go_to_a_file_of_their_own(service: Service, tmp_path: Path) -> None:
    # given a logging config that keeps metrics apart
    apart = {"handlers": ["metrics"], "propagate": False}
    env = {"SINGER_SDK_LOG_CONFIG": log_config(tmp_path, **{"singer_sdk.metrics": apart})}
    # when records are loaded
    run = piped(service.config(), tmp_path, GOOD, **env)
    # then they are in that file alone
    assert run.exit_code == 0, run.stderr
    assert "record_count" not in run.stderr
    assert "record_count" in (tmp_path / "metrics.log").read_text()


def test_the_record_counts_are_what_was_sent(emulator: Emulator, tmp_path: Path) -> None:
    # given two streams in many batches, one of them filtered, and also loaded into another table
    maps = {
        "orders": {"__filter__": "id < 20"},
        "copy": {"__source__": "orders", "__filter__": "id < 3"},
    }
    config = {
        "token": "t",
        "api_url": emulator.url,
        "batch_size_rows": 4,
        "stream_maps": maps,
    }
    other = [schema("other"), *(record({"id": place}, "other") for place in range(7))]
    # when they are loaded
    run = piped(config, tmp_path, tap_output(*LINES, *other))
    # then the counts of each table add up to its rows
    assert run.exit_code == 0, run.stderr
    counts: Counter[str] = Counter()
    for metric in metrics_in(run.stderr):
        assert metric["type"] == "counter"
        counts[metric["tags"]["stream"]] += metric["value"]
    rows = {name: len(read_table(emulator.database, name)) for name in counts}
    assert dict(counts) == rows == {"orders": 20, "copy": 3, "other": 7}
    # and each batch has its time
    times = metrics_in(run.stderr, "batch_processing_time")
    batches = Counter(each["tags"]["stream"] for each in times)
    assert batches == {"orders": 5, "copy": 1, "other": 2}
    assert {(each["type"], each["tags"]["status"]) for each in times} == {("timer", "succeeded")}
    assert all(each["value"] > 0 for each in times)


def test_what_is_set_aside_is_not_counted(service: Service, tmp_path: Path) -> None:
    # given a bad record among good ones, and a quarantine
    path = str(tmp_path / "quarantine.singer")
    config = service.config(on_invalid_record="quarantine", quarantine_path=path)
    # when they are loaded
    run = piped(config, tmp_path, BAD)
    # then only what was sent is counted
    assert run.exit_code == 0, run.stderr
    assert [metric["value"] for metric in metrics_in(run.stderr)] == [25]
    assert len(service.ids) == 25


@pytest.mark.parametrize(
    ("env", "reported"),
    [
        ({}, True),
        ({"LOGLEVEL": "WARNING"}, False),
        ({"TARGET_STITCH_IMPORT_LOGLEVEL": "warning"}, False),
        ({"LOGLEVEL": "WARNING", "TARGET_STITCH_IMPORT_LOGLEVEL": "INFO"}, True),
    ],
    ids=str,
)
def test_the_level_of_the_log_holds_for_metrics(
    env: dict[str, str], reported: bool, service: Service, tmp_path: Path
) -> None:
    # given a level in the environment; the target's own wins over the one of all plugins
    # when records are loaded
    run = piped(service.config(), tmp_path, GOOD, **env)
    # then metrics and the rest are there, or nothing is
    assert run.exit_code == 0
    assert bool(metrics_in(run.stderr)) == reported
    assert bool(run.stderr) == reported


HOSTILE = "\x1b[2J\x07\x9b1m\u202e\u2028\r\n2026-01-01 CRITICAL forged"


def hostile_runs() -> dict[str, tuple[bytes, ServiceResponse]]:
    """Return an input and an answer that bring a hostile text into the log, by where it stands."""
    good = tap_output(schema(), record({"id": 1}))
    ids = {"id": {"type": "string"}}
    answer = json.dumps({"message": HOSTILE}).encode()
    enum = {"id": {"type": "integer"}, "a": {"enum": [HOSTILE]}}
    reserved = {"id": {"type": "integer"}, f"_sdc_batched_at{HOSTILE}": {}}
    return {
        "column": (
            tap_output(
                schema(properties={**enum, HOSTILE: {"type": "integer"}}),
                record({"id": 1, HOSTILE: "x"}),
            ),
            ACCEPTED,
        ),
        "key": (
            tap_output(
                schema(properties={**ids, "a": {"type": "null"}}), record({"id": HOSTILE, "a": 1})
            ),
            ACCEPTED,
        ),
        "enum": (tap_output(schema(properties=enum), record({"id": 1, "a": 1})), ACCEPTED),
        "stream": (
            tap_output(schema(HOSTILE, properties=reserved), record({"id": 1}, HOSTILE)),
            ACCEPTED,
        ),
        "answer": (good, (400, answer, {})),
        "location": (good, (302, b"", {"Location": "/\x1b[2J\x07\x9b1m forged"})),
    }


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
@pytest.mark.parametrize("place", hostile_runs())
def test_what_is_logged_is_printable(place: str, level: str, tmp_path: Path) -> None:
    # given a text with what a terminal acts on, and with a line of a log, in names, values or answers
    data, answer = hostile_runs()[place]
    # when a run logs it
    with running_service(lambda _: answer) as service:
        run = piped(service.config(max_retry_seconds=1), tmp_path, data, LOGLEVEL=level)
    # then nothing of it is there but as escapes, and it makes no line of its own
    assert "forged" in run.stderr
    assert all(line.isprintable() for line in run.stderr.split("\n"))
    assert not any(line.startswith("2026-01-01 CRITICAL forged") for line in run.stderr.split("\n"))
