"""The environments of the programs that are compared with, each made once."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


class SetUpError(Exception):
    """An environment is not as the benchmark needs it."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment: its folder in the project, what is in it, how to see that it works."""

    folder: str
    requirements: tuple[str, ...]
    check: str

    @property
    def bin(self) -> Path:
        """Return where its programs are."""
        return PROJECT / self.folder / "bin"

    def prepare(self) -> None:
        """Make it, if it is not there as it should be."""
        marker = PROJECT / self.folder / ".ready"
        wanted = "\n".join([sys.version, *self.requirements])
        if marker.exists() and marker.read_text(encoding="utf-8") == wanted:
            return
        print(f"Making {self.folder}: {', '.join(self.requirements)}", flush=True)
        python = str(self.bin / "python")
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([sys.executable, "-m", "venv", "--clear", str(PROJECT / self.folder)])
        _run([*install, "--upgrade", "pip>=25.1"])
        _run([*install, *self.requirements])
        _run([python, "-c", self.check])
        marker.write_text(wanted, encoding="utf-8")


def _run(command: list[str]) -> None:
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    if ended.returncode:
        errors = "\n".join(ended.stderr.splitlines()[-15:])
        raise SetUpError(f"{' '.join(command[1:])} ended with {ended.returncode}:\n{errors}")


# Two of its dependencies are built from source: psutil 5.6.6 can't be without a C compiler and
# Python's headers, simplejson leaves its fast half away without a word. Hence the check.
VENDOR = Environment(
    ".venv-bench-vendor",
    ("target-stitch==4.0.3", "ciso8601>=2.3,<3"),
    "import psutil, simplejson.encoder; assert simplejson.encoder.c_make_encoder",
)
SDK = Environment(
    ".venv-bench-sdk",
    ("singer-sdk==0.54.9", "requests>=2.32.4,<3"),
    "import requests, singer_sdk.target_base",
)
OURS = Environment(".venv", (), "")
"""Made by ``make``."""
