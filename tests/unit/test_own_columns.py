"""Columns of Stitch's own are left out, and what stands beside them stays as it is."""

from __future__ import annotations

import pytest

from target_stitch_import.own_columns import OwnColumns, may_have_own

WITH = b'{ "id": 1, "_sdc_x": {"a": [2]}, "n": 1.10, "t": "_sdc" }'
WITHOUT = b'{"id":1,"n":1.10,"t":"_sdc"}'
NONE = b'{ "id": 1, "t": "_sdc", "x": {"_sdc_y": 1} }'


def test_one_record_after_the_other() -> None:
    own = OwnColumns()
    # Given a record without any, then it is left alone, however near it comes to it
    assert own.without(b'{"id": 1}') is None
    assert own.without(NONE) is None
    assert own.left_out == []
    # When some come, then the first ones are remembered
    assert own.without(WITH) == WITHOUT
    assert own.without(b'{"\\u005fsdc_other": 1, "id": 2}') == b'{"id":2}'
    assert own.left_out == ["_sdc_x"]


def test_many_records_once_there_were_some() -> None:
    # Given records of which none had any yet
    own = OwnColumns()
    many = [WITH, NONE, b'{"_sdc_x": 1}']
    # Then they stay as they are
    assert own.without_known(many) is many
    # When one had some, then those are left out of the others
    own.without(WITH)
    assert own.without_known(many) == [WITHOUT, NONE, b"{}"]
    # But others that are Stitch's own are for those to find who take records one by one
    assert own.without_known([b'{"_sdc_y": 1}']) == [b'{"_sdc_y": 1}']


@pytest.mark.parametrize(
    "broken", [b'{"_sdc_x": 1', b'{"_sdc_x": tru}', b"[]", b"", b'{"_sdc_x":' + b"[" * 100_000]
)
def test_many_records_stay_as_they_are_where_one_can_not_be_read(broken: bytes) -> None:
    own = OwnColumns()
    own.without(WITH)
    assert own.without_known([WITH, broken]) == [WITH, broken]


def test_a_record_that_can_not_be_read_is_for_others_to_judge() -> None:
    assert OwnColumns().without(b'{"_sdc_x": 1') is None


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
def test_a_name_of_stitchs_own_is_not_overlooked(text: bytes, may: bool) -> None:
    assert may_have_own(text) is may
