"""The cases themselves: what they may do to an account, and that the page lists them."""

from __future__ import annotations

from collections import Counter

from tests.contract.bodies import PREFIX, rows, tables
from tests.contract.case import SECTIONS, Request
from tests.contract.cases import CASES
from tests.contract.report import rules_page
from tests.contract.service import ATTEMPTS
from tests.support.pages import PROJECT

SENT = [each.request for each in CASES if each.request is not None and not each.not_sent]
POSTED = [each for each in SENT if rows(each)]


def test_few_rows_are_stored_even_if_no_rule_holds() -> None:
    # when the service accepts all that is sent, each time that it is
    stored = ATTEMPTS * sum(map(rows, SENT))

    # then it stores fewer than 500 rows
    assert len(POSTED) > 100
    assert stored < 500


def test_rows_are_counted_with_those_of_lists() -> None:
    # when a record has lists, and a batch an activation
    data = {"id": 1, "lines": [{"taxes": [1, 2]}, {}]}
    messages = [{"action": "upsert", "data": data}, {"action": "activate_version"}]

    # then each item counts, for some destinations make a row of it
    assert rows(Request("batch", {"table_name": "x", "messages": messages})) == 1 + 2 + 2
    assert rows(Request("push", [{"data": data}, {"data": {}}])) == 5 + 1
    assert rows(Request("validate", [{"data": data}])) == 0


def test_all_tables_are_those_of_the_contract() -> None:
    # when a request is sent to the service
    # then all of its tables are ones that are there for that alone
    named = [table for each in SENT for table in tables(each)]
    assert len(named) > 100
    assert [table for table in named if not table.startswith(PREFIX)] == []


def test_a_table_always_has_the_same_keys() -> None:
    # when several cases share a table
    keys: dict[str, set[str]] = {}
    for each in POSTED:
        if isinstance(each.body, dict) and "table_name" in each.body:
            names = each.body.get("key_names", [])
            keys.setdefault(each.body["table_name"], set()).add(str(names))
    keys[f"{PREFIX}batches"].discard("id")  # the case in which key_names is a text

    # then Stitch does not stop it for a changed primary key
    assert [table for table, names in keys.items() if len(names) > 1] == []


def test_each_rule_is_there_once() -> None:
    # when the rules are counted
    # then no two have the same words, and each has a section of the reference
    assert [rule for rule, count in Counter(each.rule for each in CASES).items() if count > 1] == []
    assert {each.section for each in CASES} == set(SECTIONS)


def test_the_page_lists_all_rules() -> None:
    # when docs/contract.md is read
    page = (PROJECT / "docs" / "contract.md").read_text(encoding="utf-8")

    # then it has the table that `python -m tests.contract --rules` prints
    assert rules_page(CASES) in page
