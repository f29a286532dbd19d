"""docs/architecture.md leads to modules that there are."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def test_the_page_names_no_module_that_is_gone() -> None:
    # given the modules that there are, and those that the page names
    modules = {path.name for path in (ROOT / "target_stitch_import").rglob("*.py")}
    named = set(re.findall(r"(?<!/)\b\w+\.py\b", PAGE))
    # then the page names some, and none that is gone
    assert named
    assert named - modules == set()
