"""Columns that Stitch itself writes are left out, and what stands beside them stays as it is."""

from __future__ import annotations

import pytest

from target_stitch_import.records.reserved_columns import ReservedColumns

WITH = b'{ "id": 1, "_sdc_sequence": {"a": [2]}, "n": 1.10, "t": "_sdc" }'
WITHOUT = b'{"id":1,"n":1.10,"t":"_sdc"}'
NONE = b'{ "id": 1, "t": "_sdc", "x": {"_sdc_batched_at": 1}, "_sdc_deleted_at": null }'


def test_the_columns_of_one_record_are_left_out_and_noted() -> None:
    reserved = ReservedColumns()
    # given records without any, then they are left alone, however near they come to it
    assert reserved.remove(b'{"id": 1}') is None
    assert reserved.remove(NONE) is None
    assert reserved.omitted == []
    # when some come, then they are left out, and each name is noted once
    assert reserved.remove(WITH) == WITHOUT
    assert (
        reserved.remove(b'{"\\u005fsdc_received_at": 1, "_sdc_sequence": 1, "id": 2}')
        == b'{"id":2}'
    )
    assert reserved.omitted == ["_sdc_sequence", "_sdc_received_at"]


def test_columns_that_one_record_had_are_left_out_of_many() -> None:
    # given records of which none had any yet
    reserved = ReservedColumns()
    many = [WITH, NONE, b'{"_sdc_sequence": 1}']
    # then they stay as they are
    assert reserved.remove_known(many) is many
    # when one had some, then those are left out of the others
    reserved.remove(WITH)
    assert reserved.remove_known(many) == [WITHOUT, NONE, b"{}"]
    # but other names are left to whoever judges record by record
    assert reserved.remove_known([b'{"_sdc_batched_at": 1}']) == [b'{"_sdc_batched_at": 1}']


@pytest.mark.parametrize(
    "broken",
    [
        b'{"_sdc_sequence": 1',
        b'{"_sdc_sequence": tru}',
        b"[]",
        b"",
        b'{"_sdc_sequence":' + b"[" * 100_000,
    ],
)
def test_many_records_stay_as_they_are_where_one_can_not_be_read(broken: bytes) -> None:
    reserved = ReservedColumns()
    reserved.remove(WITH)
    assert reserved.remove_known([WITH, broken]) == [WITH, broken]


def test_a_record_that_can_not_be_read_is_left_as_it_is() -> None:
    assert ReservedColumns().remove(b'{"_sdc_sequence": 1') is None


@pytest.mark.parametrize(
    ("text", "has_reserved"),
    [
        (b'{"_sdc_sequence": 1}', True),
        (b'{"__sdc_primary_key": 1}', True),
        (b'{"_sdc_level_12_id": 1}', True),
        (b'{"_sdc_source_key_id": 1}', True),
        ('{"_sdc_source_key_\\"é": 1}'.encode(), True),
        (b'{"_sdc_deleted_at": null, "_sdc_sequence": 1}', True),
        (b'{"\\u005F\\u0073\\u0064\\u0063\\u005fsequenc\\u0065": 1}', True),
        (b'{"_sdc_level_\\u0031_id": 1}', True),
        (b'{"x": "_sdc_sequence"}', False),
        (b'{"_sdc_deleted_at": null, "_sdc_extra": [], "_sdc": 1}', False),
        (b'{"_sdc_deleted_at": null, "x": "\\u00e9\\u003c\\u0073\\ud83d\\ude42"}', False),
        (b'{"\\u005fsdc_record_hash": 1}', False),
        (b'{"_sdc_sequences": 1, "_sdc_level__id": 1}', False),
        (b'{"_sd": 1, "a_sdc": 1, "\\u0041": "_"}', False),
        (b"", False),
    ],
)
def test_a_reserved_name_is_not_overlooked(text: bytes, has_reserved: bool) -> None:
    assert (ReservedColumns().remove(text) is not None) is has_reserved
