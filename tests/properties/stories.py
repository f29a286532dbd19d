"""Stories: what taps tell a target, as messages and in the many forms that these may be written in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from hypothesis import strategies as st

if TYPE_CHECKING:
    import random

Pairs: TypeAlias = list[tuple[str, Any]]
"""The names and values of an object, in an order; a value may be ``Pairs``, ``Raw``, or of JSON."""


class Raw(str):
    """JSON text that is written as it stands."""

    __slots__ = ()


def message(kind: str, **fields: Any) -> Pairs:
    """Return a message."""
    return [("type", kind), *fields.items()]


# Streams

STREAMS = ["a", "b", "c"]
KEYS = {"a": ["id"], "b": ["id"], "c": ["id", "k 2"]}
COLUMNS: Pairs = [
    ("id", [("type", "integer")]),
    ("k 2", [("type", ["null", "string", "integer"])]),
    ("x", [("type", ["null", "string"])]),
    ("at", [("type", ["null", "string", "integer"])]),
    ("place", [("type", "integer")]),
]
SCHEMAS: list[Pairs] = [
    [("properties", COLUMNS)],
    [("properties", [*COLUMNS, ("n", [("type", "number"), ("minimum", 0)])])],
    [("properties", [*COLUMNS, ("n", [("not", [("type", "null")])])])],
    [("properties", COLUMNS), ("additionalProperties", False)],
    [
        ("type", "object"),
        ("properties", [*COLUMNS[:2], ("x", [("enum", ["a", "\u00e9", None])]), *COLUMNS[3:]]),
    ],
]

SECOND = "2024-02-29T23:59:5"
TIMES = st.one_of(
    st.none(),
    st.builds(
        "{}{}{}{}".format,
        st.just(SECOND),
        st.integers(0, 9),
        st.sampled_from(["", ".5", ".123", ".123456", ".000001", ".123456789"]),
        st.sampled_from(["Z", "+00:00", "+02:00"]),
    ),
    st.sampled_from(
        [
            "2024-02-29 23:59:58",
            "2024-03-01",
            "soon",
            "",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59.5Z",
            17,
            ["2024"],
        ]
    ),
)

FIELDS = {
    "id": st.integers(0, 4),
    "k 2": st.sampled_from(["k", "\u00e9", 7]),
    "x": st.sampled_from(["a", "\u00e9", None, "\n", '", "time_extracted": "1']),
    "at": st.one_of(st.integers(0, 9), TIMES),
    "n": st.sampled_from([1, 0.5, Raw("1.10"), Raw("1e400"), Raw("NaN"), Raw("9" * 30)]),
    "y": st.sampled_from([1, [("record", [("id", 1)])], [1, [2]], Raw('"\\ud83d\\ude00"')]),
    "_sdc_sequence": st.just(5),
    "__sdc_primary_key": st.just([1]),
    "_sdc_deleted_at": st.sampled_from([None, "2024-03-01T12:00:00Z"]),
}
ALWAYS = ["id", "k 2"]
MAYBE = ["x", "at", "n", "y", "_sdc_sequence", "__sdc_primary_key", "_sdc_deleted_at"]


@st.composite
def valid_records(draw: st.DrawFn) -> Pairs:
    """Draw a record that fits most of the schemas."""
    names = [*ALWAYS, *draw(st.lists(st.sampled_from(MAYBE), unique=True, max_size=2))]
    return [(name, draw(FIELDS[name])) for name in names]


INVALID_RECORDS: list[Pairs | Raw] = [
    [("id", "text"), ("k 2", "k")],
    [("id", None), ("k 2", "k")],
    [("x", "a")],
    [("id", 1), ("k 2", "k"), ("x", 5)],
    [("id", 1), ("k 2", "k"), ("n", -1)],
    [("id", 1), ("k 2", "k"), ("x", Raw('"\\ud800"'))],
    [("id", 1), ("k 2", "k"), ("y", Raw("9" * 5_000))],
    [("id", 1), ("k 2", Raw('"' + "k" * 256 + '"'))],
    Raw("[]"),
    Raw('"text"'),
    Raw("null"),
]


@st.composite
def record_messages(draw: st.DrawFn, streams: list[str], invalid: int) -> Pairs:
    """Draw a RECORD; one of ``invalid`` is not valid."""
    data: Pairs | Raw = draw(valid_records())
    if draw(st.integers(0, invalid)) == invalid:
        spoilt = draw(st.sampled_from(INVALID_RECORDS))
        data = spoilt if isinstance(spoilt, Raw) else [*spoilt]
    found = message("RECORD", stream=draw(st.sampled_from(streams)), record=data)
    for name, values in (("version", st.sampled_from([None, 1, 1, 2])), ("time_extracted", TIMES)):
        value = draw(values)
        if value is not None or draw(st.booleans()):
            found.append((name, value))
    return found


def schema_message(stream: str, number: int) -> Pairs:
    """Return a SCHEMA."""
    return message(
        "SCHEMA",
        stream=stream,
        schema=SCHEMAS[number],
        key_properties=KEYS[stream],
        bookmark_properties=["at"],
    )


STATES = st.one_of(
    st.integers(0, 99).map(lambda number: [("bookmarks", [("a", number), ("\u00e9", None)])]),
    st.sampled_from([Raw("{}"), Raw("null"), Raw('{"n":1.10}')]),
)
ENDS: list[Pairs | Raw] = [
    Raw('{"type":"RECORD","stream":"a","record":{"id":1}'),
    Raw("hello"),
    message("STATE", value=[1]),
    message("STATE"),
    message("RECORD", stream="new", record=[("id", 1)]),
    message("ACTIVATE_VERSION", stream="new", version=1),
    message("SCHEMA", stream="a", schema=[("type", "object")]),
    message("NEWS", stream="a"),
]
"""Messages that end a run with an error."""


@st.composite
def stories(draw: st.DrawFn) -> list[Pairs | Raw]:
    """Draw messages of a few streams."""
    invalid = draw(st.sampled_from([3, 30, 1_000]))
    streams = STREAMS[: draw(st.integers(1, 3))]
    records = record_messages(streams, invalid)
    states = STATES.map(lambda value: message("STATE", value=value))
    events = st.one_of(
        records,
        states,
        st.lists(records, min_size=2, max_size=8),
        st.lists(st.one_of(records, records, states), min_size=4, max_size=8),
        st.builds(schema_message, st.sampled_from(streams), st.integers(0, len(SCHEMAS) - 1)),
        st.builds(
            lambda stream, version: message("ACTIVATE_VERSION", stream=stream, version=version),
            st.sampled_from(streams),
            st.integers(1, 2),
        ),
    )
    story: list[Any] = [schema_message(stream, 0) for stream in streams]
    for event in draw(st.lists(events, max_size=20)):
        story += event if isinstance(event[0], list) else [event]
    for place, each in enumerate(story):  # so that no two records are alike
        fields = dict(each)
        if fields["type"] == "RECORD" and not isinstance(fields["record"], Raw):
            fields["record"].append(("place", place))
    if draw(st.integers(0, 9)) == 9:
        place = draw(st.integers(0, len(story)))
        story.insert(place, draw(st.sampled_from(ENDS)))
    return story


# Forms


@dataclass(frozen=True)
class Form:
    """A way to write a message as a line."""

    comma: str = ","
    colon: str = ":"
    shuffled: random.Random | None = None
    in_ascii: bool = True
    end: str = "\n"
    before: str = ""
    """Blank lines."""

    def line(self, data: Pairs | Raw) -> bytes:
        """Return the line, with its end."""
        return f"{self._text(data)}{self.end}".encode()

    def _text(self, data: Any) -> str:
        if isinstance(data, Raw):
            return str(data)
        if not _is_object(data):
            if isinstance(data, list):
                return "[" + self.comma.join(map(self._text, data)) + "]"
            return json.dumps(data, ensure_ascii=self.in_ascii)
        pairs = list(data)
        if self.shuffled is not None:
            self.shuffled.shuffle(pairs)
        return (
            "{"
            + self.comma.join(
                json.dumps(name, ensure_ascii=self.in_ascii) + self.colon + self._text(value)
                for name, value in pairs
            )
            + "}"
        )


def _is_object(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and all(isinstance(each, tuple) for each in data)


@dataclass(frozen=True)
class Written:
    """A story as bytes."""

    lines: list[bytes]
    messages: dict[int, int]
    """By the number of a line, the number of its message."""


def written_plainly(story: list[Pairs | Raw]) -> Written:
    """Write every message in the same form."""
    lines = [Form().line(each) for each in story]
    return Written(lines, {number: number for number in range(1, len(lines) + 1)})


def written_anyhow(story: list[Pairs | Raw], chance: random.Random) -> Written:
    """Write each message in another form: spaces, order, escapes, line ends, blank lines."""
    lines: list[bytes] = []
    messages: dict[int, int] = {}
    often = chance.choice([0.1, 0.5, 1.0])
    for number, each in enumerate(story, 1):
        form = Form()
        if chance.random() < often:
            form = Form(
                comma=chance.choice([",", ", ", " ,\t"]),
                colon=chance.choice([":", ": ", " : "]),
                shuffled=chance if chance.random() < 0.5 else None,
                in_ascii=chance.random() < 0.5,
                end=chance.choice(["\n", "\r\n", " \n", "\t\r\n"]),
            )
            lines += chance.choice([[], [], [b"\n"], [b"\r\n", b" \t\n"]])
        lines.append(form.line(each))
        messages[len(lines)] = number
    if chance.random() < 0.3:
        lines[0] = b"\xef\xbb\xbf" + lines[0]
    if chance.random() < 0.3 and not isinstance(
        story[-1], Raw
    ):  # a line may be broken, not cut off
        lines[-1] = lines[-1].rstrip(b"\r\n")
    return Written(lines, messages)


def cut(lines: list[bytes], chance: random.Random) -> list[bytes]:
    """Cut the bytes of lines anywhere."""
    data = b"".join(lines)
    places = sorted(chance.choices(range(len(data) + 1), k=chance.choice([1, 5, 30])))
    ends = [*places, len(data)]
    return [data[start:end] for start, end in zip([0, *places], ends, strict=True)]
