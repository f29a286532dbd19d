"""Whatever form a tap writes a time in, it is read to the nanosecond."""

from __future__ import annotations

import calendar
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.sequences import timestamps as times
from target_stitch_import.sequences.timestamps import TimestampReader


def unix_ns(*moment: int, nanos: int = 0) -> int:
    """Return the Unix nanoseconds of a UTC moment, computed in whole seconds."""
    return calendar.timegm((*moment, 0, 0, 0)[:6]) * 1_000_000_000 + nanos


def read(text: Any, reader: TimestampReader | None = None) -> tuple[int, bytes]:
    """Read one time; return its Unix nanoseconds, and how it is written to the microsecond."""
    (time_ns,), (written,) = (reader or TimestampReader()).read([text])
    return time_ns, written[:26]


AT = unix_ns(2024, 2, 29, 23, 59, 58)


@pytest.mark.parametrize(
    ("text", "expected", "written"),
    [
        # the forms of UTC
        ("2024-02-29T23:59:58Z", AT, "2024-02-29T23:59:58.000000"),
        ("2024-02-29T23:59:58z", AT, "2024-02-29T23:59:58.000000"),
        ("2024-02-29t23:59:58z", AT, "2024-02-29T23:59:58.000000"),
        ("2024-02-29T23:59:58+00:00", AT, "2024-02-29T23:59:58.000000"),
        ("2024-02-29T23:59:58-00:00", AT, "2024-02-29T23:59:58.000000"),
        ("2024-02-29 23:59:58 Z", AT, "2024-02-29T23:59:58.000000"),
        ("  2024-02-29T23:59:58Z\n", AT, "2024-02-29T23:59:58.000000"),
        # no zone is UTC
        ("2024-02-29T23:59:58", AT, "2024-02-29T23:59:58.000000"),
        ("2024-02-29 23:59:58.5", AT + 500_000_000, "2024-02-29T23:59:58.500000"),
        ("2024-02-29T23:59", AT - 58_000_000_000, "2024-02-29T23:59:00.000000"),
        ("2024-02-29", unix_ns(2024, 2, 29, 0, 0, 0), "2024-02-29T00:00:00.000000"),
        # offsets, with and without a colon and minutes
        ("2024-03-01T01:59:58+02:00", AT, "2024-02-29T23:59:58.000000"),
        ("2024-03-01T01:59:58+0200", AT, "2024-02-29T23:59:58.000000"),
        ("2024-03-01T01:59:58+02", AT, "2024-02-29T23:59:58.000000"),
        ("2024-03-01 01:59:58 +02:00", AT, "2024-02-29T23:59:58.000000"),
        ("2024-03-01T05:29:58+05:30", AT, "2024-02-29T23:59:58.000000"),
        ("2024-02-29T16:14:58-0745", AT, "2024-02-29T23:59:58.000000"),
        ("2024-03-01T23:58:58+23:59", AT, "2024-02-29T23:59:58.000000"),
        # the ends of what a calendar holds
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000_000, "0001-01-01T00:00:00.000000"),
        (
            "9999-12-31T23:59:59.999999999Z",
            253_402_300_799_999_999_999,
            "9999-12-31T23:59:59.999999",
        ),
        ("1969-12-31T23:59:59.999999999Z", -1, "1969-12-31T23:59:59.999999"),
        ("2000-02-29T00:00:00Z", unix_ns(2000, 2, 29, 0, 0, 0), "2000-02-29T00:00:00.000000"),
    ],
)
def test_each_form_of_a_time_is_read(text: str, expected: int, written: str) -> None:
    assert read(text) == (expected, written.encode())


SECOND = "2024-02-29T23:59:58"
FRACTIONS = [
    ("", 0),
    (".1", 100_000_000),
    (".12", 120_000_000),
    (".123", 123_000_000),
    (".1234", 123_400_000),
    (".12345", 123_450_000),
    (".123456", 123_456_000),
    (".1234567", 123_456_700),
    (".12345678", 123_456_780),
    (".123456789", 123_456_789),
    (".1234567899", 123_456_789),
    (".000000001", 1),
    (".999999999999999999999", 999_999_999),
    (",5", 500_000_000),
]


@pytest.mark.parametrize("zone", ["Z", "z", "+00:00", "+0000", ""])
@pytest.mark.parametrize(("fraction", "nanos"), FRACTIONS)
def test_a_fraction_is_exact_to_the_nanosecond(fraction: str, nanos: int, zone: str) -> None:
    # given a reader that is new, and one that knows the second already: two ways to one result
    text = f"{SECOND}{fraction}{zone}"
    knowing = TimestampReader()
    knowing.read([f"{SECOND}Z"])
    # then both read the same
    expected = (AT + nanos, f"{SECOND}.{nanos // 1000:06d}".encode())
    assert read(text) == expected
    assert read(text, knowing) == expected


@pytest.mark.parametrize("zone", ["Z", "+00:00", "+02:00"])
def test_times_of_one_tap_may_be_of_any_width(zone: str) -> None:
    # given what a tap writes that leaves out zeros: Python's isoformat, or Go's RFC3339Nano
    texts = [f"{SECOND}{fraction}{zone}" for fraction, _ in FRACTIONS] * 2
    # when they are read together, then each is as it is alone
    times_ns, written = TimestampReader().read(texts)
    expected = [read(text) for text in texts]
    assert [(ns, text[:26]) for ns, text in zip(times_ns, written, strict=True)] == expected
    assert all(each[1] for each in expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "1700000000",
        "2023-02-29T00:00:00Z",  # no leap year
        "1900-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-01-01T25:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:61Z",
        "2024-01-01T00:00:00.Z",
        "2024-01-01T00:00:00.12x4Z",
        "2024-01-01T00:00:00+24:00",
        "2024-01-01T00:00:00+02:60",
        "2024-01-01T00:00:00+2",
        "2024-01-01T00:00:00ZZ",
        "2024-01-01T00:00:00 UTC",
        "2024-01-01T00:00:00.\u0665Z",
        "2024-01-01T00:00:00.\u00b2Z",
        "2024-01-01T00:00:00.1_0Z",
        "\u0662\u0660\u0662\u0664-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",  # before the first year
        "9999-12-31T23:59:59-01:00",  # after the last
        *(None, 5, 1.5, True, [], {}, ["2024-01-01T00:00:00.5Z"], [*"2024-01-01T00:00:00.5Z"]),
    ],
)
def test_what_is_no_time_is_not_guessed(text: Any) -> None:
    # given a reader that is new, and one that has read the same second in a good form
    knowing = TimestampReader()
    knowing.read(["2024-01-01T00:00:00Z"])
    # then neither makes a time of it
    assert read(text) == (0, b"")
    assert read(text, knowing) == (0, b"")


def test_an_unreadable_time_does_not_spoil_the_next() -> None:
    texts = [f"{SECOND}Z", f"{SECOND}.x5Z", f"{SECOND}.5Z"]
    times_ns, written = TimestampReader().read(texts)
    assert times_ns == [AT, 0, AT + 500_000_000]
    assert [text[:26].decode() for text in written] == [f"{SECOND}.000000", "", f"{SECOND}.500000"]


def test_midnight_at_the_end_of_a_day_has_no_fraction() -> None:
    # given a reader that has read the end of a day, which is the start of the next one
    reader = TimestampReader()
    assert read("2024-02-29T24:00:00.0Z", reader)[0] == unix_ns(2024, 3, 1, 0, 0, 0)
    # when a time behind it comes, then no clock has it
    assert read("2024-02-29T24:00:00.5Z", reader) == (0, b"")


def test_no_more_seconds_are_remembered_than_the_memory_is_meant_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a reader that may remember two seconds
    monkeypatch.setattr(times, "_MAX_REMEMBERED", 2)
    reader = TimestampReader()
    # when it reads many, then it remembers no more, and reads them all
    texts = [f"2024-02-29T23:59:{second:02}.5Z" for second in range(60)] * 2
    times_ns, _ = reader.read(texts)
    assert times_ns == [AT + (second - 58) * 10**9 + 5 * 10**8 for second in range(60)] * 2
    assert len(reader._seconds) <= 2


# What taps write, nearly write, and what nobody would
dates = st.sampled_from(
    ["2024-02-29", "2024-02-30", "1969-12-31", "0001-01-01", "9999-12-31", "1970-01-01"]
) | st.dates().map(str)
fractions = st.sampled_from(["", ".", ",5", ".123456", ".x", ".\u0665"]) | st.text(
    "0123456789", min_size=1, max_size=12
).map(".{}".format)
clocks = st.sampled_from(["23:59:58", "23:59:59", "00:00:00", "00:00", "23:59", "25:00:00"])
zones = st.sampled_from(
    [
        "Z",
        "z",
        "",
        "+00:00",
        "-00:00",
        "+02:00",
        "-0330",
        " +02:00",
        "+2",
        "+14",
        "Z ",
        "\n",
        "Z\x1c",
    ]
)
written_by_taps = st.builds(
    lambda before, date, between, clock, fraction, zone: (
        before + date + between + clock + fraction + zone
    ),
    st.sampled_from(["", "", "", " "]),
    dates,
    st.sampled_from(["T", "T", "T", " ", "t", "_"]),
    clocks,
    fractions,
    zones,
)
any_values = st.one_of(
    *[written_by_taps] * 4,
    dates,
    st.text(max_size=30),
    st.none(),
    st.integers(),
    st.lists(st.text()),
)


@settings(deadline=None, max_examples=500)
@given(st.lists(any_values, max_size=20))
def test_whatever_comes_each_is_read_as_by_a_plain_parser(texts: list[Any]) -> None:
    # given anything in the place of a time; when it is read together with others
    times_ns, written = TimestampReader().read(texts)
    # then each is what a plain parser makes of it
    found = [(time, text[:26]) for time, text in zip(times_ns, written, strict=True)]
    assert found == [plain_reading(text) for text in texts]


PLAIN = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}:[0-9]{2})(?:(:[0-9]{2})(?:[.,]([0-9]+))?)?)?"
    r" ?(?:([Zz])|([+-])([01][0-9]|2[0-3]):?([0-5][0-9])?)?"
)


def plain_reading(text: Any) -> tuple[int, bytes]:
    """Return the Unix nanoseconds of a time, and how it is written; 0 and nothing without any."""
    match = PLAIN.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or (match[6] and not match[8] and match[0].endswith(":")):
        return 0, b""
    date, minute, second, fraction, _, sign, hours, minutes = match.groups()
    try:
        moment = datetime.strptime(
            f"{date} {minute or '00:00'}{second or ':00'}+0000", "%Y-%m-%d %H:%M:%S%z"
        )
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
            moment = moment - offset if sign == "+" else moment + offset
    except (ValueError, OverflowError):
        return 0, b""
    nanos = int(f"{fraction or '':0<9.9}")
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    seconds = since.days * 86_400 + since.seconds
    text = f"{moment.replace(tzinfo=None).isoformat()}.{nanos // 1_000:06}"
    return seconds * 10**9 + nanos, text.encode()
