"""docs/architecture.md names the modules that there are, and no others; each says what it knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = {
    path.name: path
    for path in sorted((ROOT / "target_stitch_import").glob("*.py"))
    if path.name != "__init__.py"
}
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def test_every_module_has_its_place_on_the_page() -> None:
    # given the rooms as the page lists them, in its first block
    rooms = PAGE.split("## The rooms")[1].split("```")[1]
    # then these are the modules that there are, each once
    named = re.findall(r"\b\w+\.py\b", rooms)
    assert sorted(named) == sorted(MODULES)


def test_the_rest_of_the_page_names_no_module_that_is_gone() -> None:
    assert set(re.findall(r"\b\w+\.py\b", PAGE)) <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_knows_and_what_it_does_not(name: str) -> None:
    said = ast.get_docstring(ast.parse(MODULES[name].read_text())) or ""
    assert re.search(r"\b[Kk]nows?\b", said), said
    assert re.search(r"\bnothing\b|\bnot\b|\bonly\b|\bothers\b", said), said
