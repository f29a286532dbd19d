"""The workflows pin what they run, test each Python, and find the notes of a release."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped,unused-ignore]

PROJECT = Path(__file__).parents[2]
WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+")

CHANGELOG = """# Changelog

## Unreleased

## 1.10.0 - 2026-11-02

- Second.

## 1.1.0 - 2026-10-01

### Loading

- First.
"""


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_action_is_pinned_by_commit_with_its_version(path: Path) -> None:
    uses = re.findall(r"\buses: *(.*)", path.read_text(encoding="utf-8"))
    assert uses
    assert [each for each in uses if not PINNED.fullmatch(each)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_workflow_may_only_read_unless_a_job_says_more(path: Path) -> None:
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"] == {"contents": "read"}


@pytest.mark.parametrize(("workflow", "job"), [("test", "test"), ("release", "try")])
def test_each_python_that_the_package_names_is_tested(workflow: str, job: str) -> None:
    # given the versions that the package names
    project = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    versions = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)
    # when the workflow is read
    path = PROJECT / ".github" / "workflows" / f"{workflow}.yml"
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    # then its jobs are those versions
    assert jobs[job]["strategy"]["matrix"]["python"] == versions


def release_notes(tag: str, changelog: Path) -> subprocess.CompletedProcess[str]:
    """Ask for the notes of a release."""
    command = [sys.executable, str(PROJECT / ".ci" / "release_notes.py"), tag, str(changelog)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("tag", "notes"), [("v1.10.0", "- Second.\n"), ("v1.1.0", "### Loading\n\n- First.\n")]
)
def test_the_notes_of_a_release_are_its_section_of_the_changelog(
    tag: str, notes: str, tmp_path: Path
) -> None:
    path = tmp_path / "CHANGELOG.md"
    path.write_text(CHANGELOG)
    assert release_notes(tag, path).stdout == notes


@pytest.mark.parametrize("tag", ["v1.1", "v1.2.0", "v110.0", "vUnreleased"])
def test_a_release_without_a_section_fails(tag: str, tmp_path: Path) -> None:
    path = tmp_path / "CHANGELOG.md"
    path.write_text(CHANGELOG)
    done = release_notes(tag, path)
    assert done.returncode == 1
    assert f"no section '## {tag[1:]} - YYYY-MM-DD'" in done.stderr
