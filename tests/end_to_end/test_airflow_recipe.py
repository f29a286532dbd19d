"""The command in ``docs/recipes/airflow.md``, run as Airflow's BashOperator would."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.messages import record, schema, state, tap_output
from tests.support.running import COMMAND, environment

if TYPE_CHECKING:
    from tests.support.service import Service

PROJECT = Path(__file__).parents[2]
RECIPE = PROJECT / "docs" / "recipes" / "airflow.md"


def command_of_the_recipe() -> str:
    """Return the text of ``COMMAND`` in the DAG."""
    (code,) = re.findall(r"```python\n(.*?)```", RECIPE.read_text(), re.DOTALL)
    for node in ast.parse(code).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMMAND":
            return str(ast.literal_eval(node.value))
    raise AssertionError("the recipe has no COMMAND")


def test_the_command_of_the_dag_loads_a_partition(service: Service, tmp_path: Path) -> None:
    # given a tap of that name, and the folders of the recipe on this machine
    (tmp_path / "lines").write_bytes(tap_output(schema(), record({"id": 1}), state({"at": 1})))
    tap = tmp_path / "tap-jsonfile"
    tap.write_text(f'#!/bin/sh\necho "$2" > {tmp_path}/config\ncat {tmp_path}/lines\n')
    tap.chmod(0o755)
    command = command_of_the_recipe().replace("/opt/pipe.py", f"{PROJECT}/examples/pipe.py")
    command = command.replace("/var/lib/orders-to-stitch", str(tmp_path))
    env = environment(
        PARTITION="2",
        PATH=os.pathsep.join([str(tmp_path), str(Path(COMMAND).parent), os.environ["PATH"]]),
        TARGET_STITCH_IMPORT_API_URL=service.url,
        TARGET_STITCH_IMPORT_TOKEN="t",
    )
    # when bash runs the command for one partition
    done = subprocess.run(["bash", "-c", command], env=env, timeout=60, check=False)
    # then its tap is loaded, and its state kept
    assert (done.returncode, service.ids) == (0, [1])
    assert (tmp_path / "config").read_text() == "/etc/orders-to-stitch/tap-2.json\n"
    assert json.loads((tmp_path / "2.json").read_text()) == {"at": 1}
