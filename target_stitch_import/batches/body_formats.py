"""The formats of a request body: what stands around the records.

See the Import API reference, sections The batch body and The push and validate body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from target_stitch_import.batches.transit import encode_transit
from target_stitch_import.errors import InvalidRecordError, InvalidSchemaError
from target_stitch_import.json_codec import decode_exactly, encode_exactly
from target_stitch_import.limits import MAX_SEQUENCE
from target_stitch_import.schemas.places import find_places

BATCH_TAIL: Final = b"]}"
PUSH_HEAD: Final = b"["
PUSH_TAIL: Final = b"]"


@dataclass(frozen=True, eq=False)
class BodyFormat:
    """How the records of one table are written into a body."""

    head: Callable[[int | None], bytes]
    """Returns the start of a body whose records have this version, up to the first message."""
    tail: bytes  # takes the place of the last comma
    untimed: bytes  # a message with its comma: places for the sequence and the record
    timed: bytes | None
    """The same with a place for the time between both; None where a message has no time."""
    is_shared: bool = False
    """Whether tables share a body; it has no versions then, and nothing waits for it."""
    encode: Callable[[bytes], bytes] | None = None
    """Converts a record from JSON, if that is needed; may raise ``InvalidRecordError``."""

    def messages(
        self, sequences: Sequence[int], times: Sequence[bytes], records: Sequence[bytes]
    ) -> bytes:
        """Return the messages of records, with a comma behind each.

        The ``times`` are as ``TimestampReader.read`` returns them.
        """
        columns: list[Sequence[Any]]
        if self.timed is None or not any(times):
            template, columns = self.untimed, [sequences, records]
        elif all(times):
            template, columns = self.timed, [sequences, times, records]
        else:
            each = zip(sequences, times, records, strict=True)
            return b"".join([self.messages([s], [t], [r]) for s, t, r in each])
        values: list[Any] = [None] * (len(records) * len(columns))
        for place, column in enumerate(columns):
            values[place :: len(columns)] = column
        return template * len(records) % tuple(values)

    def overhead(self, *, timed: bool) -> int:
        """Return how many bytes a message has besides its record, at most."""
        if timed and self.timed is not None:
            return len(self.timed % (MAX_SEQUENCE, bytes(26), b""))
        return len(self.untimed % (MAX_SEQUENCE, b""))


def body_format(
    config: Mapping[str, Any],
    table_name: str,
    schema: Mapping[str, Any],
    key_names: Sequence[str],
    bookmark_names: Sequence[str],
) -> BodyFormat:
    """Return the format of a table's records for the endpoint in ``config``.

    Raise ``InvalidSchemaError`` if the table has no keys, which the endpoint needs.
    """
    if config["endpoint"] == "batch":
        return batch_format(table_name, schema, key_names, bookmark_names)
    if not key_names:
        raise InvalidSchemaError(
            f"stream {table_name!r} has no key properties, and push takes no record without: "
            "set endpoint to 'batch', which appends such records"
        )
    transit = config["push_format"] == "transit"
    return push_format(config["client_id"], table_name, schema, key_names, transit=transit)


def batch_format(
    table_name: str,
    schema: Mapping[str, Any],
    key_names: Sequence[str],
    bookmark_names: Sequence[str] = (),
) -> BodyFormat:
    """Return the format of a batch body, which holds one table."""
    start: dict[str, Any] = {"table_name": table_name, "schema": schema, "key_names": key_names}
    if bookmark_names:
        start["bookmark_names"] = bookmark_names

    def head(version: int | None) -> bytes:
        table = start if version is None else {**start, "table_version": version}
        return encode_exactly(table)[:-1] + b',"messages":['

    untimed = b'{"action":"upsert","sequence":%d,"data":%b},'
    timed = b'{"action":"upsert","sequence":%d,"time_extracted":"%.26bZ","data":%b},'
    return BodyFormat(head, BATCH_TAIL, untimed, timed)


def push_format(
    client_id: int,
    table_name: str,
    schema: Mapping[str, Any],
    key_names: Sequence[str],
    *,
    transit: bool = False,
) -> BodyFormat:
    """Return the format of a push body, of JSON or of Transit, which all tables share."""
    arguments: dict[str, Any] = {"client_id": client_id, "table_name": table_name}
    arguments |= {"action": "upsert", "key_names": list(key_names)}
    place = find_places(schema)

    def encode(record: bytes) -> bytes:
        try:
            return encode_transit(decode_exactly(record), place)
        except (ValueError, RecursionError) as error:
            raise InvalidRecordError(f"can't be written as Transit: {error}") from None

    start = encode_transit(arguments) if transit else encode_exactly(arguments)
    end = b',"sequence","~i%d","data",%b],' if transit else b',"sequence":%d,"data":%b},'
    template = start[:-1].replace(b"%", b"%%") + end
    encoder = encode if transit else None
    return BodyFormat(
        lambda _: PUSH_HEAD, PUSH_TAIL, template, None, is_shared=True, encode=encoder
    )
