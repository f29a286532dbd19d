"""What machines read of a run: its log as JSON, and the file of its numbers."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.support.messages import record, schema, state, tap_output
from tests.support.running import Run, piped
from tests.support.service import ACCEPTED, HANG_UP, ServiceResponse

if TYPE_CHECKING:
    from tests.support.service import Service

PAGES = Path(__file__).parents[2] / "docs"
LINES = [schema(), *(record({"id": place}) for place in range(5)), state({"at": 5})]
GOOD = tap_output(*LINES)
BAD = tap_output(*LINES, record({"id": "x"}))
COUNTS = {"records", "bytes", "requests", "retries", "quarantined", "normalized"}
VARIABLE = "TARGET_STITCH_IMPORT_LOG_FORMAT"


def events(run: Run, name: str | None = None) -> list[dict[str, Any]]:
    """Return the events of a run, of a name or of any; each line of its log is an object."""
    lines = [json.loads(line) for line in run.stderr.splitlines()]
    found = [{**line["extra"], **line} for line in lines if "event_name" in line["extra"]]
    return [event for event in found if name in (None, event["event_name"])]


def answers(service: Service, *first: ServiceResponse) -> None:
    """Let the service give these answers, and then accept."""
    remaining = iter(first)
    service.answer = lambda _: next(remaining, ACCEPTED)


def test_a_run_that_completes_has_events_with_one_run_id(service: Service, tmp_path: Path) -> None:
    # given a log as JSON, and small batches
    config = service.config(log_format="json", batch_size_rows=2)
    # when two runs load records
    first, second = (piped(config, tmp_path, GOOD) for _ in range(2))
    # then each has an event for each batch, and the summaries
    assert first.exit_code == 0, first.stderr
    names = [event["event_name"] for event in events(first)]
    assert names == ["batch_delivered"] * 3 + ["stream_summary", "run_summary"]
    delivered = events(first, "batch_delivered")
    assert {event["stream_name"] for event in delivered} == {"orders"}
    assert sorted(event["batch"] for event in delivered) == [1, 2, 3]
    assert all(event["attempts"] == 1 and event["seconds"] >= 0 for event in delivered)
    # and the numbers of the batches add up to those of the run
    (summary,) = events(first, "run_summary")
    for count in ("records", "bytes"):
        assert sum(event[count] for event in delivered) == summary[count] > 0
    # and all lines of a run have its ID, which no other has
    run_ids = [{json.loads(line)["extra"]["run_id"] for line in run.stderr.splitlines()}
               for run in (first, second)]  # fmt: skip
    assert [len(each) for each in run_ids] == [1, 1]
    assert run_ids[0] != run_ids[1]


def test_a_retry_is_an_event_with_the_answer(service: Service, tmp_path: Path) -> None:
    # given a service that fails twice, once without an answer
    answers(service, (503, b'{"message": "not now"}', {}), HANG_UP)
    # when records are loaded
    run = piped(service.config(log_format="json"), tmp_path, GOOD)
    # then each failure is an event, and the batch says how many attempts it took
    assert run.exit_code == 0, run.stderr
    retries = events(run, "retry")
    assert [event["status"] for event in retries] == [503, None]
    assert [event["attempts"] for event in retries] == [1, 2]
    assert retries[0]["reason"] == "503 not now"
    assert all(event["stream_name"] == "orders" and event["retryable"] for event in retries)
    assert all(event["wait_seconds"] >= 0 and event["in_flight"] == 1 for event in retries)
    assert [event["attempts"] for event in events(run, "batch_delivered")] == [3]


@pytest.mark.parametrize(
    ("answer", "retryable"),
    [
        ((401, b'{"message": "Unauthorized"}', {}), False),
        ((503, b'{"message": "not now"}', {}), True),
    ],
    ids=["401", "503"],
)
def test_a_run_that_fails_says_whether_it_may_be_tried_again(
    answer: ServiceResponse, retryable: bool, service: Service, tmp_path: Path
) -> None:
    # given a service that never accepts, and no time for retries
    service.answer = lambda _: answer
    # when records are loaded
    run = piped(service.config(log_format="json", max_retry_seconds=0), tmp_path, GOOD)
    # then the last event has the table, the status and the reason, and what was loaded all the same
    assert run.exit_code != 0
    failed = events(run)[-1]
    assert (failed["event_name"], failed["level"]) == ("run_failed", "critical")
    assert (failed["stream_name"], failed["status"]) == ("orders", answer[0])
    assert failed["retryable"] is retryable
    assert failed["reason"] == failed["message"]
    assert failed.keys() >= COUNTS
    assert (failed["records"], failed["requests"]) == (0, 1)


def test_a_bad_record_names_its_stream(service: Service, tmp_path: Path) -> None:
    run = piped(service.config(log_format="json"), tmp_path, BAD)
    (failed,) = events(run, "run_failed")
    assert (failed["stream_name"], failed["status"], failed["retryable"]) == ("orders", None, False)
    assert failed["reason"].startswith("Line 8 of the input: record of stream 'orders'")
    assert failed["records"] == 5


def test_a_bad_record_names_its_stream_although_the_service_fails_too(
    service: Service, tmp_path: Path
) -> None:
    service.answer = lambda _: (401, b"{}", {})
    run = piped(service.config(log_format="json"), tmp_path, BAD)
    (failed,) = events(run, "run_failed")
    assert (failed["stream_name"], failed["retryable"]) == ("orders", False)
    assert "And what came before:" in failed["reason"]


def test_a_warning_about_a_stream_names_it(service: Service, tmp_path: Path) -> None:
    # given NaN, a column that Stitch itself writes, and a name that the destination rejects
    columns = {"id": {"type": "integer"}, "v": {"type": ["null", "number"]}, "x__st": {}}
    lines = [schema(properties=columns), record('{"id": 1, "v": NaN, "_sdc_batched_at": 1}')]
    # when they are loaded
    config = service.config(log_format="json", destination="redshift")
    run = piped(config, tmp_path, tap_output(*lines))
    # then each of the three warnings has the stream
    assert run.exit_code == 0, run.stderr
    warnings = [json.loads(line) for line in run.stderr.splitlines() if '"warning"' in line]
    assert [each["stream_name"] for each in warnings] == ["orders"] * 3


def test_a_message_without_a_schema_names_its_stream(service: Service, tmp_path: Path) -> None:
    bad = b'{"type": "ACTIVATE_VERSION", "stream": "orders", "version": 1}\n'
    run = piped(service.config(log_format="json"), tmp_path, bad)
    (failed,) = events(run, "run_failed")
    assert (failed["stream_name"], failed["retryable"]) == ("orders", False)


def test_a_record_that_is_set_aside_is_an_event(service: Service, tmp_path: Path) -> None:
    # given two bad records, and a quarantine
    path = tmp_path / "quarantine.singer"
    settings = {"on_invalid_record": "quarantine", "quarantine_path": str(path)}
    config = service.config(log_format="json", **settings)
    # when they are loaded
    run = piped(config, tmp_path, BAD + tap_output(record({"id": "y"})))
    # then the first is an event, and the summary has both
    (aside,) = events(run, "set_aside")
    assert (aside["stream_name"], aside["line"], aside["retryable"]) == ("orders", 8, False)
    assert "record of stream 'orders'" in aside["reason"]
    assert (aside["quarantine_path"], aside["status"]) == (str(path), None)
    assert [event["quarantined"] for event in events(run, "run_summary")] == [2]


def test_a_record_that_the_service_refuses_is_an_event_with_its_status(
    service: Service, tmp_path: Path
) -> None:
    # given a service that refuses the first record
    answers(service, (422, b'{"message": "Record 0 did not conform to schema: #/id: no"}', {}))
    settings = {"on_invalid_record": "quarantine", "quarantine_path": str(tmp_path / "q.singer")}
    # when a tap is loaded
    run = piped(service.config(log_format="json", **settings), tmp_path, GOOD)
    # then the event has the HTTP status
    assert run.exit_code == 0, run.stderr
    (aside,) = events(run, "set_aside")
    assert (aside["status"], aside["line"], aside["retryable"]) == (422, 2, False)


def test_wrong_settings_are_events_too(service: Service, tmp_path: Path) -> None:
    # given two wrong settings beside that of the log
    config = service.config(log_format="json", region="mars", batch_size_rows=0)
    # when the target is run
    run = piped(config, tmp_path, GOOD)
    # then each is an event
    failed = events(run, "run_failed")
    assert [event["reason"].split()[1].rstrip(":") for event in failed] == [
        "region",
        "batch_size_rows",
    ]
    assert not any(event["retryable"] for event in failed)


def test_the_variable_holds_while_the_settings_are_read(tmp_path: Path) -> None:
    # given a config file that is none, and the variable
    path = tmp_path / "other.json"
    path.write_text("no JSON")
    # when the target is run, then even that is said as JSON
    run = piped({}, tmp_path, GOOD, "--config", str(path), **{VARIABLE: "json"})
    assert run.exit_code == 1
    (line,) = [json.loads(line) for line in run.stderr.splitlines()]
    assert (line["level"], line["extra"]["event_name"]) == ("critical", "run_failed")
    assert str(path) in line["message"]


def test_a_log_for_people_has_no_line_for_each_batch(service: Service, tmp_path: Path) -> None:
    run = piped(service.config(batch_size_rows=2), tmp_path, GOOD)
    assert run.exit_code == 0
    assert "Completed" in run.stderr or "completed" in run.stderr
    assert "Delivered batch" not in run.stderr


def metrics_in(path: Path) -> dict[tuple[str, str | None], float]:
    """Return the values of a metrics file by name and stream; all are of the pipeline of its name."""
    found = {}
    for family in text_string_to_metric_families(path.read_text()):  # type: ignore[no-untyped-call]
        for sample in family.samples:
            assert sample.labels["pipeline"] == path.stem
            name = sample.name.removeprefix("target_stitch_import_last_")
            found[name, sample.labels.get("stream")] = sample.value
    return found


def test_the_numbers_of_a_run_are_in_a_file(service: Service, tmp_path: Path) -> None:
    # given a file for metrics, and two streams
    path = tmp_path / "shop.prom"
    config = service.config(metrics_path=str(path))
    odd = 'a "quoted"\\name\n'
    data = GOOD + tap_output(schema(odd), record({"id": 1}, odd))
    # when they are loaded
    assert piped(config, tmp_path, data).exit_code == 0
    # then it has the numbers of each, under the name of the stream whatever that is
    metrics = metrics_in(path)
    assert metrics["run_success", None] == 1
    assert (metrics["run_records", "orders"], metrics["run_records", odd]) == (5, 1)
    assert metrics["run_requests", "orders"] == 1
    # whose body is the largest, whichever of the two arrives first
    assert metrics["run_bytes", "orders"] == max(len(sent.body) for sent in service.requests)
    assert metrics["run_timestamp_seconds", None] == metrics["success_timestamp_seconds", None]
    assert metrics["run_duration_seconds", None] > 0
    # and nothing else is left
    assert sorted(each.name for each in tmp_path.iterdir()) == ["config.json", "shop.prom"]


def test_a_failed_run_keeps_the_time_of_the_last_success(service: Service, tmp_path: Path) -> None:
    # given a run that fails before any has succeeded
    path = tmp_path / "shop.prom"
    config = service.config(metrics_path=str(path))
    piped(config, tmp_path, BAD)
    assert metrics_in(path)["success_timestamp_seconds", None] == 0
    # when one succeeds, and another fails
    piped(config, tmp_path, GOOD)
    success = metrics_in(path)["success_timestamp_seconds", None]
    piped(config, tmp_path, BAD)
    # then the file is of the last, and has the time of the one that succeeded
    metrics = metrics_in(path)
    assert metrics["run_success", None] == 0
    assert metrics["success_timestamp_seconds", None] == success > 0
    assert metrics["run_timestamp_seconds", None] > success


def test_a_file_that_cant_be_written_fails_no_run(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "gone" / "shop.prom"
    run = piped(service.config(metrics_path=str(path)), tmp_path, GOOD)
    assert run.exit_code == 0
    assert f"The metrics file {path} can't be written: No such file or directory." in run.stderr


@pytest.mark.parametrize("name", ["shop\0.prom", "caf\udce9.prom"])
def test_a_path_that_can_be_none_fails_no_run(name: str, service: Service, tmp_path: Path) -> None:
    run = piped(service.config(metrics_path=name), tmp_path, GOOD)
    assert run.exit_code == 0
    assert "can't be written" in run.stderr


def test_a_run_that_can_not_begin_is_in_the_file_too(service: Service, tmp_path: Path) -> None:
    # given the file of a run that succeeded
    path = tmp_path / "shop.prom"
    config = service.config(metrics_path=str(path))
    piped(config, tmp_path, GOOD)
    # when the next one fails at its start
    quarantine = {"on_invalid_record": "quarantine", "quarantine_path": str(tmp_path / "no" / "q")}
    assert piped({**config, **quarantine}, tmp_path, GOOD).exit_code == 1
    # then nobody is told that all is well
    assert metrics_in(path)["run_success", None] == 0


def test_a_link_or_a_pipe_stays_what_it_is(service: Service, tmp_path: Path) -> None:
    # given a link to a file elsewhere, and a pipe that somebody reads
    link, pipe = tmp_path / "shop.prom", tmp_path / "pipe.prom"
    link.symlink_to(tmp_path / "elsewhere.prom")
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    # when the numbers of a run go there
    for path in (link, pipe):
        assert piped(service.config(metrics_path=str(path)), tmp_path, GOOD).exit_code == 0
    # then both are still there, and have them
    assert link.is_symlink()
    assert metrics_in(link)["run_success", None] == 1
    assert pipe.is_fifo()
    assert b"run_success" in os.read(reader, 1 << 16)
    os.close(reader)


def test_a_file_that_is_no_metrics_is_replaced(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "shop.prom"
    path.write_text("not\tmetrics {")
    piped(service.config(metrics_path=str(path)), tmp_path, BAD)
    assert metrics_in(path)["success_timestamp_seconds", None] == 0


def test_the_page_on_alerts_has_metrics_and_fields_that_are_there(
    service: Service, tmp_path: Path
) -> None:
    # given the rules of the page, and what it names
    page = (PAGES / "alerts.md").read_text()
    snippets = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    rules = [rule for text in snippets for rule in yaml.safe_load(text)["groups"][0]["rules"]]
    assert len(rules) == 5
    named = set(re.findall(r"\btarget_stitch_import_\w+", page))
    # when a run fails, and another succeeds
    path = tmp_path / "shop.prom"
    config = service.config(metrics_path=str(path), log_format="json")
    failed, good = (piped(config, tmp_path, data) for data in (BAD, GOOD))
    # then what it names is there
    assert named == {
        name for name in named if re.search(rf"^{name}{{", path.read_text(), re.MULTILINE)
    }
    found = {f"{key}" for event in [*events(failed), *events(good)] for key in event}
    assert set(re.findall(r"extra[._](\w+)", page)) <= found
