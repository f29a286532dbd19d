"""A place in the input is told by its line, and by its number among the records of a file."""

from __future__ import annotations

from array import array

import pytest

from target_stitch_import.places import line_of, place_of, told


@pytest.mark.parametrize(("line", "record"), [(1, 1), (2**34 - 1, 2**30 - 1), (7, 20_000)])
def test_a_place_has_its_line_and_its_record(line: int, record: int) -> None:
    place = array("Q", [place_of(line, record)])[0]
    assert line_of(place) == line
    assert told(place) == f"record {record:,} of the BATCH message in line {line:,}"


def test_a_line_of_its_own_is_its_place() -> None:
    assert (line_of(1_200), told(1_200)) == (1_200, "line 1,200")


def test_records_beyond_what_can_be_told_still_have_places_that_differ() -> None:
    places = {place_of(3, 2**30 + more) for more in range(-1_000, 1_000)}
    assert len(places) == 2_000
    assert {line_of(place) for place in places} == {3}
    assert max(places) < 2**64
