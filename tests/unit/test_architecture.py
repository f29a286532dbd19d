"""docs/architecture.md names the modules that there are, and no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "target_stitch_import"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
HOUSES = {"## The rooms": PACKAGE, "## The emulator's rooms": PACKAGE / "emulator"}


def modules(folder: Path) -> list[Path]:
    # The emulator has packages inside; the target is flat but for the emulator.
    pattern = "*.py" if folder == PACKAGE else "**/*.py"
    paths = [path for path in folder.glob(pattern) if path.name != "__init__.py"]
    return sorted(paths, key=lambda path: path.name)


MODULES = [path for folder in HOUSES.values() for path in modules(folder)]


@pytest.mark.parametrize("title", HOUSES)
def test_every_module_has_its_place_on_the_page(title: str) -> None:
    # given the rooms as the page lists them, in the first block below their title
    rooms = PAGE.split(title)[1].split("```")[1]
    # then these are the modules that there are, each once
    named = re.findall(r"\b\w+\.py\b", rooms)
    assert sorted(named) == [path.name for path in modules(HOUSES[title])]


def test_the_rest_of_the_page_names_no_module_that_is_gone() -> None:
    assert set(re.findall(r"(?<!/)\b\w+\.py\b", PAGE)) <= {path.name for path in MODULES}
