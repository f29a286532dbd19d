"""Words in messages, and what of a message is printed."""

from __future__ import annotations

import logging
import textwrap
from typing import Any


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: ``1 row``, ``2,000 rows``.

    ``many`` is the plural, where that is not ``one`` with an s.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def printable(text: str) -> str:
    """Return a text with an escape for each line break, and all else that a terminal may act on."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


class PrintableRecord(logging.LogRecord):
    """A log record of one line, however many its arguments have, and an indented traceback."""

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Take what ``logging`` gives; a logger may have the name of a stream in its own."""
        super().__init__(printable(name), *args, **kwargs)

    def getMessage(self) -> str:  # noqa: N802 - the name that formatters call
        """Return the message."""
        return printable(super().getMessage())

    @property
    def exc_text(self) -> str | None:
        """The traceback, which a formatter sets."""
        text: str | None = self.__dict__.get("exc_text")
        return text

    @exc_text.setter
    def exc_text(self, text: str | None) -> None:
        lines = text and "\n".join(map(printable, text.split("\n")))
        self.__dict__["exc_text"] = lines and textwrap.indent(lines, "    ")
