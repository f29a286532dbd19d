"""``examples/container`` and ``examples/kubernetes``: as far as a machine without either can tell.

The image is built and run by ``.ci/image``, where there is Docker.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]

from target_stitch_import.delivery.pipeline import GRACE_SECONDS
from target_stitch_import.emulator import read_table
from tests.support.running import COMMAND, environment

if TYPE_CHECKING:
    from target_stitch_import.emulator import Emulator

pytestmark = pytest.mark.external

PROJECT = Path(__file__).parents[2]
EXAMPLES = PROJECT / "examples"
DOCKERFILE = EXAMPLES / "container" / "Dockerfile"
CRONJOB = EXAMPLES / "kubernetes" / "cronjob.yaml"
TOOLS = PROJECT / ".venv-manifests"
TAP = PROJECT / ".venv-tap-jsonfile" / "bin" / "tap-jsonfile"
PREFIX = "TARGET_STITCH_IMPORT_"


def tool(name: str) -> str:
    """Return the command of a tool that reads these files, if this machine can have it."""
    command = TOOLS / "bin" / name
    if command.is_file():
        return str(command)
    if not (TOOLS / "failure").is_file():
        pytest.fail(f"there is no {TOOLS.name}: `make test` sets it up")
    reason = "\n".join((TOOLS / "failure").read_text().splitlines()[-5:])
    if os.environ.get("CI"):
        pytest.fail(f"{name} can't be installed: {reason}")
    pytest.skip(f"{name} can't be installed: {reason}")


def checked(*command: str) -> None:
    """Run a command that ends well where all is well."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def instructions() -> list[tuple[str, str]]:
    """Return what the Dockerfile says to do, as pairs of a word and what stands behind it."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def manifests() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the objects of the CronJob's file by kind and name."""
    found = yaml.safe_load_all(CRONJOB.read_text())
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def job() -> dict[str, Any]:
    """Return the spec of the job that the CronJob makes."""
    spec = manifests()["CronJob", "orders-to-stitch"]["spec"]["jobTemplate"]["spec"]
    return dict(spec)


def pod() -> dict[str, Any]:
    """Return the spec of its pods."""
    return dict(job()["template"]["spec"])


def container() -> dict[str, Any]:
    """Return the one container of a pod."""
    (found,) = pod()["containers"]
    return dict(found)


def settings() -> dict[str, str]:
    """Return what the CronJob sets in the environment, without what is secret."""
    names = [each["configMapRef"]["name"] for each in container()["envFrom"]]
    return {k: v for name in names for k, v in manifests()["ConfigMap", name]["data"].items()}


def tap_configs() -> dict[str, str]:
    """Return the files of the tap's ConfigMap."""
    return dict(manifests()["ConfigMap", "orders-to-stitch-tap"]["data"])


def test_the_dockerfile_has_what_it_refers_to() -> None:
    # given the Dockerfile, which a linter has nothing against
    checked(tool("hadolint"), str(DOCKERFILE))
    found = instructions()
    # when we look for what it takes from the project / then it is there
    copied = [what for word, what in found if word == "COPY" and "--from" not in what]
    sources = [path for what in copied for path in what.split()[:-1]]
    assert "examples/pipe.py" in sources
    assert [path for path in sources if not (PROJECT / path).exists()] == []
    # and the package has all that its build asks for
    project = (PROJECT / "pyproject.toml").read_text()
    asked_for = re.findall(r'(?:readme = |license-files = \[)"([^"]+)"', project)
    assert {*asked_for, "pyproject.toml", "target_stitch_import"} <= set(sources)
    # and each argument is used
    for name in [what.split("=")[0] for word, what in found if word == "ARG"]:
        assert f'"${name}"' in DOCKERFILE.read_text()
    # and the script that is run is the one that was copied, by a user that is not root
    last = dict(found)
    assert ("COPY", "examples/pipe.py /opt/pipe.py") in found
    assert json.loads(last["ENTRYPOINT"]) == ["python", "/opt/pipe.py"]
    assert last["USER"] == "10001:10001"


@pytest.mark.parametrize("version", [["-k", "1.33"], []], ids=["1.33", "newest"])
def test_the_cronjob_is_what_kubernetes_knows(version: list[str]) -> None:
    # given Kubernetes' own schemas / when the manifests are held against them, strictly
    # then they have nothing against it
    command = [tool("kubernetes-validate"), "--strict", *version]
    checked(*command, str(CRONJOB))


def test_the_cronjob_fits_together() -> None:
    # given what the pod asks for
    found = manifests()
    volumes = {each["name"]: each for each in pod()["volumes"]}
    # when we look for it / then each mount has its volume, and each is mounted
    assert {each["name"] for each in container()["volumeMounts"]} == set(volumes)
    # and what the file declares is what they use
    assert ("ConfigMap", volumes["config"]["configMap"]["name"]) in found
    assert (
        "PersistentVolumeClaim",
        volumes["state"]["persistentVolumeClaim"]["claimName"],
    ) in found
    # and there is a tap's config for each partition
    assert set(tap_configs()) == {f"tap-{index}.json" for index in range(job()["completions"])}
    # and no key range is in two of them, while all else is the same
    configs = [json.loads(text) for text in tap_configs().values()]
    paths = [path for config in configs for path in config.pop("paths")]
    assert len(set(paths)) == len(paths) == job()["completions"]
    assert configs == [configs[0]] * len(configs)


def test_what_it_sets_are_settings_of_the_target() -> None:
    # given what the target says of itself
    about = subprocess.run(
        [COMMAND, "--about", "--format", "json"], capture_output=True, timeout=60, check=True
    )
    known = {PREFIX + name.upper() for name in json.loads(about.stdout)["settings"]["properties"]}
    # when we read the names in the CronJob, and in the script that runs the image
    (secret,) = container()["env"]
    of_image = set(re.findall(rf"{PREFIX}\w+", (PROJECT / ".ci" / "image").read_text()))
    # then they are settings
    assert {*settings(), secret["name"], *of_image} <= known
    # and the token comes from a Secret
    assert secret["name"] == f"{PREFIX}TOKEN"
    assert set(secret["valueFrom"]) == {"secretKeyRef"}


def test_the_cronjob_leaves_the_time_that_a_pipe_takes_to_end() -> None:
    # given the script's and the target's own seconds
    script = (EXAMPLES / "pipe.py").read_text()
    (tap_seconds,) = re.findall(r"^TAP_SECONDS = (\d+)$", script, re.MULTILINE)
    # when SIGTERM comes / then there is time for both, before SIGKILL
    assert pod()["terminationGracePeriodSeconds"] > GRACE_SECONDS + 1 + int(tap_seconds)


def test_what_its_pods_run_loads_the_source(emulator: Emulator, tmp_path: Path) -> None:
    # given the days of the demo as key ranges, and the pod's folders on this machine
    if not TAP.is_file():
        pytest.fail(f"there is no {TAP.relative_to(PROJECT)}: `make test` sets it up")
    days = sorted((PROJECT / "demo" / "data" / "flights").glob("*.jsonl"))
    for number, day in enumerate(days):
        (tmp_path / "source" / f"range_{number}").mkdir(parents=True)
        shutil.copy(day, tmp_path / "source" / f"range_{number}")
    (tmp_path / "config").mkdir()
    keys = json.dumps(["time_hour", "carrier", "flight"])
    for name, text in tap_configs().items():
        here = text.replace("/source/", f"{tmp_path}/source/").replace('["id"]', keys)
        (tmp_path / "config" / name).write_text(here)
    env = environment(
        **settings(),
        PATH=os.pathsep.join([os.environ["PATH"], str(Path(COMMAND).parent), str(TAP.parent)]),
        TARGET_STITCH_IMPORT_API_URL=emulator.url,
        TARGET_STITCH_IMPORT_TOKEN="t",
    )
    # when the command of each pod runs, with its index put in as Kubernetes does
    for index in range(len(days)):
        given = [
            each.replace("$(JOB_COMPLETION_INDEX)", str(index)) for each in container()["args"]
        ]
        assert "$" not in shlex.join(given)
        moved = [re.sub(r"(^| )/(state|config)/", rf"\1{tmp_path}/\2/", each) for each in given]
        entrypoint = [sys.executable, str(EXAMPLES / "pipe.py")]
        done = subprocess.run([*entrypoint, *moved], env=env, cwd=tmp_path, timeout=60, check=False)
        assert done.returncode == 0
    # then the table has all rows, and each partition its state
    rows = [line for day in days for line in day.read_text().splitlines()]
    loaded = [json.dumps(row, sort_keys=True) for row in read_table(emulator.database, "orders")]
    assert sorted(loaded) == sorted(json.dumps(json.loads(row), sort_keys=True) for row in rows)
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == [
        f"{index}.json" for index in range(len(days))
    ]
