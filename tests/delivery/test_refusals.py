"""Records that the service refuses are found with few requests, and counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.batches.body_formats import push_format
from target_stitch_import.delivery.refusals import CHECK_AFTER, STOP_AFTER
from target_stitch_import.errors import DeliveryError, RejectedRecordError, TooLargeError
from target_stitch_import.json_codec import decode_exactly
from target_stitch_import.records.validator import find_invalid
from tests.delivery.test_task import Aside
from tests.support.fake_service import DeliveryRun, sealed_batch
from tests.support.tables import SCHEMA, TableFormat

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from target_stitch_import.batches.batch import Batch
    from target_stitch_import.delivery.refusals import FindInvalid

NAMED = pytest.mark.parametrize("is_named", [True, False], ids=["named", "unplaced"])


class Refusing:
    """Lets a run's service refuse records by their ids, with their place in the body or without."""

    def __init__(self, run: DeliveryRun, bad: Collection[int], *, is_named: bool) -> None:
        self.accepted: list[int] = []
        self._bad = bad
        self._is_named = is_named
        run.service.answer_at_once = self.answer

    def answer(self, ids: list[int]) -> None:
        """Accept a body, or refuse it for its first bad record."""
        for index, each in enumerate(ids):
            if each in self._bad:
                place = index if self._is_named else None
                raise RejectedRecordError("400 Record no #/id: bad", index=place, column="id")
        self.accepted.extend(ids)


def finding(bad: Collection[int]) -> FindInvalid:
    """Return a check that finds the records with these ids invalid."""

    def find(
        schema: Mapping[str, Any], keys: Sequence[str], records: Mapping[int, bytes]
    ) -> dict[int, str]:
        assert schema == SCHEMA
        assert keys == ["id"]
        ids = {index: decode_exactly(record)["id"] for index, record in records.items()}
        return {index: "does not fit" for index, each in ids.items() if each in bad}

    return find


@pytest.mark.parametrize("rows", [2_000, 2_047])
@pytest.mark.parametrize(
    "places", [(0, 1, 2), (0, 999, 1_999), (666, 1_333, 1_999), (1_997, 1_998, 1_999), (511, 1_023)]
)
def test_three_unplaced_records_among_2000_cost_few_requests(
    rows: int, places: tuple[int, ...]
) -> None:
    # given a service that refuses some records, and says not which
    aside = Aside()
    run = DeliveryRun(set_aside=aside)
    bad = [100 + place for place in places]
    refusing = Refusing(run, bad, is_named=False)
    # when a batch with them is delivered
    run.deliver(sealed_batch(1, rows=rows))
    # then they are aside, all others are accepted once and in order, and the batch is acknowledged
    assert aside.ids == bad
    assert refusing.accepted == [id_ for id_ in range(100, 100 + rows) if id_ not in bad]
    assert run.acknowledged == [1]
    assert len(run.service.posted) <= 70


SPREADS = {
    "at the start": range(4_000),
    "at the end": range(6_000, 10_000),
    "evenly": range(0, 10_000, 2),
    "some early, then all": [*range(0, 6_000, 317), *range(6_000, 10_000)],
}


@NAMED
@pytest.mark.parametrize("spread", SPREADS)
def test_thousands_of_records_that_the_check_foresees_cost_few_requests(
    spread: str, is_named: bool, caplog: pytest.LogCaptureFixture
) -> None:
    # given a service that refuses thousands of records of a batch, and a check that knows why
    aside = Aside(most=10_000)
    bad = {100 + place for place in SPREADS[spread]}
    run = DeliveryRun(set_aside=aside, find_invalid=finding(bad))
    refusing = Refusing(run, bad, is_named=is_named)
    # when it is delivered
    run.deliver(sealed_batch(1, rows=10_000))
    # then all of them are aside, with the service's words or those of the check
    assert aside.ids == sorted(bad)
    assert aside.reasons == [
        *["400 Record no #/id: bad"] * CHECK_AFTER,
        *["a record of table 't' does not fit"] * (len(bad) - CHECK_AFTER),
    ]
    assert refusing.accepted == [each for each in range(100, 10_100) if each not in bad]
    assert run.acknowledged == [1]
    assert run.metrics.total.quarantined == len(bad)
    # and few requests were posted, with few records in all
    assert len(run.service.posted) <= (100 if is_named else 450)
    assert sum(map(len, run.service.posted)) <= 15 * 10_000
    # and the log says once that records are checked from there on
    assert caplog.text.count("its records are checked before they are sent") == 1


@NAMED
@pytest.mark.parametrize("spread", ["at the start", "at the end", "evenly"])
def test_the_run_stops_at_many_records_that_the_check_accepts(spread: str, is_named: bool) -> None:
    # given a service that refuses thousands of records for what nobody knows
    aside = Aside(most=10_000)
    bad = {100 + place for place in SPREADS[spread]}
    run = DeliveryRun(set_aside=aside)
    Refusing(run, bad, is_named=is_named)
    # when they are delivered, then the run ends, and says which column, which rule and what to do
    with pytest.raises(DeliveryError) as raised:
        run.deliver(sealed_batch(1, rows=10_000))
    run.scheduler.close()
    text = str(raised.value)
    assert "the service has refused 100 records of table 't' that this target finds valid" in text
    assert (
        "For 100 of them it names column 'id', for the last with: 400 Record no #/id: bad" in text
    )
    assert text.endswith("run again from the last STATE")
    assert len(aside.ids) == STOP_AFTER
    assert run.acknowledged == []
    assert len(run.service.posted) <= 600


def test_records_in_batches_that_wait_are_checked_too() -> None:
    # given batches of one table, and the first of them full of records that are refused
    bad = {*range(100, 140), 205, *range(300, 310)}
    aside = Aside()
    run = DeliveryRun(parallel=1, set_aside=aside, find_invalid=finding(bad))
    Refusing(run, bad, is_named=True)
    # when they are delivered
    run.deliver(
        sealed_batch(1, rows=50), sealed_batch(2, rows=9), sealed_batch(3, rows=10, generation=1),
        sealed_batch(4, rows=2, generation=2),
    )  # fmt: skip
    # then those behind it are posted once, without their bad records, or not at all
    assert [ids for ids in run.service.posted if ids[0] >= 200] == [
        [200, 201, 202, 203, 204, 206, 207, 208],
        [400, 401],
    ]
    assert aside.ids == sorted(bad)
    # and each is acknowledged, also what waited for a batch of which nothing is left
    assert run.acknowledged == [1, 2, 3, 4]


def test_another_table_is_not_checked() -> None:
    # given a table with many refused records
    bad = {*range(100, 140), 201}
    run = DeliveryRun(parallel=1, set_aside=Aside(), find_invalid=finding(bad))
    Refusing(run, bad, is_named=True)
    # when a batch of another comes behind it
    run.deliver(sealed_batch(1, rows=50), sealed_batch(2, "other", rows=2))
    # then that is posted as it is
    assert [200, 201] in run.service.posted


def test_records_that_were_checked_before_are_not_checked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # given a run that has validated its records, and a service that refuses some all the same
    bad = range(100, 140)
    aside = Aside()
    run = DeliveryRun(set_aside=aside, find_invalid=finding(bad), validates=True)
    Refusing(run, bad, is_named=True)
    # when they are delivered, then each is found by its refusal, and no check is announced
    run.deliver(sealed_batch(1, rows=50))
    assert aside.reasons == ["400 Record no #/id: bad"] * 40
    assert caplog.text == ""


def test_what_can_not_be_set_aside_ends_the_run_before_it_is_posted() -> None:
    # given a quarantine that is full when the check finds a record in a batch that waits
    bad = {*range(100, 120), 201}
    run = DeliveryRun(parallel=1, set_aside=Aside(most=20), find_invalid=finding(bad))
    Refusing(run, bad, is_named=True)
    # when it is delivered
    with pytest.raises(DeliveryError, match=r"batch 2 .* could not be delivered: too many"):
        run.deliver(sealed_batch(1, rows=25), sealed_batch(2, rows=3))
    run.scheduler.close()
    # then nothing of it was posted
    assert run.acknowledged == [1]
    assert all(ids[0] < 200 for ids in run.service.posted)


@NAMED
def test_the_first_bad_record_is_the_one_that_ends_a_run(is_named: bool) -> None:
    # given a service that refuses two records of a batch
    run = DeliveryRun()
    Refusing(run, {130, 170}, is_named=is_named)
    # when it is delivered without a quarantine, then the first is named
    with pytest.raises(DeliveryError, match=r'line 130 of the input \(key \{"id":130\}\)\.$'):
        run.deliver(sealed_batch(1, rows=90))
    run.scheduler.close()


def test_a_place_that_the_batch_does_not_have_ends_the_run() -> None:
    run = DeliveryRun(set_aside=Aside())

    def answer(_: list[int]) -> None:
        raise RejectedRecordError("400 Record 7 no", index=7)

    run.service.answer_at_once = answer
    with pytest.raises(DeliveryError, match=r"400 Record 7 no$"):
        run.deliver(sealed_batch(1, rows=7))
    run.scheduler.close()


def test_a_refusal_of_the_whole_alone_loses_nothing() -> None:
    # given a service that refuses a batch for a record, and then none of its records
    run = DeliveryRun(set_aside=Aside(most=0))
    accepted: list[int] = []

    def answer(ids: list[int]) -> None:
        if len(ids) == 9:
            raise RejectedRecordError("400 Record no")
        accepted.extend(ids)

    run.service.answer_at_once = answer
    # when it is delivered, then all of it arrives
    run.deliver(sealed_batch(1, rows=9))
    assert accepted == list(range(100, 109))
    assert run.acknowledged == [1]


@settings(deadline=None)
@given(
    refused=st.dictionaries(st.integers(100, 159), st.booleans(), max_size=60),
    most=st.integers(1, 60),
    invalid=st.sets(st.integers(100, 159)),
    validates=st.booleans(),
)
def test_whatever_is_refused_each_record_is_accepted_or_set_aside_once(
    refused: dict[int, bool], most: int, invalid: set[int], validates: bool
) -> None:
    # given a service that refuses some records, with a number or without, and large bodies
    aside = Aside()
    find = finding(invalid & refused.keys())
    run = DeliveryRun(set_aside=aside, find_invalid=find, validates=validates)
    accepted: list[int] = []

    def answer(ids: list[int]) -> None:
        if len(ids) > most:
            raise TooLargeError("413 too large")
        for index, each in enumerate(ids):
            if each in refused:
                raise RejectedRecordError("400 Record no", index=index if refused[each] else None)
        accepted.extend(ids)

    run.service.answer_at_once = answer
    # when a batch is delivered
    run.deliver(sealed_batch(1, rows=60))
    # then what it refuses is aside, and all else accepted in order
    assert sorted(aside.ids) == sorted(refused)
    assert accepted == [each for each in range(100, 160) if each not in refused]
    assert run.acknowledged == [1]


@pytest.mark.parametrize("transit", [False, True], ids=["json", "transit"])
def test_of_a_shared_body_only_the_records_of_a_checked_table_are_judged(transit: bool) -> None:
    # given a push body of two tables, whose records all break their schemas
    tables = [
        TableFormat(name, body_format=push_format(1, name, SCHEMA, ["id"], transit=transit))
        for name in ("a", "b")
    ]
    opened = tables[0].open()
    for place in range(6):
        table = tables[place % 2]
        encode = table.body_format.encode or bytes
        table.add(opened, encode(b'{"id":"x%d"}' % place), positions=[place])
    batch: Batch = opened.seal(1, 0)
    run = DeliveryRun(set_aside=Aside(), find_invalid=find_invalid)
    # when those of one are judged
    found = run.refusals.find_invalid(batch, ["b"])
    # then they are named by their places in the body, with the rule that they break
    assert list(found) == [1, 3, 5]
    assert found[3] == (
        "a record of table 'b' does not fit its schema: #/id: expected: integer, found: string "
        "(the tap's schema is wrong there: override it in the catalog or by a stream map)"
    )


def test_records_are_judged_by_the_schema_that_is_posted() -> None:
    # given a batch with an activation behind two records, of which one breaks the posted schema
    table = TableFormat()
    opened = table.open(version=3)
    table.add(opened, b'{"id":1}', b'{"id":1.5}')
    opened.add_activation(9, 3, table.schema)
    batch = opened.seal(1, 0)
    run = DeliveryRun(set_aside=Aside(), find_invalid=find_invalid)
    # then that one is found
    assert list(run.refusals.find_invalid(batch, ["t"])) == [1]
