"""Each message of the page on troubleshooting is one of the target's, and each of those is there."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from tests.support.pages import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = PROJECT / "docs" / "troubleshooting.md"
PACKAGE = PROJECT / "target_stitch_import"
ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
HOLE = "\0"  # stands for a value in an f-string
ENDS_WITH = re.compile(r"Error$|^_bad_line$|^_error$")
"""What makes a message of its first argument."""
CAUGHT = {"ConfigValidationError", "MapExpressionError", "ValidationError", "ValueError"}
"""Errors that are caught and reported with another message."""
LEAST = 8  # letters of its own that a message has, or it only hands another one on


def modules() -> Iterator[ast.Module]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "emulator" not in path.relative_to(PACKAGE).parts:
            yield ast.parse(path.read_text(encoding="utf-8"))


def literal_text(node: ast.AST) -> str | None:
    """Return the text of a string literal, with a hole for each value of an f-string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(literal_text(part) or HOLE for part in node.values)
    return None


def texts() -> list[str]:
    """Return every text of the package."""
    found = (literal_text(node) for module in modules() for node in ast.walk(module))
    return [text for text in found if text]


def messages() -> list[str]:
    """Return every text that an error is made of."""
    found = []
    for module in modules():
        for node in ast.walk(module):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = ast.unparse(node.func).rpartition(".")[2]
            text = literal_text(node.args[0])
            if name in CAUGHT or not ENDS_WITH.search(name):
                continue
            if text and len(re.sub(r"[^a-z]", "", text)) >= LEAST:
                found.append(text)
    return found


def quoted() -> dict[str, re.Pattern[str]]:
    """Return the messages of the page, each as what it may stand for."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {row: re.compile(".*".join(map(re.escape, row.split("…"))), re.DOTALL) for row in rows}


def test_what_it_quotes_is_what_the_target_says() -> None:
    # given all that the code says; a log writes its holes as %s
    expected_text = [re.sub(r"%(?:\.\d)?[sdf]", HOLE, text) for text in texts()]
    # when the page is read
    found = quoted()
    # then each message of it is there
    assert found
    unknown = [row for row, like in found.items() if not any(map(like.search, expected_text))]
    assert unknown == []


def test_what_the_target_ends_with_is_quoted() -> None:
    # given the page
    known = list(quoted().values())
    # when each message that an error is made of is looked up
    ends = messages()
    assert len(ends) > 40
    missing = [text for text in ends if not any(like.search(text) for like in known)]
    # then it is there (if not, docs/troubleshooting.md needs a row for it)
    assert missing == []
