"""The benchmark's inputs: one shape, written by more than one hand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest

from tests.support.pages import PROJECT

RECORDS = 2_000


def lines(*options: str) -> list[str]:
    command = [sys.executable, str(PROJECT / "benchmarks" / "inputs.py")]
    command += ["--shape", "narrow", "--records", str(RECORDS), *options]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    return ended.stdout.splitlines()


def records(written: list[str]) -> list[dict[str, Any]]:
    messages = map(json.loads, written)
    return [message for message in messages if message["type"] == "RECORD"]


def times(written: list[str]) -> tuple[list[str], list[str]]:
    found = records(written)
    return [each["time_extracted"] for each in found], [each["record"]["at"] for each in found]


@pytest.mark.parametrize(
    "variant", ["isoformat", "go", "local", "spaces", "no-zone", "time-first", "no-time"]
)
def test_a_variant_has_the_records_of_the_base(variant: str) -> None:
    # given the base, and a variant of it
    base, varied = records(lines()), records(lines("--variant", variant))
    # then they differ in nothing but times
    for each in (*base, *varied):
        each.pop("time_extracted", None)
        each["record"].pop("at")
    assert len(base) == RECORDS
    assert varied == base


def test_the_base_has_times_of_one_width() -> None:
    # when the base is written
    extracted, rows = times(lines())
    # then all its times have six digits of a second
    assert {len(time) for time in (*extracted, *rows)} == {len("2024-05-06T00:00:00.000000+00:00")}


def test_isoformat_leaves_out_fractions_that_are_zero() -> None:
    # when the variant is written
    extracted, rows = times(lines("--variant", "isoformat"))
    # then Python would write each time so, and has no fraction where it is zero
    for time in (*extracted, *rows):
        assert datetime.fromisoformat(time).isoformat() == time
    assert sum("." not in time for time in extracted) == RECORDS // 1000
    assert RECORDS * 0.3 < sum("." not in time for time in rows) < RECORDS * 0.7


def test_go_leaves_out_zeros_at_the_end_of_fractions() -> None:
    # when the variant is written
    extracted, rows = times(lines("--variant", "go"))
    # then no fraction ends with a zero, and widths differ
    form = re.compile(r"[\d-]{10}T[\d:]{8}(\.\d{0,8}[1-9])?Z")
    for those in (extracted, rows):
        assert all(map(form.fullmatch, those))
        assert len(set(map(len, those))) > 3


def test_times_of_another_zone_are_those_of_the_base() -> None:
    # when the variant is written, then its times are those of the base, two hours ahead
    for local, base in zip(times(lines("--variant", "local")), times(lines()), strict=True):
        assert all(time.endswith("+02:00") for time in local)
        assert [*map(datetime.fromisoformat, local)] == [*map(datetime.fromisoformat, base)]


def test_times_of_rows_have_no_zone_where_sql_writes_them() -> None:
    # when the variant is written
    extracted, rows = times(lines("--variant", "no-zone"))
    # then the times of rows have neither T nor zone, and those of the extraction are as in the base
    assert all(re.fullmatch(r"[\d-]{10} [\d:]{8}(\.\d{6})?", time) for time in rows)
    assert extracted == times(lines())[0]


def test_spaces_stand_behind_colons_and_commas() -> None:
    # when the variant is written, then json.dumps would write each line so
    for line in lines("--variant", "spaces"):
        assert json.dumps(json.loads(line)) == line


def test_a_live_tap_writes_the_same_lines() -> None:
    # when each line is flushed by itself, then the lines are the same
    assert lines("--rate", "1000000") == lines()
