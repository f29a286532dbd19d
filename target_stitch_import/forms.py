"""The two forms of a request body: what stands around the records.

Import API reference, sections The batch body and The push and validate body. Knows bytes; nothing of
the records in a body, or of how bodies grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.jsontext import decode_exactly, encode_exactly
from target_stitch_import.limits import MAX_SEQUENCE
from target_stitch_import.transit import transit_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import msgspec

__all__ = [
    "BATCH_FORM",
    "BATCH_TAIL",
    "PUSH_HEAD",
    "PUSH_TAIL",
    "BodyForm",
    "MessageForm",
    "batch_body",
    "batch_head",
    "push_body",
]

BATCH_TAIL: Final = b"]}"
PUSH_HEAD: Final = b"["
PUSH_TAIL: Final = b"]"


@dataclass(frozen=True)
class MessageForm:
    """What stands around a record in a body."""

    plain: bytes
    """What stands before it, with a place for the sequence."""
    timed: bytes | None
    """The same with a second place, for the time; None where a message has no time."""
    end: bytes
    """What stands behind it, with a comma."""

    def most_around(self, *, timed: bool) -> int:
        """Return how many bytes stand around a record at most."""
        if timed and self.timed is not None:
            return len(self.timed % (MAX_SEQUENCE, bytes(26)) + self.end)
        return len(self.plain % MAX_SEQUENCE + self.end)


BATCH_FORM: Final = MessageForm(
    plain=b'{"action":"upsert","sequence":%d,"data":',
    timed=b'{"action":"upsert","sequence":%d,"time_extracted":"%.26bZ","data":',
    end=b"},",
)


@dataclass(frozen=True)
class BodyForm:
    """How the records of one table are written into a body."""

    head: Callable[[int | None], bytes]
    """Returns the start of a body whose records have this version, up to the first message."""
    message: MessageForm
    tail: bytes
    """What takes the place of the last comma."""
    is_shared: bool = False
    """Whether tables share a body; it has no versions then, and nothing waits for it."""
    encoded: Callable[[bytes | msgspec.Raw], bytes] | None = None
    """Returns a record as it is written, where that is not its JSON."""


def batch_head(
    table_name: str,
    schema: Mapping[str, Any],
    key_names: Sequence[str],
    bookmark_names: Sequence[str] = (),
    version: int | None = None,
) -> bytes:
    """Return the start of a batch body, up to the first message."""
    start: dict[str, Any] = {"table_name": table_name, "schema": schema, "key_names": key_names}
    if bookmark_names:
        start["bookmark_names"] = bookmark_names
    if version is not None:
        start["table_version"] = version
    return encode_exactly(start)[:-1] + b',"messages":['


def batch_body(
    table_name: str,
    schema: Mapping[str, Any],
    key_names: Sequence[str],
    bookmark_names: Sequence[str] = (),
) -> BodyForm:
    """Return the form of a batch body, which holds one table."""
    head = partial(batch_head, table_name, schema, key_names, bookmark_names)
    return BodyForm(head, BATCH_FORM, BATCH_TAIL)


def push_body(
    client_id: int,
    table_name: str,
    schema: Mapping[str, Any],
    key_names: Sequence[str],
    *,
    transit: bool = False,
) -> BodyForm:
    """Return the form of a table's records in a push body, of JSON or of Transit."""
    arguments = {
        "client_id": client_id,
        "table_name": table_name,
        "action": "upsert",
        "key_names": list(key_names),
    }
    if not transit:
        start = _template(encode_exactly(arguments)[:-1])
        message = MessageForm(start + b',"sequence":%d,"data":', None, b"},")
        return BodyForm(lambda _: PUSH_HEAD, message, PUSH_TAIL, is_shared=True)

    def encoded(data: bytes | msgspec.Raw) -> bytes:
        try:
            return transit_text(decode_exactly(bytes(data)), schema)
        except (ValueError, RecursionError) as error:
            raise InvalidRecordError(f"can't be written as Transit: {error}") from None

    start = _template(transit_text(arguments)[:-1])
    return BodyForm(
        lambda _: PUSH_HEAD,
        MessageForm(start + b',"sequence","~i%d","data",', None, b"],"),
        PUSH_TAIL,
        is_shared=True,
        encoded=encoded,
    )


def _template(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")
