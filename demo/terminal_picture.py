"""Draw ``docs/images/progress.svg``: the table of a real run, with the numbers that it had.

Runs the target as a process, with a terminal for its stderr, behind a service on this machine that
takes its time. What stands on the screen after a while is the picture: ``make screenshots``.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT))

from tests.support.messages import record, schema, state, tap_output  # noqa: E402
from tests.support.running import COMMAND, environment  # noqa: E402
from tests.support.service import ACCEPTED, running_service  # noqa: E402
from tests.support.terminal import terminal  # noqa: E402

WIDTH = 76
STREAMS = {"orders": 60, "order_lines": 130, "customers": 25}
ROUNDS = 400
FRAME = re.compile(rb"\x1b\[J\r\n(\x1b\[2mstream.*?)\x1b\[\d+A\r", re.DOTALL)


def last_frame(folder: Path) -> str:
    """Return the last table that a run has drawn while it was at work."""
    answers: Iterator[Any] = iter([(503, b'{"message": "Try again later"}', {})])

    def answer(_: object) -> Any:
        time.sleep(0.05)
        return next(answers, ACCEPTED)

    with running_service(answer) as service, terminal(WIDTH + 1) as screen:
        path = folder / "config.json"
        path.write_text(json.dumps(service.config(batch_size_rows=1_000)))
        env = environment(TERM="xterm-256color", COLORTERM="")
        command = [COMMAND, "--config", str(path)]
        with Popen(command, stdin=PIPE, stdout=PIPE, stderr=screen.theirs, env=env) as process:
            assert process.stdin is not None  # noqa: S101
            process.stdin.write(tap_output(*(schema(stream) for stream in STREAMS)))
            for place in range(ROUNDS):
                lines = [
                    record({"id": place * count + each, "name": "Finn"}, stream)
                    for stream, count in STREAMS.items()
                    for each in range(count)
                ]
                process.stdin.write(tap_output(*lines, state({"round": place})))
                process.stdin.flush()
                time.sleep(0.01)
            process.stdin.close()
            process.wait()
        screen.hang_up()
        frame: bytes = FRAME.findall(screen.raw)[-1]
        return frame.decode().replace("\r", "")


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        frame = last_frame(Path(folder))
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(frame.rstrip("\n")))
    svg = console.export_svg(title="tap-shop | target-stitch-import", unique_id="progress")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # of a web font
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
    svg = "\n".join(line.rstrip() for line in svg.splitlines())
    (PROJECT / "docs" / "images" / "progress.svg").write_text(svg + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
