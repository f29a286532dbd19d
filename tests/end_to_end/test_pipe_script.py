"""``examples/pipe.py``: what a container, a CronJob and an engine run for one partition."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.messages import record, schema, state, tap_output
from tests.support.running import COMMAND, environment, wait_for
from tests.support.service import ACCEPTED, running_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.service import Request, Service, ServiceResponse

SCRIPT = Path(__file__).parents[2] / "examples" / "pipe.py"
HASTY = """
import sys
sys.path.insert(0, {folder!r})
import pipe
pipe.TAP_SECONDS = 0.1
sys.exit(pipe.main())
"""


@contextlib.contextmanager
def running(
    service: Service, folder: Path, tap: str, hasty: bool = False, **settings: str
) -> Iterator[subprocess.Popen[str]]:
    """Run the script as a session of its own, with a shell script as the tap."""
    (folder / "tap.sh").write_text(tap)
    (folder / "hasty.py").write_text(HASTY.format(folder=str(SCRIPT.parent)))
    script = str(folder / "hasty.py") if hasty else str(SCRIPT)
    command = [sys.executable, script, "--state", str(folder / "states" / "0.json")]
    command += ["--tap", shlex.join(["sh", str(folder / "tap.sh")])]
    command += ["--target", f"{COMMAND} --config=ENV"]
    config = {"TOKEN": "t", "API_URL": service.url, **settings}
    env = environment(**{f"TARGET_STITCH_IMPORT_{name}": value for name, value in config.items()})
    process = subprocess.Popen(
        command, cwd=folder, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        process.terminate()  # which it passes on
        try:
            process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()


def run(service: Service, folder: Path, tap: str, **settings: str) -> tuple[int, str]:
    """Run the script to its end; return its exit code and stderr."""
    with running(service, folder, tap, False, **settings) as process:
        _, stderr = process.communicate(timeout=60)
        return process.returncode, stderr


def kept(folder: Path) -> object:
    """Return the state that was kept; nothing else may stand beside it."""
    (path,) = (folder / "states").iterdir()
    return json.loads(path.read_text())


def write_lines(folder: Path, *lines: str) -> None:
    """Write what ``cat lines`` in a tap writes."""
    (folder / "lines").write_bytes(tap_output(schema(), *lines))


def test_a_run_begins_at_the_state_that_the_one_before_has_kept(
    service: Service, tmp_path: Path
) -> None:
    # given a tap that notes what it is called with
    write_lines(tmp_path, record({"id": 1}), state({"at": 1}), record({"id": 2}), state({"at": 2}))
    tap = 'echo "$@" >> calls\n[ -z "$2" ] || cat "$2" >> calls\ncat lines'
    # when it runs twice
    codes = [run(service, tmp_path, tap)[0] for _ in range(2)]
    # then both times all is delivered and the last STATE is kept
    assert codes == [0, 0]
    assert service.ids == [1, 2, 1, 2]
    assert kept(tmp_path) == {"at": 2}
    # and only the second has begun at a state, which was the first one's
    states = tmp_path / "states" / "0.json"
    assert (tmp_path / "calls").read_text() == f'\n--state {states}\n{{"at": 2}}\n'


def test_a_tap_that_fails_fails_the_run_and_what_it_wrote_counts(
    service: Service, tmp_path: Path
) -> None:
    # given a tap that breaks down behind a STATE
    write_lines(tmp_path, record({"id": 1}), state({"at": 1}), record({"id": 2}))
    # when it runs
    code, stderr = run(service, tmp_path, "cat lines\nexit 3")
    # then its code is the script's, while all that came is delivered, and the STATE is kept
    assert code == 3
    assert f"pipe: ended with exit codes: sh with 3, {COMMAND} with 0" in stderr
    assert service.ids == [1, 2]
    assert kept(tmp_path) == {"at": 1}


def test_a_target_that_fails_fails_the_run_and_what_was_safe_is_kept(tmp_path: Path) -> None:
    # given a service that takes one batch, and a tap that would go on for long
    answers: Iterator[ServiceResponse] = iter([ACCEPTED])
    write_lines(tmp_path, record({"id": 1}), state({"at": 1}), record({"id": 2}), state({"at": 2}))
    one_by_one = {"BATCH_SIZE_ROWS": "1", "MAX_PARALLEL_REQUESTS": "1"}

    def answer(_: Request) -> ServiceResponse:
        (tmp_path / "posted").touch()
        return next(answers, (401, b'{"message": "Not Authorized"}', {}))

    # which writes the second record once the first is posted
    tap = "head -n 3 lines\nwhile [ ! -e posted ]; do sleep 0.05; done\ntail -n 2 lines\nexec sleep 600"
    with running_service(answer) as service:
        # when it runs
        code, stderr = run(service, tmp_path, tap, **one_by_one)
    # then the tap is ended too, the code is the target's, and the STATE of the one batch is kept
    assert code == 1
    assert f"pipe: ended with exit codes: sh with 143, {COMMAND} with 1" in stderr
    assert kept(tmp_path) == {"at": 1}


def test_a_tap_that_can_not_be_ended_is_killed(tmp_path: Path) -> None:
    # given a tap that takes no notice of SIGTERM, and a service that lets nobody in
    write_lines(tmp_path, record({"id": 1}))
    tap = "trap '' TERM\ncat lines\nwhile :; do sleep 0.1; done"
    refusal: ServiceResponse = (401, b"{}", {})
    with (
        running_service(lambda _: refusal) as service,
        running(service, tmp_path, tap, hasty=True, BATCH_SIZE_ROWS="1") as process,
    ):
        # when the target fails / then the tap is not waited for
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"sh with 137, {COMMAND} with 1" in stderr


@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["process", "group"])
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_has_what_is_held_delivered(
    signum: int, code: int, send: Callable[[int, int], None], service: Service, tmp_path: Path
) -> None:
    # given a first batch that is sent, a record that is held, and a tap that says nothing more
    write_lines(tmp_path, *(record({"id": n}) for n in range(3)), state({"at": 3}))
    tap = "cat lines\necho $$ > tap.pid\nexec sleep 600"
    with running(service, tmp_path, tap, BATCH_SIZE_ROWS="2") as process:
        wait_for(lambda: service.requests and (tmp_path / "tap.pid").exists())
        # when the signal comes, to the script or to all that belong to it, and then another
        send(process.pid, signum)
        send(process.pid, signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)
    # then what is held is sent too, its STATE is kept, and the exit code says why
    # (which of the two is seen first is the system's business)
    assert process.returncode in {code, 143}, stderr
    assert service.ids == [0, 1, 2], stderr
    assert kept(tmp_path) == {"at": 3}
    # and the tap has ended
    pid = int((tmp_path / "tap.pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_state_that_can_not_be_kept_fails_the_run_and_stops_no_delivery(
    service: Service, tmp_path: Path
) -> None:
    # given a folder where the state would be written
    (tmp_path / "states" / "0.json.new").mkdir(parents=True)
    write_lines(tmp_path, record({"id": 1}), state({"at": 1}), record({"id": 2}), state({"at": 2}))
    # when it runs
    code, stderr = run(service, tmp_path, "cat lines", BATCH_SIZE_ROWS="1")
    # then it says so
    assert code == 1
    assert "0.json can't be kept: [Errno 21] Is a directory" in stderr
    assert sorted(service.ids) == [1, 2]


def test_half_a_line_is_no_state(tmp_path: Path, service: Service) -> None:
    # given a target that dies while it writes its second STATE
    target = tmp_path / "target.sh"
    target.write_text("echo '{\"at\": 1}'\nprintf '{\"at'\nkill -9 $$\n")
    command = [sys.executable, str(SCRIPT), "--state", str(tmp_path / "states" / "0.json")]
    command += ["--tap", "true", "--target", f"sh {shlex.quote(str(target))}"]
    # when it runs
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    # then the first one is kept
    assert done.returncode == 137
    assert kept(tmp_path) == {"at": 1}


@pytest.mark.parametrize(("tap", "target"), [("tap-nowhere", "cat"), ("true", "target-nowhere")])
def test_a_command_that_is_not_there_is_named(tap: str, target: str, tmp_path: Path) -> None:
    # given one command that does not exist
    command = [sys.executable, str(SCRIPT), "--state", str(tmp_path / "0.json")]
    command += ["--tap", tap, "--target", target]
    # when it runs
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    # then nothing is started
    missing = next(name for name in (tap, target) if "nowhere" in name)
    assert (done.returncode, done.stderr) == (127, f"pipe: there is no command {missing}\n")
