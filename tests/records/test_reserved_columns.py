"""Columns that Stitch itself writes are left out, and what stands beside them stays as it is."""

from __future__ import annotations

import pytest

from target_stitch_import.records.reserved_columns import ReservedColumns, may_have_reserved

WITH = b'{ "id": 1, "_sdc_x": {"a": [2]}, "n": 1.10, "t": "_sdc" }'
WITHOUT = b'{"id":1,"n":1.10,"t":"_sdc"}'
NONE = b'{ "id": 1, "t": "_sdc", "x": {"_sdc_y": 1} }'


def test_the_columns_of_one_record_are_left_out_and_noted() -> None:
    reserved = ReservedColumns()
    # given records without any, then they are left alone, however near they come to it
    assert reserved.remove(b'{"id": 1}') is None
    assert reserved.remove(NONE) is None
    assert reserved.omitted == []
    # when some come, then they are left out, and each name is noted once
    assert reserved.remove(WITH) == WITHOUT
    assert reserved.remove(b'{"\\u005fsdc_other": 1, "_sdc_x": 1, "id": 2}') == b'{"id":2}'
    assert reserved.omitted == ["_sdc_x", "_sdc_other"]


def test_columns_that_one_record_had_are_left_out_of_many() -> None:
    # given records of which none had any yet
    reserved = ReservedColumns()
    many = [WITH, NONE, b'{"_sdc_x": 1}']
    # then they stay as they are
    assert reserved.remove_known(many) is many
    # when one had some, then those are left out of the others
    reserved.remove(WITH)
    assert reserved.remove_known(many) == [WITHOUT, NONE, b"{}"]
    # but other names are left to whoever judges record by record
    assert reserved.remove_known([b'{"_sdc_y": 1}']) == [b'{"_sdc_y": 1}']


@pytest.mark.parametrize(
    "broken", [b'{"_sdc_x": 1', b'{"_sdc_x": tru}', b"[]", b"", b'{"_sdc_x":' + b"[" * 100_000]
)
def test_many_records_stay_as_they_are_where_one_can_not_be_read(broken: bytes) -> None:
    reserved = ReservedColumns()
    reserved.remove(WITH)
    assert reserved.remove_known([WITH, broken]) == [WITH, broken]


def test_a_record_that_can_not_be_read_is_left_as_it_is() -> None:
    assert ReservedColumns().remove(b'{"_sdc_x": 1') is None


@pytest.mark.parametrize(
    ("text", "may"),
    [
        (b'{"_sdc": 1}', True),
        (b'{"\\u005F\\u0073\\u0064\\u0063": 1}', True),
        (b'{"x": "_sdc"}', True),
        (b'{"_sd": 1, "a_sdc": 1, "\\u0041": "_"}', False),
        (b"", False),
    ],
)
def test_a_reserved_name_is_not_overlooked(text: bytes, may: bool) -> None:
    assert may_have_reserved(text) is may
