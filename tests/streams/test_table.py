"""What is said of a table once in a run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from target_stitch_import.sequences.sequencer import Sequencer
from target_stitch_import.streams.table import Table

if TYPE_CHECKING:
    import pytest

logger = logging.getLogger("of a table")

INTEGER, NUMBER = {"type": "integer"}, {"type": ["null", "number"]}
TIME = {"type": "string", "format": "date-time"}


def test_other_key_properties_than_before_are_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # given a table with a key
    table = Table("orders", logger, Sequencer())
    table.describe(["id"], {"id": INTEGER})
    assert not caplog.messages
    # when its key changes
    table.describe(["id", "shop"], {"id": INTEGER})
    table.describe(["shop", "id"], {"id": INTEGER})
    # then that is said once, with what Stitch does
    assert caplog.messages == [
        (
            'Records of stream \'orders\' have key properties ["id","shop"] now, and had ["id"]. '
            "Stitch stops loading a table whose primary key changes."
        )
    ]


def test_other_types_than_before_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    # given a table with a column of one type
    table = Table("orders", logger, Sequencer())
    table.describe(["id"], {"id": INTEGER, "x": INTEGER, "y": {}})
    # when another type comes, and columns that are new, or had no type
    table.describe(["id"], {"id": INTEGER, "x": NUMBER, "y": INTEGER, "z": INTEGER})
    # then the column is named, with what Stitch does
    assert caplog.messages == [
        (
            "Records of stream 'orders' have number in column 'x' now, and had integer. "
            "Stitch splits a column whose type changes."
        )
    ]


def test_a_column_that_is_not_named_for_a_while_keeps_its_type(
    caplog: pytest.LogCaptureFixture,
) -> None:
    table = Table("orders", logger, Sequencer())
    history: list[dict[str, Any]] = [{"x": INTEGER}, {}, {"x": {}}, {"x": INTEGER}]
    for columns in history:
        table.describe(["id"], columns)
    assert not caplog.messages


def test_the_types_of_a_union_are_those_that_a_destination_tells_apart(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # given a column of texts, some of which are date-times
    table = Table("orders", logger, Sequencer())
    table.describe(["id"], {"x": {"anyOf": [TIME, {"type": "null"}, {"type": "string"}]}})
    # when it has date-times alone
    table.describe(["id"], {"x": TIME})
    # then it is said what it had
    assert "have date-time in column 'x' now, and had date-time or string" in caplog.text
