"""One tap in N partitions, side by side in one job: each a pipe of its own, with its own state.

The source is a folder with a folder for each key range (``source/range_0/*.jsonl`` and so on); each
becomes a step, which Dagster runs in a process, retries, and logs. What one step does is ``pipe.py``,
which is not Dagster's business: the exit codes and the STATE of ``tap | target`` are its.

Other tap, other source: change ``key_ranges``, which finds the partitions, and ``tap_config``, which
says to the tap which one to read. No key may be in two partitions (docs/scaling.md).
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dagster import (
    Backoff,
    ConfigurableResource,
    Definitions,
    DynamicOut,
    DynamicOutput,
    EnvVar,
    Failure,
    Jitter,
    OpExecutionContext,
    RetryPolicy,
    job,
    multiprocess_executor,
    op,
)

PIPE = Path(__file__).with_name("pipe.py")
if not PIPE.exists():  # as in the project's own folder; a copy has the two side by side
    PIPE = Path(__file__).parents[1] / "pipe.py"


class Pipe(ConfigurableResource):
    """The tap, the target, and where things are."""

    tap: str
    """The tap's command, without its config."""
    target: str
    """The target's command; its settings come from the environment."""
    source: str
    states: str
    """Folder with the state of each partition; it outlives the run, so no temporary one."""

    def key_ranges(self) -> list[str]:
        """Return the names of the partitions: letters, digits and underscores."""
        source = Path(self.source)
        if not source.is_dir():
            raise Failure(f"LOAD_SOURCE: no folder {source}. It has a folder for each key range.")
        return sorted(path.name for path in source.iterdir() if path.is_dir())

    def tap_config(self, partition: str) -> dict[str, Any]:
        """Return the tap's config for a partition; all else is the same for each."""
        return {
            "paths": [str(Path(self.source, partition, "*.jsonl"))],
            "stream_name": "orders",
            "stream_maps": {"orders": {"__key_properties__": ["id"], "_sdc_source_file": None}},
        }

    def run(self, context: OpExecutionContext, partition: str) -> None:
        """Run the pipe of a partition; what both sides say goes to Dagster's log."""
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder, "tap.json")
            config.write_text(json.dumps(self.tap_config(partition)), encoding="utf-8")
            tap = f"{self.tap} --config {shlex.quote(str(config))}"
            state = Path(self.states, f"{partition}.json")
            command = [sys.executable, str(PIPE), "--state", str(state)]
            command += ["--tap", tap, "--target", self.target]
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as pipe:
                assert pipe.stderr is not None
                try:
                    for line in pipe.stderr:
                        context.log.info(line.rstrip())
                except BaseException:  # Dagster ends the step: the target delivers what it holds
                    pipe.terminate()
                    pipe.communicate()
                    raise
        if pipe.returncode:
            raise RuntimeError(f"The pipe of {partition} ended with exit code {pipe.returncode}.")


@op(out=DynamicOut(str))
def partitions(pipe: Pipe) -> Iterator[DynamicOutput[str]]:
    """Find the key ranges that there are now."""
    for name in pipe.key_ranges():
        yield DynamicOutput(name, mapping_key=name)


@op(
    # A retry begins at the state that the try before has left.
    retry_policy=RetryPolicy(
        max_retries=int(os.environ.get("LOAD_RETRIES", "3")),
        delay=float(os.environ.get("LOAD_RETRY_SECONDS", "30")),
        backoff=Backoff.EXPONENTIAL,
        jitter=Jitter.PLUS_MINUS,
    )
)
def load(context: OpExecutionContext, pipe: Pipe, partition: str) -> None:
    """Load one key range."""
    pipe.run(context, partition)


@job(
    executor_def=multiprocess_executor.configured(
        {"max_concurrent": int(os.environ.get("LOAD_AT_ONCE", "4"))}
    )
)
def load_orders() -> None:
    """Load all key ranges, so many at once."""
    partitions().map(load)


defs = Definitions(
    jobs=[load_orders],
    resources={
        "pipe": Pipe(
            tap=EnvVar("LOAD_TAP"),
            target=os.environ.get("LOAD_TARGET", "target-stitch-import --config=ENV"),
            source=EnvVar("LOAD_SOURCE"),
            states=EnvVar("LOAD_STATES"),
        )
    },
)
