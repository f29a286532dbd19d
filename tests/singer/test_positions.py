"""A position in the input is a line, and the number of a record among those of a file."""

from __future__ import annotations

from array import array

import pytest

from target_stitch_import.singer.positions import Files, described, line_number, make_position


@pytest.mark.parametrize(("line", "record"), [(1, 1), (2**34 - 1, 2**30 - 1), (7, 20_000)])
def test_a_place_has_its_line_and_its_record(line: int, record: int) -> None:
    position = array("Q", [make_position(line, record)])[0]
    assert line_number(position) == line
    assert described(position) == f"record {record:,} of the BATCH message in line {line:,}"


def test_a_line_of_its_own_is_its_place() -> None:
    assert (line_number(1_200), described(1_200)) == (1_200, "line 1,200")


def test_records_beyond_what_can_be_told_still_have_places_that_differ() -> None:
    positions = {make_position(3, 2**30 + more) for more in range(-1_000, 1_000)}
    assert len(positions) == 2_000
    assert {line_number(position) for position in positions} == {3}
    assert max(positions) < 2**64


def test_a_record_is_named_by_the_file_that_it_is_from() -> None:
    # given a BATCH message with three files, of which the first has 10 lines and the second none
    files = Files()
    for before, name in ((0, "a, line"), (10, "b, line"), (10, "c, line")):
        files.begin(3, before, name)
    # then each record has its file, and its number there
    numbers = (1, 10, 11, 5_010)
    assert [files.where(make_position(3, number)) for number in numbers] == [
        "a, line 1",
        "a, line 10",
        "c, line 1",
        "c, line 5,000",
    ]
    # and what is in no file has none
    assert files.where(3) is None
    assert files.where(make_position(4, 1)) is None


def test_no_file_is_named_where_numbers_have_begun_anew() -> None:
    files = Files()
    files.begin(3, 0, "a, line")
    files.begin(3, 2**30, "b, line")
    assert files.where(make_position(3, 2**30 + 5)) is None


def test_the_files_of_a_few_messages_are_remembered() -> None:
    # given many BATCH messages
    files = Files()
    for line in range(1, 5_001):
        files.begin(line, 0, "a, line")
    # then the files of the newest are known
    known = [line for line in range(1, 5_001) if files.where(make_position(line, 1))]
    assert known == list(range(4_001, 5_001))
