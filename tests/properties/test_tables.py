"""Any stream of messages ends with the tables that Singer and the API promise."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_stitch_import.emulator import list_tables, read_table, running_emulator
from tests.support.messages import activate, record, schema, state, tap_output
from tests.support.running import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_stitch_import.emulator import Emulator

COLUMNS: dict[str, dict[str, Any]] = {
    "n": {"type": ["null", "number"]},
    "i": {"type": ["null", "integer"]},
    "s": {"type": ["null", "string"]},
    "b": {"type": ["null", "boolean"]},
    "o": {"type": ["null", "object"]},
}
KEYED = {"k": {"type": "integer"}, "k 2": {"type": "string"}}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.one_of(
    st.integers(-(10**30), 10**30).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=None).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
scalars = st.one_of(st.just("null"), numbers, texts.map(json.dumps))
VALUES = {
    "n": st.one_of(st.just("null"), numbers),
    "i": st.one_of(st.just("null"), st.integers(-(10**30), 10**30).map(str)),
    "s": st.one_of(st.just("null"), texts.map(json.dumps)),
    "b": st.sampled_from(["null", "true", "false"]),
    "o": st.dictionaries(texts, scalars, max_size=3).map(
        lambda d: "{" + ",".join(f"{json.dumps(k)}: {v}" for k, v in d.items()) + "}"
    ),
}
KEYS = {"k": st.integers(0, 3).map(str), "k 2": st.sampled_from(['"a"', '"\\u00e9"'])}


@st.composite
def records(draw: st.DrawFn) -> str:
    """Draw the JSON text of a record, with some of the columns."""
    some = draw(st.sets(st.sampled_from(sorted(VALUES))))
    fields = {name: draw(text) for name, text in KEYS.items()}
    fields |= {name: draw(VALUES[name]) for name in sorted(some)}
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in fields.items()) + "}"


versions = st.sampled_from([None, 1, 2])
streams = st.sampled_from(["keyed", "one key", "keyless"])
events = st.one_of(
    st.tuples(st.just("record"), streams, records(), versions),
    st.tuples(st.just("schema"), streams, st.sets(st.sampled_from(sorted(COLUMNS)))),
    st.tuples(st.just("activate"), streams, st.sampled_from([1, 2])),
    st.tuples(st.just("state"), st.just("")),
)
KEY_PROPERTIES = {"keyed": ["k", "k 2"], "one key": ["k"], "keyless": []}


class Model:
    """What the tables must hold: a plain reading of Singer and of the API."""

    def __init__(self) -> None:
        self.columns: dict[str, list[str]] = {}
        self.rows: dict[str, list[tuple[int | None, dict[str, Any]]]] = {}

    def record(self, stream: str, text: str, version: int | None) -> None:
        data = json.loads(text, parse_float=Decimal)
        rows = self.rows.setdefault(stream, [])
        keys = KEY_PROPERTIES[stream]
        if keys:
            key = [data[name] for name in keys]
            rows[:] = [row for row in rows if [row[1][name] for name in keys] != key]
        rows.append((version, data))

    def activate(self, stream: str, version: int) -> None:
        rows = self.rows.setdefault(stream, [])
        rows[:] = [row for row in rows if row[0] == version]


def reported(story: list[tuple[Any, ...]], names: dict[str, str]) -> tuple[list[str], Model]:
    """Return the lines of a tap that tells a story, and what the tables must then hold."""
    model = Model()
    lines: list[str] = []
    for stream, name in names.items():
        properties = {**KEYED, **COLUMNS}
        lines.append(schema(name, properties, KEY_PROPERTIES[stream]))
    for place, (kind, stream, *rest) in enumerate(story):
        if kind == "record":
            more = {} if rest[1] is None else {"version": rest[1]}
            lines.append(record(rest[0], names[stream], **more))
            model.record(stream, *rest)
        elif kind == "schema":
            kept = {name: COLUMNS[name] for name in sorted(rest[0])}
            lines.append(
                schema(
                    names[stream],
                    {**KEYED, **COLUMNS, **kept, f"x{len(kept)}": {}},
                    KEY_PROPERTIES[stream],
                )
            )
        elif kind == "activate":
            lines.append(activate(rest[0], names[stream]))
            model.activate(stream, rest[0])
        else:
            lines.append(state({"at": place}))
    return lines, model


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Emulator, Iterator[int]]]:
    """Run one emulator for all examples, which take turns by the names of their tables."""
    with running_emulator(database=tmp_path_factory.mktemp("model") / "stitch.db") as running:
        yield running, itertools.count()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    story=st.lists(events, max_size=25),
    rows=st.sampled_from([1, 2, 3, 1000]),
    parallel=st.integers(1, 4),
    validate=st.booleans(),
)
def test_the_tables_are_what_the_messages_say(
    shared: tuple[Emulator, Iterator[int]],
    story: list[tuple[Any, ...]],
    rows: int,
    parallel: int,
    validate: bool,
) -> None:
    # given any messages of three streams, and any way to batch them
    emulator, count = shared
    example = next(count)
    names = {stream: f"{stream} {example}" for stream in KEY_PROPERTIES}
    lines, model = reported(story, names)
    config = {
        "token": "t",
        "api_url": emulator.url,
        "batch_size_rows": rows,
        "max_parallel_requests": parallel,
        "validate_records": validate,
    }
    # when they are loaded
    states, error = loaded(config, tap_output(*lines))
    # then each table holds what the model holds, digit by digit
    assert error is None
    tables = list_tables(emulator.database)
    for stream, name in names.items():
        expected = [row for _, row in model.rows.get(stream, [])]
        found = read_table(emulator.database, name) if name in tables else []
        assert _comparable(found) == _comparable(expected)
    # and the last STATE is the last one that came
    told_states = [line for line in lines if '"STATE"' in line]
    assert states[-1:] == [
        json.dumps(json.loads(line)["value"]).encode() for line in told_states[-1:]
    ]


def _comparable(rows: list[dict[str, Any]]) -> list[str]:
    """Return rows in an order of their own, without the columns that have no value."""
    return sorted(
        repr(sorted((name, _canonical(value)) for name, value in row.items() if value is not None))
        for row in rows
    )


def _canonical(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, Decimal)):
        sign, digits, exponent = Decimal(value).as_tuple()
        text = "".join(map(str, digits)).lstrip("0")
        kept = text.rstrip("0")
        return (
            "number",
            sign if kept else 0,
            kept,
            int(exponent) + len(text) - len(kept) if kept else 0,
        )
    if isinstance(value, dict):
        return sorted((name, _canonical(part)) for name, part in value.items())
    return value
