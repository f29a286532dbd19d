"""The text that asks for faults: what it may say, and what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from target_stitch_import.emulator import Faults, running_emulator
from tests.emulator.client import Api
from tests.emulator.faults.fault_client import RunWithFaults, count_rows, post_batch

if TYPE_CHECKING:
    from pathlib import Path

    import requests


def test_a_script_is_done_in_order(run_with_faults: RunWithFaults) -> None:
    # when more batches are posted than a script has faults
    with run_with_faults("503*2, ok, drop, 202") as api:
        results = [post_batch(api) for _ in range(7)]

    # then each meets its own, and then all goes well
    assert results == [503, 503, 201, "broken", 202, 201, 201]
    assert count_rows(api) == 5


def test_every_endpoint_with_a_body_has_faults(run_with_faults: RunWithFaults) -> None:
    # when a post goes to each of three places
    with run_with_faults("503,502,504") as api:
        results = [api.post(each, []).status_code for each in ("push", "validate", "nowhere")]

    # then each counts
    assert results == [503, 502, 504]


def test_rates_are_drawn_alike_for_one_seed(run_with_faults: RunWithFaults) -> None:
    # when one client posts to several emulators, two of which have the same seed
    results = []
    for seed in (7, 7, 8):
        with run_with_faults(f"seed={seed},503=0.3,drop=0.2,202=0.2") as api:
            results.append([post_batch(api) for _ in range(40)])

    # then these two do the same, and the third does not
    assert results[0] == results[1] != results[2]
    assert set(results[0]) == {201, 202, 503, "broken"}


def test_rates_are_kept() -> None:
    # when faults are drawn for very many requests
    draws = Faults.parse("503=0.1,drop=0.05,stall=0.25").iterate_posts()
    drawn = [next(draws) for _ in range(20_000)]

    # then each comes as often as was asked for
    shares = {name: drawn.count(name) / len(drawn) for name in set(drawn)}
    assert shares == pytest.approx({"503": 0.1, "drop": 0.05, "stall": 0.25, "ok": 0.6}, abs=0.02)


def test_all_is_every_fault_but_stall() -> None:
    # when all faults are asked for, and one of them more often
    rates = dict(Faults.parse("all=0.9,drop=0.1").rates)

    # then all come alike but that one, and none stalls or is for good
    assert rates.pop("drop") == pytest.approx(0.15)
    assert set(rates.values()) == {next(iter(rates.values()))}
    assert sum(rates.values()) == pytest.approx(0.85)
    assert rates.keys() >= {"refuse", "cut", "408", "429_date", "504", "html", "202", "slow"}
    assert not rates.keys() & {"stall", "ok", "400", "401"}


def test_rates_may_add_up_to_one() -> None:
    # when ten faults have a tenth each
    statuses = range(500, 510)
    draws = Faults.parse(",".join(f"{status}=0.1" for status in statuses)).iterate_posts()

    # then every request meets one of them
    assert {next(draws) for _ in range(1000)} == {str(status) for status in statuses}


def test_numbers_may_come_from_a_program() -> None:
    # when numbers are written as programs write them
    faults = Faults.parse(f"503={0.1 + 0.2},drop={0.00001},slow_seconds={1}")

    # then they are what they are
    assert dict(faults.rates) == pytest.approx({"503": 0.3, "drop": 0.00001})
    assert faults.slow_seconds == 1


def test_without_rates_or_a_script_all_goes_well() -> None:
    # when only options are given
    draws = Faults.parse("maintenance=2,seed=3").iterate_posts()

    # then no request meets a fault
    assert [next(draws) for _ in range(3)] == ["ok", "ok", "ok"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "A fault has no name: is there a comma too many?"),
        ("503,,drop", "A fault has no name: is there a comma too many?"),
        ("dorp", "'dorp' is no fault; faults are ok, refuse, .*, stall and any status from 400"),
        ("302", "'302' is no fault"),
        ("dorp=0.1", "'dorp' is no fault"),
        ("503*x", r"What follows 503\* must be a whole number, not 'x'."),
        ("503*", r"What follows 503\* must be a whole number, not ''."),
        ("503*0", r"'503\*0' comes never"),
        ("503=lots", "503 must be a number such as 0.25, not 'lots'."),
        ("503=-0.1", "503 must be a number such as 0.25, not '-0.1'."),
        ("503=1e9", "503 must be a number such as 0.25, not '1e9'."),
        ("503=nan", "503 must be a number such as 0.25, not 'nan'."),
        ("503=0.6,drop=0.5", "The rates add up to 1.1, which is more than 1."),
        ("all=0.6,drop=0.5", "The rates add up to 1.1, which is more than 1."),
        ("503=0.1,503=0.2", "503 is given twice."),
        ("503,drop=0.1", "A script and rates don't mix: 503 has no rate, but drop has a value."),
        ("503,seed=1", "A script and rates don't mix: 503 has no rate, but seed has a value."),
        ("limit", "limit needs a value: limit=..."),
        ("all", "all needs a value: all=..."),
        ("limit=1.5", "limit must be a whole number, not '1.5'."),
        ("slow_seconds=inf", "slow_seconds must be a number such as 0.25, not 'inf'."),
    ],
)
def test_a_text_that_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    # when faults are asked for that there are not
    # then one sentence says what is wrong
    with pytest.raises(ValueError, match=message):
        Faults.parse(text)

    # and no emulator starts, nor leaves a database behind
    with (
        pytest.raises(ValueError, match=message),
        running_emulator(tmp_path / "stitch.db", faults=text),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_faults_can_be_used_again(tmp_path: Path, session: requests.Session) -> None:
    # given faults that were parsed once
    faults = Faults.parse("503")

    # when two emulators get them
    for _ in range(2):
        with running_emulator(tmp_path / "stitch.db", faults=faults) as emulator:
            api = Api(emulator.url, emulator.database, session)

            # then each begins anew
            assert [post_batch(api), post_batch(api)] == [503, 201]
