"""Date-times in all forms that taps write."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_stitch_import.datetimes import normalize_datetime


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-01T12:00:00Z",
        "2024-03-01T12:00:00.1Z",
        "2024-03-01T12:00:00.123456789Z",
        "2024-03-01T12:00:00+05:45",
        "2024-03-01T12:00:00.5-18:00",
        "2024-03-01T12:00:00-00:00",
        "2024-02-29T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999+00:00",
    ],
)
def test_what_the_service_takes_stays_as_it_is(text: str) -> None:
    assert normalize_datetime(text) == text


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("2024-03-01 12:00:00.1Z", "2024-03-01T12:00:00.1Z"),
        ("2024-03-01t12:00:00z", "2024-03-01T12:00:00Z"),
        ("2024-03-01T12:00:00", "2024-03-01T12:00:00Z"),
        ("2024-03-01 12:00:00.1", "2024-03-01T12:00:00.1Z"),
        ("2024-03-01 12:00:00+00", "2024-03-01T12:00:00+00:00"),
        ("2024-03-01T12:00:00-0530", "2024-03-01T12:00:00-05:30"),
        ("2024-03-01 12:00:00 +05:30", "2024-03-01T12:00:00+05:30"),
        ("2024-03-01T12:00:00 Z", "2024-03-01T12:00:00Z"),
        (" 2024-03-01T12:00:00Z\n", "2024-03-01T12:00:00Z"),
        ("2024-03-01", "2024-03-01T00:00:00Z"),
        ("2024-03-01T12:00", "2024-03-01T12:00:00Z"),
        ("2024-03-01 12:00+02:00", "2024-03-01T12:00:00+02:00"),
        ("2024-02-28T24:00:00Z", "2024-02-29T00:00:00Z"),
        ("2024-12-31 24:00", "2025-01-01T00:00:00Z"),
        ("2024-12-31T24:00:00.000+01:00", "2025-01-01T00:00:00.000+01:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T23:59:60.5+00:00", "2017-01-01T00:00:00.5+00:00"),
        ("2024-03-01T12:00:00,25Z", "2024-03-01T12:00:00.25Z"),
        ("2024-03-01T12:00:00.1234567899Z", "2024-03-01T12:00:00.123456789Z"),
        ("1890-01-01 00:00:00+05:41:16", "1889-12-31T18:18:44Z"),
        ("1890-01-01 00:00:00-05:41:16", "1890-01-01T05:41:16Z"),
        ("1890-01-01 24:00:00-05:41:16", "1890-01-02T05:41:16Z"),
        ("2024-03-01T12:00:00+18:01", "2024-02-29T17:59:00Z"),
    ],
)
def test_what_is_clear_gets_the_form_that_the_service_takes(text: str, normalized: str) -> None:
    assert normalize_datetime(text) == normalized
    assert normalize_datetime(normalized) == normalized


@pytest.mark.parametrize(
    "text",
    [
        "",
        "infinity",
        "soon",
        "0000-00-00",
        "0000-00-00 00:00:00",
        "0000-01-01T00:00:00Z",
        "2024-02-30T00:00:00Z",
        "2023-02-29",
        "10000-01-01T00:00:00Z",
        "0044-03-15 BC",
        "9999-12-31T24:00:00Z",
        "9999-12-31T23:59:60Z",
        "0001-01-01T00:00:00+05:41:16",
        "2024-03-01T24:00:01Z",
        "2024-03-01T24:00:00.1Z",
        "2024-03-01T25:00:00Z",
        "2024-03-01T12:60:00Z",
        "2024-03-01T12:00:61Z",
        "2024-03-01T12:00:00+24:00",
        "2024-03-01T12:00:00+5",
        "2024-03-01T12:00:00+05:60",
        "2024-03-01T12:00:00.Z",
        "2024-03-01T12:00:00  Z",
        "2024-03-01T",
        "20240301T120000Z",
        "1709290800",
        "٢٠٢٤-03-01T12:00:00Z",
    ],
)
def test_what_cant_be_read_is_none(text: str) -> None:
    assert normalize_datetime(text) is None


@given(
    st.datetimes(),
    st.sampled_from(["T", "t", " "]),
    st.none() | st.timedeltas(timedelta(hours=-18), timedelta(hours=18)),
    st.sampled_from(["", ":"]),
)
def test_the_instant_stays_the_same(
    time: datetime, separator: str, offset: timedelta | None, colon: str
) -> None:
    # given a time as some tap writes it
    text, zone = time.isoformat(separator), timezone.utc
    if offset is not None:
        minutes = int(offset.total_seconds() // 60)
        sign, size = "-" if minutes < 0 else "+", abs(minutes)
        text += f"{sign}{size // 60:02}{colon}{size % 60:02}"
        zone = timezone(timedelta(minutes=minutes))
    # when it is normalized
    normalized = normalize_datetime(text)
    # then it means the same
    assert normalized is not None
    assert datetime.fromisoformat(normalized.replace("Z", "+00:00")) == time.replace(tzinfo=zone)
