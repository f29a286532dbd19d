"""docs/types.md: the date-times that it shows are corrected as it says."""

from __future__ import annotations

import re

from target_stitch_import.datetimes import normalize_datetime
from tests.support.pages import PROJECT

PAGE = (PROJECT / "docs" / "types.md").read_text(encoding="utf-8")


def test_date_times_get_the_form_that_the_page_shows() -> None:
    # given the rows of the page's table, in which "the same" stands for what is not changed
    table = PAGE.partition("| the tap writes | Stitch gets |\n")[2].partition("\n\n")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines()[1:]]
    assert len(rows) > 3
    # when each date-time is normalized
    for written, sent in rows:
        for text in re.findall("`(.*?)`", written):
            # then it is as the page says
            assert normalize_datetime(text) == (
                text if sent.strip() == "the same" else sent.strip(" `")
            )
