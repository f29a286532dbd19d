"""How far a run is, and what it has come to: on a terminal, in a log, for machines."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
from collections import Counter
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.batches.splitting import count_by_table
from target_stitch_import.emulator import running_emulator
from tests.support.messages import activate, record, schema, state, tap_output
from tests.support.running import COMMAND, environment, piped, started
from tests.support.service import ACCEPTED, running_service
from tests.support.terminal import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.running import Run
    from tests.support.service import Request, Service, ServiceResponse

OFTEN = """
from target_stitch_import.reporting import reporter as telling
telling.LOG_SECONDS = 0.05
from target_stitch_import.cli import main
main()
"""
STRUCTURED = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "singer_sdk.logging.StructuredFormatter"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "stream": "ext://sys.stderr",
        }
    },
    "root": {"level": "INFO", "handlers": ["stderr"]},
}
ITEMS = schema("items", {"sku": {"type": "string"}}, ["sku"])
LINES = [
    schema(),
    ITEMS,
    schema("empty"),
    *(
        line
        for place in range(20)
        for line in (record({"id": place}), record({"sku": f"s{place}"}, "items"))
    ),
    state({"at": 1}),
]


def structured(folder: Path) -> dict[str, str]:
    """Return the environment in which the log is JSON."""
    path = folder / "logging.yml"
    path.write_text(json.dumps(STRUCTURED))  # which is YAML, too
    return {"SINGER_SDK_LOG_CONFIG": str(path)}


def events(stderr: str) -> list[dict[str, Any]]:
    """Return what was told to machines."""
    lines = [json.loads(line) for line in stderr.splitlines()]
    return [line for line in lines if "event_name" in line["extra"]]


def summary(stderr: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return each stream's fields, and those of the run."""
    found = events(stderr)
    streams = [line for line in found if line["extra"]["event_name"] == "stream_summary"]
    (run,) = (line["extra"] for line in found if line["extra"]["event_name"] == "run_summary")
    return {line["stream_name"]: line["extra"] for line in streams}, run


ENDS = ("Completed", "Failed: ", "Nothing to load: ")


def reported(run: Run) -> list[str]:
    """Return the messages of the summary."""
    messages = [line.rpartition(" | ")[2] for line in run.stderr.splitlines()]
    return [text for text in messages if text.startswith(("Stream '", *ENDS))]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"batch_size_rows": 7},
        {"endpoint": "push", "client_id": 4231, "batch_size_rows": 7},
        {"endpoint": "push", "client_id": 4231, "push_format": "transit"},
    ],
)
def test_the_summary_has_what_the_service_was_sent(
    settings: dict[str, Any], service: Service, tmp_path: Path
) -> None:
    # given streams that share requests or do not
    # when they are loaded
    run = piped(service.config(**settings), tmp_path, tap_output(*LINES), **structured(tmp_path))
    assert run.exit_code == 0
    # then each stream has the records, bytes and requests that arrived, and so has the run
    records, size, requests = Counter[str](), Counter[str](), Counter[str]()
    for request in service.requests:
        for table, (count, its_size) in count_by_table(request.body).items():
            records[table] += count
            size[table] += its_size
            requests[table] += 1
    streams, total = summary(run.stderr)
    assert list(streams) == ["orders", "items", "empty"]
    for name, fields in streams.items():
        found = (fields["records"], fields["bytes"], fields["requests"])
        assert found == (records[name], size[name], requests[name])
        assert (fields["retries"], fields["quarantined"]) == (0, 0)
    assert (total["outcome"], total["streams"], total["states"]) == ("completed", 3, 1)
    assert (total["records"], total["requests"]) == (40, len(service.requests))
    assert total["bytes"] == sum(len(request.body) for request in service.requests)
    # and the SDK's metrics say the same
    metrics = [json.loads(line).get("metric_info") for line in run.stderr.splitlines()]
    counted = Counter[str]()
    for metric in filter(None, metrics):
        counted[metric["tags"]["stream"]] = metric["value"]
    assert counted == {name: fields["records"] for name, fields in streams.items()}


def test_people_get_it_as_text(service: Service, tmp_path: Path) -> None:
    run = piped(service.config(), tmp_path, tap_output(*LINES))
    orders, items, empty, total = reported(run)
    assert orders.startswith("Stream 'orders': 20 records, ")
    assert items.startswith("Stream 'items': 20 records, ")
    assert empty.startswith("Stream 'empty': 0 records, 0 bytes, 0 requests, ")
    assert total.startswith("Completed: 3 streams, 40 records, ")
    assert total in run.last_line
    assert run.states == [{"at": 1}]


def test_a_run_of_nothing_has_one_too(service: Service, tmp_path: Path) -> None:
    run = piped(service.config(), tmp_path, b"")
    assert [line.partition(",")[0] for line in reported(run)] == ["Nothing to load: 0 streams"]


def test_an_activation_is_a_request_and_no_record(service: Service, tmp_path: Path) -> None:
    lines = [schema(), record({"id": 1}, version=1), activate(1)]
    run = piped(service.config(), tmp_path, tap_output(*lines), **structured(tmp_path))
    streams, total = summary(run.stderr)
    assert (streams["orders"]["records"], streams["orders"]["requests"]) == (1, 1)
    assert total["bytes"] == sum(len(request.body) for request in service.requests)


def test_retries_are_told(tmp_path: Path) -> None:
    # given a service that fails once
    with running_emulator(tmp_path / "stitch.db", faults="503*1") as emulator:
        config = {"token": "any", "api_url": emulator.url}
        # when something is loaded
        lines = tap_output(schema(), record({"id": 1}))
        run = piped(config, tmp_path, lines, **structured(tmp_path))
    # then it says so
    streams, total = summary(run.stderr)
    assert run.exit_code == 0
    for fields in (streams["orders"], total):
        assert (fields["records"], fields["requests"], fields["retries"]) == (1, 2, 1)


def test_a_body_that_is_split_is_told_as_it_was_sent(tmp_path: Path) -> None:
    # given a service that takes bodies of some size
    with running_emulator(tmp_path / "stitch.db", faults="limit=1000") as emulator:
        config = {"token": "any", "api_url": emulator.url, "max_batch_bytes": 2_000}
        lines = [schema(), *(record({"id": place}) for place in range(25))]
        run = piped(config, tmp_path, tap_output(*lines), **structured(tmp_path))
    # then what was refused is a request, and every record is counted once
    _, total = summary(run.stderr)
    assert run.exit_code == 0
    assert (total["records"], total["retries"]) == (25, 0)
    assert total["requests"] >= 3


@pytest.mark.parametrize("maps", [{}, {"stream_maps": {"orders": {"__alias__": "sales"}}}])
@pytest.mark.parametrize("endpoint", ["batch", "push"])
def test_both_ways_into_the_quarantine_are_told(
    endpoint: str, maps: dict[str, Any], tmp_path: Path
) -> None:
    # given a record that this target refuses, and one that the service refuses
    def answer(request: Request) -> ServiceResponse:
        if b'"id": 13}' not in request.body and b'"id":13}' not in request.body:
            return ACCEPTED
        if endpoint == "push":
            return 422, b'{"errors":[{"reason":{"data":["must be an object"]}}]}', {}
        ids = [json.loads(each)["id"] for each in request.records]
        text = f"Record {ids.index(13)} did not conform to schema: #/id: no"
        return 400, json.dumps({"error": text}).encode(), {}

    lines = [schema(), record({"id": "x"}), *(record({"id": place}) for place in range(10, 20))]
    with running_service(answer) as service:
        config = service.config(
            endpoint=endpoint,
            client_id=4231,
            on_invalid_record="quarantine",
            quarantine_path=str(tmp_path / "aside.singer"),
            **maps,
        )
        run = piped(config, tmp_path, tap_output(*lines), **structured(tmp_path))
    # then both are counted under the name that is loaded, and as the quarantine itself counts
    streams, total = summary(run.stderr)
    assert run.exit_code == 0, run.stderr
    fields = streams["sales" if maps else "orders"]
    for each in (fields, total):
        assert (each["records"], each["quarantined"]) == (9, 2)
    assert list(streams) == ["sales" if maps else "orders"]
    assert "2 records were set aside" in run.stderr


def test_a_failure_ends_with_it_and_then_with_the_reason(tmp_path: Path) -> None:
    # given a line that can't be used behind a good record
    with running_service() as service:
        lines = tap_output(schema(), record({"id": 1}), "nonsense")
        run = piped(service.config(), tmp_path, lines)
    # then what was delivered before is told, and the last line is the reason
    assert run.exit_code == 1
    assert reported(run)[0].startswith("Stream 'orders': 1 record, ")
    assert reported(run)[-1].startswith("Failed: 1 stream, 1 record, ")
    assert "Line 3 of the input" in run.last_line


def test_what_was_not_acknowledged_is_not_counted(tmp_path: Path) -> None:
    with running_service(lambda _: (401, b'{"message": "Not Authorized"}', {})) as service:
        run = piped(service.config(), tmp_path, tap_output(*LINES), **structured(tmp_path))
    streams, total = summary(run.stderr)
    assert (total["outcome"], total["records"], total["bytes"]) == ("failed", 0, 0)
    assert total["requests"] == len(service.requests)
    assert {fields["records"] for fields in streams.values()} == {0}


def test_a_signal_ends_with_it(service: Service, tmp_path: Path) -> None:
    # given a record that is held, and a tap that says no more
    with started(service.config(), tmp_path, starter=_often(tmp_path)) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(tap_output(schema(), record({"id": 1})))
        process.stdin.flush()
        # when lines have come all the while, and then the signal
        for line in process.stderr:
            if b"Progress: 0 records, " in line:
                break
        process.send_signal(signal.SIGTERM)
        # then it ends with what it has come to
        stderr = process.stderr.read().decode()
        assert process.wait(60) == 143
    assert "Ended by a signal: 1 stream, 1 record, " in stderr


def _often(folder: Path) -> str:
    path = folder / "often.py"
    path.write_text(OFTEN)
    return str(path)


def test_lines_come_while_the_service_is_slow(tmp_path: Path) -> None:
    # given a service that does not answer yet, and a tap that has ended
    over = threading.Event()

    def answer(_: Request) -> ServiceResponse:
        over.wait(60)
        return ACCEPTED

    with (
        running_service(answer) as service,
        started(
            service.config(), tmp_path, starter=_often(tmp_path), **structured(tmp_path)
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(tap_output(schema(), record({"id": 1}), state({"at": 1})))
        process.stdin.close()
        # then lines come all the same
        seen = [json.loads(process.stderr.readline())]
        while seen[-1]["extra"].get("in_flight") != 1:
            seen.append(json.loads(process.stderr.readline()))
        over.set()
        process.stderr.read()
        assert process.wait(60) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b'{"at": 1}\n'
    reported = seen[-1]["extra"]
    assert (reported["event_name"], reported["records"], reported["states"]) == ("progress", 0, 0)


@pytest.mark.parametrize("variable", ["TARGET_STITCH_IMPORT_LOGLEVEL", "LOGLEVEL"])
def test_a_log_level_switches_it_off(variable: str, service: Service, tmp_path: Path) -> None:
    run = piped(service.config(), tmp_path, tap_output(*LINES), **{variable: "WARNING"})
    assert (run.exit_code, run.stderr) == (0, "")


def test_a_dry_run_has_its_own(tmp_path: Path) -> None:
    run = piped({}, tmp_path, tap_output(*LINES), "--dry-run", starter=_often(tmp_path))
    assert reported(run) == []
    assert "Progress: " not in run.stderr
    assert "Dry run: 40 records" in run.last_line


def on_terminal(
    config: dict[str, Any], folder: Path, stderr: int, **env: str
) -> subprocess.Popen[bytes]:
    """Start the target with a terminal for stderr."""
    (folder / "config.json").write_text(json.dumps(config))
    return subprocess.Popen(
        [COMMAND, "--config", str(folder / "config.json")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=environment(**{"TERM": "xterm-256color", "PYTHONUTF8": "1", **env}),
    )


@pytest.mark.parametrize("width", [80, 40])
def test_a_terminal_has_a_table_that_lives(width: int, tmp_path: Path) -> None:
    # given a terminal, and a service that holds one batch back and fails once
    over = threading.Event()
    answers: Iterator[ServiceResponse] = iter([(503, b"{}", {})])

    def answer(request: Request) -> ServiceResponse:
        if b'"id": 99}' in request.body:
            over.wait(60)
        return next(answers, ACCEPTED)

    lines = [schema(), *(record({"id": place}) for place in range(4)), state({"at": 1})]
    with running_service(answer) as service, terminal(width) as screen:
        config = service.config(batch_size_rows=2, max_parallel_requests=1)
        with on_terminal(config, tmp_path, screen.theirs) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            # when the tap goes on after a while
            process.stdin.write(tap_output(*lines))
            process.stdin.flush()
            screen.wait_for("last bookmark saved ")
            process.stdin.write(tap_output(ITEMS, record({"id": 99}), record({"id": 98})))
            process.stdin.flush()
            shown = screen.wait_for("1 batch being sent")
            # then the table has what is acknowledged, once, and the log stands above it
            heads = [place for place, line in enumerate(shown) if line.startswith("stream ")]
            assert len(heads) == 1
            assert shown[heads[0] + 1].split()[:2] == ["orders", "4"]
            above = "".join(shown[: heads[0]]).replace(" ", "")  # as a line may break at a blank
            assert "Attempt1ofbatch1oftable'orders'(2rows," in above
            over.set()
            process.stdin.close()
            # and at the end it stands there with ticks, with the summary, and stdout has STATEs alone
            assert process.stdout.read() == b'{"at": 1}\n'
            assert process.wait(60) == 0
        screen.hang_up()
        left = screen.lines
    (head,) = [place for place, line in enumerate(left) if line.startswith("stream ")]
    assert [line.split()[:2] for line in left[head + 1 : head + 4]] == [
        ["✓", "orders"],
        ["✓", "items"],
        ["✓", "all"],
    ]
    assert "Completed: 2 streams, 6 records, " in "".join(left)
    assert not any("Stream 'orders'" in line for line in left)
    # and nothing of the terminal was changed that would have to be changed back
    assert b"\x1b[?" not in screen.raw


@pytest.mark.parametrize("signals", [1, 2])
def test_signals_leave_the_terminal_clean(signals: int, tmp_path: Path) -> None:
    # given a table on a terminal, and a service that does not answer
    over = threading.Event()

    def answer(_: Request) -> ServiceResponse:
        over.wait(60)
        return ACCEPTED

    with running_service(answer) as service, terminal() as screen:
        config = service.config(batch_size_rows=1)
        with on_terminal(config, tmp_path, screen.theirs) as process:
            assert process.stdin is not None
            process.stdin.write(tap_output(schema(), record({"id": 1})))
            process.stdin.flush()
            screen.wait_for("1 batch being sent")
            # when a signal comes, or a second one
            process.terminate()
            screen.wait_for("A signal asks to end")
            if signals == 2:
                threading.Event().wait(2.2)
                process.terminate()
            else:
                over.set()
            assert process.wait(60) == 143
            over.set()
        screen.hang_up()
        # then the table is gone, or the one of the end stands there without ticks
        heads = [line for line in screen.lines if line.startswith("stream ")]
        assert len(heads) == 2 - signals
        assert "✓" not in "".join(screen.lines)


def test_a_failure_leaves_the_terminal_clean(service: Service, tmp_path: Path) -> None:
    with terminal() as screen:
        with on_terminal(service.config(), tmp_path, screen.theirs) as process:
            process.communicate(tap_output(schema(), record({"id": 1}), "nonsense"), timeout=60)
        screen.hang_up()
        left = [line for line in screen.lines if line]
    assert [line.startswith("stream ") for line in left].count(True) == 1
    assert "✓" not in "".join(left)
    assert "it is not JSON" in "".join(left[-2:])


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"LOGLEVEL": "WARNING"}])
def test_a_terminal_may_be_left_alone(
    env: dict[str, str], service: Service, tmp_path: Path
) -> None:
    with terminal() as screen:
        with on_terminal(service.config(), tmp_path, screen.theirs, **env) as process:
            process.communicate(tap_output(*LINES), timeout=60)
        screen.hang_up()
    assert b"\x1b" not in screen.raw
    assert (b"Completed: " in screen.raw) is ("LOGLEVEL" not in env)


def test_the_log_on_a_terminal_begins_with_time_and_level(service: Service, tmp_path: Path) -> None:
    # given a terminal
    with terminal(200) as screen:
        # when something is loaded
        with on_terminal(service.config(), tmp_path, screen.theirs) as process:
            process.communicate(tap_output(*LINES), timeout=60)
        screen.hang_up()
        logged = [line for line in screen.lines if "INFO" in line]
    # then its lines are short, and the SDK's are not among them
    assert [re.sub(r"[\d:]+ ", "", line.partition(",")[0], count=1) for line in logged] == [
        f"INFO target-stitch-import v{version('target-stitch-import')}",
        "INFO Completed: 3 streams",
    ]


def test_no_colour_is_asked_for(service: Service, tmp_path: Path) -> None:
    with terminal() as screen:
        with on_terminal(service.config(), tmp_path, screen.theirs, NO_COLOR="1") as process:
            process.communicate(tap_output(*LINES), timeout=60)
        screen.hang_up()
    assert b"stream" in screen.raw
    assert b"\x1b[3" not in screen.raw  # where a foreground colour begins


def test_what_draws_is_loaded_for_a_terminal_alone(service: Service, tmp_path: Path) -> None:
    # given a command that says what it has loaded
    starter = tmp_path / "loaded.py"
    starter.write_text(
        "import atexit, sys\n"
        "atexit.register(lambda: print('rich' in sys.modules, file=sys.stderr))\n"
        "from target_stitch_import.cli import main\n"
        "main()\n"
    )
    run = piped(service.config(), tmp_path, tap_output(*LINES), starter=str(starter))
    assert run.last_line == "False"
