"""Every word that a stream map knows, over a real pipe, into the rows of the emulator.

Each case below is a stream of its own, with the same records; one run loads them all.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from target_stitch_import.emulator import list_tables, read_table, running_emulator
from tests.support.messages import record, schema, state, tap_output
from tests.support.running import Run, piped

if TYPE_CHECKING:
    from pathlib import Path

    from target_stitch_import.emulator import Emulator

Rows = list[dict[str, Any]]

PROPERTIES: dict[str, Any] = {
    "id": {"type": "integer"},
    "email": {"type": "string"},
    "amount": {"type": ["null", "number"]},
}
EXACT = Decimal("0.1234567890123456789012345")
RECORDS = [
    f'{{"id": 1, "email": "a@x.org", "amount": {EXACT}}}',
    '{"id": 2, "email": "b@x.org", "amount": 2.50}',
]
ONE = {"id": 1, "email": "a@x.org", "amount": EXACT}
TWO = {"id": 2, "email": "b@x.org", "amount": Decimal("2.50")}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


CASES: dict[str, tuple[dict[str, Any], Rows]] = {
    # what the map does to a stream of this name: the map, and the rows of its table
    "renames_a_property": (
        {"total": "amount", "amount": None},
        [
            {"id": 1, "email": "a@x.org", "total": EXACT},
            {"id": 2, "email": "b@x.org", "total": Decimal("2.50")},
        ],
    ),
    "removes_a_property": (
        {"email": "__NULL__", "amount": None},
        [{"id": 1}, {"id": 2}],
    ),
    "filters": ({"__filter__": "email == 'b@x.org'"}, [TWO]),
    "computes": (
        {
            "twice": "int(id * 2)",
            "half": "float(amount) / 2",
            "large": "bool(amount > 1)",
            "text": "str(amount)",
            "day": "datetime.date(2024, 1, id)",
            "name": "email.split('@')[0]",
            "constant": "'eu'",
            "itself": "record",
            "__filter__": "id == 2",
        },
        [
            {
                **TWO,
                "twice": 4,
                "half": Decimal("1.25"),
                "large": True,
                "text": "2.50",
                "day": "2024-01-02",
                "name": "b",
                "constant": "eu",
                "itself": TWO,
            }
        ],
    ),
    "changes_in_place": (
        {"email": "self.upper()", "__filter__": "id == 1"},
        [{**ONE, "email": "A@X.ORG"}],
    ),
    "keeps_what_is_named": (
        {"id": "id", "amount": "amount", "__else__": None},
        [{"id": 1, "amount": EXACT}, {"id": 2, "amount": Decimal("2.50")}],
    ),
    "keeps_what_is_named_in_the_other_spelling": (
        {"id": "id", "__else__": "__NULL__"},
        [{"id": 1}, {"id": 2}],
    ),
    "has_other_keys": (
        {"__key_properties__": ["email"], "id": None, "amount": None},
        [
            {"email": "a@x.org"},
            {"email": "b@x.org"},
        ],
    ),
    "hashes": (
        {
            "email": "sha256(config['salt'] + email)",
            "short": "md5(email)",
            "amount": None,
        },
        [
            {"id": 1, "email": sha256("pepper" + "a@x.org"), "short": md5("a@x.org")},
            {"id": 2, "email": sha256("pepper" + "b@x.org"), "short": md5("b@x.org")},
        ],
    ),
    "knows_its_name": (
        {"table": "__stream_name__", "__filter__": "id == 1"},
        [{**ONE, "table": "knows_its_name"}],
    ),
    "writes_and_reads_json": (
        {
            "text": "json.dumps(record)",
            "amount": "json.loads(str(amount))",
            "__filter__": "id == 1",
        },
        [{**ONE, "text": RECORDS[0]}],
    ),
    "stays_as_it_is": ({}, [ONE, TWO]),
}


def messages(*streams: str) -> bytes:
    """Return what a tap writes of streams that have the same records, and a STATE."""
    lines = []
    for stream in streams:
        lines += [schema(stream, PROPERTIES), *(record(text, stream) for text in RECORDS)]
    return tap_output(*lines, state({"done": True}))


def mapped(emulator: Emulator, folder: Path, maps: dict[str, Any], data: bytes) -> Run:
    """Pipe what a tap writes through stream maps into the emulator."""
    config = {
        "token": "t",
        "api_url": emulator.url,
        "stream_maps": maps,
        "stream_map_config": {"salt": "pepper"},
    }
    return piped(config, folder, data)


class Loaded(NamedTuple):
    """What one run has left behind."""

    run: Run
    rows: dict[str, Rows]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Run the target once, over the streams of all cases."""
    folder = tmp_path_factory.mktemp("mapping")
    maps = {name: stream_map for name, (stream_map, _) in CASES.items()}
    with running_emulator(database=folder / "stitch.db") as emulator:
        run = mapped(emulator, folder, maps, messages(*CASES))
        tables = list_tables(emulator.database)
        return Loaded(run, {name: read_table(emulator.database, name) for name in tables})


@pytest.mark.parametrize("case", CASES)
def test_a_stream_map_shapes_the_rows_of_a_stream(case: str, cases: Loaded) -> None:
    # given a stream, and a map for it
    # when it is piped through the target
    assert cases.run.exit_code == 0, cases.run.stderr
    assert cases.run.states == [{"done": True}]
    # then the rows are as the map makes them
    assert cases.rows[case] == CASES[case][1]


def test_no_expression_changes_the_digits_of_what_it_passes_on(cases: Loaded) -> None:
    # given maps that name a decimal of 25 digits, and one that has a record of it as text
    # when they are applied
    # then each digit is there
    assert cases.rows["renames_a_property"][0]["total"] == EXACT
    assert json.loads(cases.rows["writes_and_reads_json"][0]["text"], parse_float=Decimal) == ONE


def test_one_stream_loads_two_tables(emulator: Emulator, tmp_path: Path) -> None:
    # given a map that gives a stream another name, and one that copies it with other keys
    maps = {
        "people": {"__alias__": "customers", "was": "__original_stream_name__"},
        "addresses": {
            "__source__": "people",
            "email": "email",
            "__key_properties__": ["email"],
            "__else__": None,
        },
    }
    # when it is piped through the target
    run = mapped(emulator, tmp_path, maps, messages("people"))
    # then both tables have their rows
    assert run.exit_code == 0, run.stderr
    assert sorted(list_tables(emulator.database)) == ["addresses", "customers"]
    assert read_table(emulator.database, "addresses") == [
        {"email": "a@x.org"},
        {"email": "b@x.org"},
    ]
    assert read_table(emulator.database, "customers") == [
        {**ONE, "was": "people"},
        {**TWO, "was": "people"},
    ]


def test_a_pattern_maps_every_stream_that_fits_it(emulator: Emulator, tmp_path: Path) -> None:
    # given a map for all streams of a schema, whose names lose a prefix
    maps = {"public-*": {"__alias__": "__stream_name__.replace('public-', '')", "email": None}}
    # when three streams are piped through the target, of which two fit
    data = messages("public-people", "public-orders", "private")
    run = mapped(emulator, tmp_path, maps, data)
    # then these two are mapped
    assert run.exit_code == 0, run.stderr
    tables = list_tables(emulator.database)
    rows = {name: read_table(emulator.database, name) for name in tables}
    assert {name: sorted(found[0]) for name, found in rows.items()} == {
        "people": ["amount", "id"],
        "orders": ["amount", "id"],
        "private": ["amount", "email", "id"],
    }


@pytest.mark.parametrize("nothing", [None, "__NULL__"])
def test_streams_are_left_out(nothing: str | None, emulator: Emulator, tmp_path: Path) -> None:
    # given a map that names a stream to be left out, and one for all that are not named
    omitted = {"orders": nothing}
    only: dict[str, Any] = {"people": {}, "__else__": nothing}
    # when streams are piped through the target
    for maps in (omitted, only):
        run = mapped(emulator, tmp_path, maps, messages("orders", "people"))
        # then the run is a good one, and the STATE goes on
        assert (run.exit_code, run.states) == (0, [{"done": True}]), run.stderr
    # and there is no table of it
    assert list_tables(emulator.database) == ["people"]


def test_a_table_without_keys_takes_every_version(emulator: Emulator, tmp_path: Path) -> None:
    # given a map that takes the keys away
    maps: dict[str, Any] = {"people": {"__key_properties__": [], "id": None, "amount": None}}
    # when the same records are loaded twice
    for _ in range(2):
        assert mapped(emulator, tmp_path, maps, messages("people")).exit_code == 0
    # then each is a row of its own
    found = [row["email"] for row in read_table(emulator.database, "people")]
    assert sorted(found) == ["a@x.org", "a@x.org", "b@x.org", "b@x.org"]


def test_what_fake_needs_is_no_part_of_this_target(emulator: Emulator, tmp_path: Path) -> None:
    # given an expression for which the SDK has an extra of its own
    # when it is used
    maps = {"people": {"email": "fake.email()"}}
    run = mapped(emulator, tmp_path, maps, messages("people"))
    # then the run stops at the record, and says what can't be done
    assert run.exit_code == 1
    assert "the stream map of 'people' can't be applied to a record" in run.last_line
    assert "fake.email()" in run.last_line
