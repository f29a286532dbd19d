"""The page on the architecture names only files that exist."""

from __future__ import annotations

import re

from tests.support.pages import PROJECT

PAGE = PROJECT / "docs" / "architecture.md"
PACKAGE = PROJECT / "target_stitch_import"


def test_every_module_that_the_page_names_exists() -> None:
    # given the names of modules on the page, some with their folders
    named = re.findall(r"[\w/]+\.py\b", PAGE.read_text(encoding="utf-8"))
    # when they are looked up in the package
    modules = [f"/{path.relative_to(PACKAGE).as_posix()}" for path in PACKAGE.rglob("*.py")]
    modules += [f"/target_stitch_import{module}" for module in modules]
    # then each is there (if not, docs/architecture.md names one that was moved or removed)
    assert named
    missing = [name for name in named if not any(path.endswith(f"/{name}") for path in modules)]
    assert missing == []
