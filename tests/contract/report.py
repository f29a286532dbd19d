"""The results as a table for people, as JSON, and the rules as a table of docs/contract.md."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tests.contract.case import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import TextIO

    from tests.contract.case import Case
    from tests.contract.runner import Result

VERDICTS: Final = ("as documented", "differs", "can't be told")
_STYLES: Final = {"differs": "bold red", "can't be told": "yellow"}
_WIDTH_OF_A_LOG: Final = 180
_MAX_CHARS: Final = 160
"""How much of an answer the table shows; the JSON has all of it."""


def print_results(results: Sequence[Result], output: TextIO) -> None:
    """Print a table for each section, and what differs once more at the end."""
    console = Console(file=output, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_LOG
    for section in SECTIONS:
        of_section = [each for each in results if each.case.section == section]
        if of_section:
            console.print(_table(section, of_section))
    differing = [each for each in results if each.verdict == "differs"]
    for each in differing:
        console.print(f"differs: {each.case.rule}", style="bold red", markup=False)
        console.print(f"  expected {each.case.expected}", markup=False)
        console.print(f"  came     {each.came}", markup=False)
    for each in results:
        if each.unanswered:
            console.print(f"no answer: {each.case.rule}: {each.came}", markup=False)
    console.print(", ".join(f"{count} {name}" for name, count in counts(results).items()))


def counts(results: Sequence[Result]) -> dict[str, int]:
    """Return how many results have each verdict."""
    found = Counter(each.verdict for each in results)
    return {name: found[name] for name in VERDICTS}


def _table(section: str, results: Sequence[Result]) -> Table:
    table = Table(title=section, title_justify="left", title_style="bold", box=SIMPLE, expand=True)
    for name, ratio in (("Rule", 4), ("Expected", 5), ("Came", 5)):
        table.add_column(name, ratio=ratio, overflow="fold")
    table.add_column("Verdict", no_wrap=True)
    for each in results:
        cells = (each.case.rule, _shorten(str(each.case.expected)), _shorten(each.came))
        style = _STYLES.get(each.verdict)
        table.add_row(*map(_plain, cells), each.verdict, style=style)
    return table


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_CHARS else f"{text[:_MAX_CHARS]}..."


def write_json(results: Sequence[Result], path: Path, *, url: str, version: str) -> None:
    """Write the results into a file. The token and the client ID are not in it.

    Raises:
        OSError: the file can't be written.
    """
    content: dict[str, Any] = {
        "url": url,
        "at": dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
        "version": version,
        "counts": counts(results),
        "results": [
            {
                "rule": each.case.rule,
                "section": each.case.section,
                "source": each.case.source,
                "expected": str(each.case.expected),
                "came": each.came,
                "verdict": each.verdict,
            }
            for each in results
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def rules_page(cases: Sequence[Case]) -> str:
    """Return the rules as Markdown: a table for each section."""
    lines = []
    for section in SECTIONS:
        lines += [f"### {section}", "", "| rule | source | expected |", "|:--|:--|:--|"]
        lines += [
            f"| {_cell(each.rule)} | {each.source} | `{each.expected}` |"
            for each in cases
            if each.section == section
        ]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Return a text as a cell, in which no character means anything to Markdown."""
    for character in "*_[]":
        text = text.replace(character, f"\\{character}")
    return text
