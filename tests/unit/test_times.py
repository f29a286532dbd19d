"""Whatever form a tap writes a time in, it is read to the nanosecond."""

from __future__ import annotations

import calendar
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.times import TimeReader


def unix_ns(*moment: int, nanos: int = 0) -> int:
    """Return the Unix nanoseconds of a UTC moment, computed in whole seconds."""
    return calendar.timegm((*moment, 0, 0, 0)[:6]) * 1_000_000_000 + nanos


AT = unix_ns(2024, 2, 29, 23, 59, 58)


@pytest.mark.parametrize(
    ("text", "expected", "canonical"),
    [
        # the forms of UTC
        ("2024-02-29T23:59:58Z", AT, "2024-02-29T23:59:58.000000Z"),
        ("2024-02-29T23:59:58z", AT, "2024-02-29T23:59:58.000000Z"),
        ("2024-02-29t23:59:58z", AT, "2024-02-29T23:59:58.000000Z"),
        ("2024-02-29T23:59:58+00:00", AT, "2024-02-29T23:59:58.000000Z"),
        ("2024-02-29T23:59:58-00:00", AT, "2024-02-29T23:59:58.000000Z"),
        ("2024-02-29 23:59:58 Z", AT, "2024-02-29T23:59:58.000000Z"),
        ("  2024-02-29T23:59:58Z\n", AT, "2024-02-29T23:59:58.000000Z"),
        # no zone is UTC
        ("2024-02-29T23:59:58", AT, "2024-02-29T23:59:58.000000Z"),
        ("2024-02-29 23:59:58.5", AT + 500_000_000, "2024-02-29T23:59:58.500000Z"),
        ("2024-02-29T23:59", AT - 58_000_000_000, "2024-02-29T23:59:00.000000Z"),
        ("2024-02-29", unix_ns(2024, 2, 29, 0, 0, 0), "2024-02-29T00:00:00.000000Z"),
        # offsets, with and without a colon and minutes
        ("2024-03-01T01:59:58+02:00", AT, "2024-02-29T23:59:58.000000Z"),
        ("2024-03-01T01:59:58+0200", AT, "2024-02-29T23:59:58.000000Z"),
        ("2024-03-01T01:59:58+02", AT, "2024-02-29T23:59:58.000000Z"),
        ("2024-03-01 01:59:58 +02:00", AT, "2024-02-29T23:59:58.000000Z"),
        ("2024-03-01T05:29:58+05:30", AT, "2024-02-29T23:59:58.000000Z"),
        ("2024-02-29T16:14:58-0745", AT, "2024-02-29T23:59:58.000000Z"),
        ("2024-03-01T23:58:58+23:59", AT, "2024-02-29T23:59:58.000000Z"),
        # the ends of what a calendar holds
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000_000, "0001-01-01T00:00:00.000000Z"),
        (
            "9999-12-31T23:59:59.999999999Z",
            253_402_300_799_999_999_999,
            "9999-12-31T23:59:59.999999Z",
        ),
        ("1969-12-31T23:59:59.999999999Z", -1, "1969-12-31T23:59:59.999999Z"),
        ("2000-02-29T00:00:00Z", unix_ns(2000, 2, 29, 0, 0, 0), "2000-02-29T00:00:00.000000Z"),
    ],
)
def test_each_form_of_a_time_is_read(text: str, expected: int, canonical: str) -> None:
    assert TimeReader().read(text) == (expected, canonical.encode())


@pytest.mark.parametrize("zone", ["Z", "z", "+00:00", "+0000", ""])
@pytest.mark.parametrize(
    ("fraction", "nanos"),
    [
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
    ],
)
def test_a_fraction_is_exact_to_the_nanosecond(fraction: str, nanos: int, zone: str) -> None:
    # Given a reader that is new, and one that knows the second already: two ways to one result.
    fresh, knowing = TimeReader(), TimeReader()
    knowing.read("2024-02-29T23:59:58Z")
    text = f"2024-02-29T23:59:58{fraction}{zone}"
    expected = (AT + nanos, f"2024-02-29T23:59:58.{nanos // 1000:06d}Z".encode())
    assert fresh.read(text) == expected
    assert knowing.read(text) == expected


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
        "\u0662\u0660\u0662\u0664-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",  # before the first year
        "9999-12-31T23:59:59-01:00",  # after the last
    ],
)
def test_what_is_no_time_is_not_guessed(text: str) -> None:
    # Given a reader that is new, and one that has read the same second in a good form.
    fresh, knowing = TimeReader(), TimeReader()
    knowing.read("2024-01-01T00:00:00Z")
    assert fresh.read(text) is None
    assert knowing.read(text) is None


def test_an_unreadable_time_does_not_spoil_the_next() -> None:
    reader = TimeReader()
    reader.read("2024-02-29T23:59:58Z")
    reader.read("2024-02-29T23:59:58.x5Z")
    assert reader.read("2024-02-29T23:59:58.5Z") == (
        AT + 500_000_000,
        b"2024-02-29T23:59:58.500000Z",
    )


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.datetimes(), st.integers(0, 999), st.sampled_from(["Z", "", "+00:00", "+01:00"])
        ),
        max_size=20,
    )
)
def test_a_reader_says_the_same_whatever_it_read_before(
    moments: list[tuple[object, int, str]],
) -> None:
    reader = TimeReader()
    for moment, nanos, zone in moments:
        text = f"{moment!s:.19}.{nanos:09d}{zone}"
        assert reader.read(text) == TimeReader().read(text)


PLAIN = "2024-02-29T23:59:58.{:06}{}"
plain = st.builds(PLAIN.format, st.integers(0, 999_999), st.sampled_from(["Z", "+00:00"]))
of_a_tap = st.one_of(
    plain,
    plain.map(lambda text: text.replace("58.", "59.")),
    plain.map(lambda text: text.replace("T", " ")),
    plain.map(lambda text: text.replace("02-29", "02-30")),
    plain.map(lambda text: text[:-1] + " "),
    st.sampled_from(["2024-W09-4T23:59:58.000001Z", "20240229T235958.123.000001Z", "é" * 16]),
)
of_two_seconds = st.tuples(
    st.lists(plain, min_size=3, max_size=6),
    st.lists(plain.map(lambda text: text.replace("58.", "59.")), min_size=3, max_size=6),
    st.lists(of_a_tap, max_size=1),
).map(lambda times: [*times[0], *times[1], *times[2]])


@st.composite
def of_one_form(draw: st.DrawFn) -> list[str]:
    """Return times as one tap writes them, in whatever form, and perhaps one that is spoilt."""
    between, point = draw(st.sampled_from(["T", " ", "t"])), draw(st.sampled_from(".,"))
    width = draw(st.sampled_from([0, 1, 3, 6, 7, 9, 10]))
    zones = ["Z", "z", "", "+00:00", "+02:00", "-0330", " +02:00", "+2", "Z ", "\n", "Z\x1c"]
    zone = draw(st.sampled_from(zones))
    seconds = st.sampled_from(
        ["2024-02-29{}23:59:58", "2024-02-29{}23:59:59", "1969-12-31{}23:59:58"]
    )
    digits = st.integers(0, 10**width - 1).map(lambda number: f"{number:0{width}}")
    texts = [
        second.format(between) + (point + fraction if width else "") + zone
        for second in draw(st.lists(seconds, min_size=1, max_size=2, unique=True))
        for fraction in draw(st.lists(digits, min_size=4, max_size=7))
    ]
    spoilt = draw(st.none() | st.tuples(st.integers(0, len(texts) - 1), st.integers(0, 18)))
    if spoilt is not None:
        number, place = spoilt
        texts[number] = (
            texts[number][:place] + draw(st.sampled_from("9x ")) + texts[number][place + 1 :]
        )
    return texts


@settings(deadline=None, max_examples=600)
@given(st.lists(of_a_tap, min_size=1, max_size=6) | of_two_seconds | of_one_form())
def test_many_times_are_read_as_each_is(texts: list[str]) -> None:
    # Given times of one length, as a tap writes them in a row
    texts = [text for text in texts if len(text.encode()) == len(texts[0].encode())]
    # When they are read at once
    found = TimeReader().read_many([text.encode() for text in texts])
    # Then each is as if it had been read alone, unless one is in doubt
    alone = [TimeReader().read(text) for text in texts]
    if found is None:
        assert None in alone or any(text != text.strip() for text in texts)
    else:
        moments, written = found
        as_written = [text[:26] + b"Z" for text in written]  # by the form of a message
        assert list(zip(map(int, moments), as_written, strict=True)) == alone


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("2024-02-29T23:59:58.{:03}Z", "2024-02-29T23:59:58.{:03}000"),
        ("2024-02-29 23:59:58.{:06}", "2024-02-29T23:59:58.{:06}"),
        ("2024-03-01T01:59:58.{:09}+02:00", "2024-02-29T23:59:58.{:09}"),
        ("2024-02-29T23:59:58.{:09}Z", "2024-02-29T23:59:58.{:09}Z"),
    ],
)
def test_times_in_whatever_form_are_read_together(form: str, written: str) -> None:
    # Given times of one second
    texts = [form.format(number).encode() for number in range(20)]
    # When they are read at once, none of them is read alone
    with mock.patch.object(TimeReader, "read"):
        found = TimeReader().read_many(texts)
    # Then they are as the API takes them, up to the microseconds
    assert found is not None
    assert [*found[1]] == [written.format(number).encode() for number in range(20)]


def test_many_times_that_are_no_text_are_not_read() -> None:
    assert TimeReader().read_many([b"2024-02-29T23:59:58Z\x1c\x1d"]) is None
    assert TimeReader().read_many([b"2024-02-29T23:59:5\xff"]) is None
    assert TimeReader().read_many([b"2024-02-29T23:59:5\xff.000000Z"]) is None
