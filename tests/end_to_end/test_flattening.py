"""Flattening, over a real pipe, into the rows of the emulator: names, depth, and every digit."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from target_stitch_import.emulator import read_table
from tests.support.messages import record, schema, tap_output
from tests.support.running import piped

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator

PROPERTIES: dict[str, Any] = {
    "id": {"type": "integer"},
    "place": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "where": {
                "type": "object",
                "properties": {"latitude": {"type": "number"}, "heights": {"type": "array"}},
            },
        },
    },
}
LATITUDE = Decimal("59.9138689000000000000000001")
HEIGHTS = '[1.10,{"peak":12345678901234567890.10}]'
RECORD = (
    f'{{"id": 12345678901234567890, "place": {{"city": "Troms\\u00f8", '
    f'"where": {{"latitude": {LATITUDE}, "heights": {HEIGHTS}}}}}}}'
)
ID = 12345678901234567890
WHERE = f'{{"latitude":{LATITUDE},"heights":{HEIGHTS}}}'

CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # what it is, the settings, the row
    (
        "no depth, so nothing is taken apart",
        {"flattening_max_depth": 0},
        {
            "id": ID,
            "place": {
                "city": "Tromsø",
                "where": {
                    "latitude": LATITUDE,
                    "heights": [Decimal("1.10"), {"peak": Decimal("12345678901234567890.10")}],
                },
            },
        },
    ),
    (
        "one level, and what is deeper as text",
        {"flattening_max_depth": 1},
        {"id": ID, "place__city": "Tromsø", "place__where": WHERE},
    ),
    (
        "all levels",
        {"flattening_max_depth": 9},
        {
            "id": ID,
            "place__city": "Tromsø",
            "place__where__latitude": LATITUDE,
            "place__where__heights": HEIGHTS,
        },
    ),
    (
        "another separator",
        {"flattening_max_depth": 1, "flattening_separator": "."},
        {"id": ID, "place.city": "Tromsø", "place.where": WHERE},
    ),
    (
        "short names",
        {"flattening_max_depth": 9, "flattening_max_key_length": 14},
        {
            "id": ID,
            "place__city": "Tromsø",
            "pla__whe__lat": LATITUDE,
            "pla__whe__hei": HEIGHTS,
        },
    ),
    (
        "behind a stream map, which sees the record as it came",
        {
            "flattening_max_depth": 1,
            "stream_maps": {
                "orders": {"latitude": "str(place['where']['latitude'])", "place": None}
            },
        },
        {"id": ID, "latitude": str(LATITUDE)},
    ),
    (
        "what a stream map makes is flattened, too",
        {
            "flattening_max_depth": 1,
            "stream_maps": {"orders": {"there": "place", "place": "__NULL__"}},
        },
        {"id": ID, "there__city": "Tromsø", "there__where": WHERE},
    ),
]


@pytest.mark.parametrize(
    ("settings", "row"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_flattening_takes_records_apart_and_keeps_their_digits(
    settings: dict[str, Any], row: dict[str, Any], emulator: Emulator, tmp_path: Path
) -> None:
    # given nested records with numbers that no float holds
    data = tap_output(schema(properties=PROPERTIES), record(RECORD))
    config = {"token": "t", "api_url": emulator.url, "flattening_enabled": True, **settings}
    # when they are piped through the target
    run = piped(config, tmp_path, data)
    # then the columns have these names, and every digit
    assert run.exit_code == 0, run.stderr
    assert read_table(emulator.database, "orders") == [row]


def test_flattening_needs_a_depth(emulator: Emulator, tmp_path: Path) -> None:
    # given flattening without a depth
    config = {"token": "t", "api_url": emulator.url, "flattening_enabled": True}
    # when the target is started
    run = piped(config, tmp_path, b"")
    # then it says which setting it lacks
    assert run.exit_code == 1
    assert "flattening_max_depth is required" in run.last_line
