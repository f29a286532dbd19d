"""A value of JSON is written as Transit, and every reader finds the same value."""

from __future__ import annotations

import io
import json
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transit.reader import Reader

from target_stitch_import.batches.transit import decode_transit, encode_transit
from target_stitch_import.emulator.rules import transit as emulated
from target_stitch_import.json_codec import decode_exactly
from target_stitch_import.schemas.places import find_places

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.text(
    "~^` #:", max_size=4
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.decimals(allow_nan=False, allow_infinity=False, places=9),
    texts,
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(values)
def test_what_is_written_is_read_again_to_the_last_digit(value: Any) -> None:
    # given any value of JSON, when it is written as Transit
    text = encode_transit(value)
    # then it is read as what it was, here and by the emulator, which reads Transit its own way
    assert decode_transit(decode_exactly(text)) == value
    assert decode_exactly(emulated.read_transit(encode_transit([value]))[1]) == [value]


def read_by_library(text: bytes) -> Any:
    """Return what the reader of a library makes of a text."""
    return Reader().read(io.StringIO(text.decode()))


@pytest.mark.parametrize(
    "value",
    [
        {"plain": 1, "nested": {"a longer key": [None, "text"]}},
        {"n": 2**53, "m": 2**63, "k": -(10**30)},
        {"d": Decimal("0.12345678901234567890123456789012345678")},
        {"~key": "~value", "^k": "^v", "`k": "`v", "": ""},
        [{"same key": 1}, {"same key": 2}],
    ],
)
def test_a_library_reads_the_same(value: Any) -> None:
    found = read_by_library(encode_transit(value))

    def plain(read: Any) -> Any:
        if hasattr(read, "items"):
            return {key: plain(each) for key, each in read.items()}
        return [plain(each) for each in read] if isinstance(read, list | tuple) else read

    assert plain(found) == value


TIME = {"type": "string", "format": "date-time"}


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-02-29T23:59:58Z", "2024-02-29T23:59:58.000000Z"),
        ("2024-02-29T23:59:58.5+01:00", "2024-02-29T22:59:58.500000Z"),
        ("2024-02-29T23:59:58.123456789Z", "2024-02-29T23:59:58.123456789Z"),
        ("2024-02-29", "2024-02-29T00:00:00.000000Z"),
    ],
)
def test_a_date_time_of_the_schema_is_an_instant(text: str, instant: str) -> None:
    schema = {"properties": {"at": TIME, "in": {"items": {"anyOf": [TIME, {"type": "null"}]}}}}
    written = json.loads(
        encode_transit({"at": text, "in": [text], "name": text}, find_places(schema))
    )
    assert written == ["^ ", "at", f"~t{instant}", "in", [f"~t{instant}"], "name", text]
    found = read_by_library(encode_transit([text], find_places({"items": TIME})))
    read = datetime.fromisoformat(instant[:26]).replace(tzinfo=timezone.utc)
    assert found[0] == read


def test_a_date_time_that_is_none_stays_a_text() -> None:
    assert encode_transit(["~soon"], find_places({"items": TIME})) == b'["~~soon"]'
