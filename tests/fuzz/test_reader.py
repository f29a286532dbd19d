"""Whatever comes on stdin, it is loaded, or refused in one line that says which line it was.

The corpus says in each file's name what becomes of it: ``taken-...``, or ``refused-4-...`` when it
is line 4 that can't be used. ``FUZZ_EXAMPLES=100000 pytest tests/fuzz`` looks further, each time
elsewhere.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_stitch_import.errors import InputError
from target_stitch_import.singer.reader import CHUNK_BYTES
from tests.fuzz.loading import load
from tests.fuzz.mutations import mutations
from tests.fuzz.reading import (
    NOTHING,
    decode_records,
    decoded,
    find_part,
    split_input,
    without_reserved,
)

if TYPE_CHECKING:
    from tests.fuzz.loading import Loaded

CORPUS = {
    path.name: path.read_bytes()
    for path in sorted((Path(__file__).parent / "corpus").glob("*.jsonl"))
}
NOT_FINITE = re.compile(rb"NaN|Infinity")
EXAMPLES = os.environ.get("FUZZ_EXAMPLES")


@pytest.mark.parametrize("name", CORPUS)
def test_each_file_of_the_corpus_is_taken_or_refused_as_its_name_says(name: str) -> None:
    # given an odd input, when it is loaded
    data = CORPUS[name]
    loaded = load(data)
    # then it is taken, or refused for the line that its name has
    refused = re.match(r"refused-(\d+)-", name)
    assert _failing_line(loaded) == (int(refused[1]) if refused else None), loaded.error
    # and nothing was sent or promised that did not come before that line
    _check(data, loaded)


@settings(
    max_examples=int(EXAMPLES or 500),
    derandomize=EXAMPLES is None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    data=mutations(list(CORPUS.values())),
    size=st.sampled_from([CHUNK_BYTES, 1, 7, 100]),
    rows=st.integers(1, 3),
    validate=st.booleans(),
)
def test_any_input_is_taken_or_refused_in_one_line(
    data: bytes, size: int, rows: int, validate: bool
) -> None:
    # given a spoilt input, when it is loaded
    loaded = load(data, size, batch_size_rows=rows, validate_records=validate)
    # then it is taken or refused, and nothing was sent or promised that is not in it
    _check(data, loaded)


def _failing_line(loaded: Loaded) -> int | None:
    """Return the number of the line that can't be used, which the message must begin with."""
    if loaded.error is None:
        return None
    assert isinstance(loaded.error, InputError)
    text = str(loaded.error)
    assert len(text.splitlines()) == 1
    match = re.match(r"Line (\d+) of the input: .", text)
    assert match is not None, text
    return int(match[1])


def _check(data: bytes, loaded: Loaded) -> None:
    lines = split_input(data)
    failing = _failing_line(loaded)
    assert failing is None or 1 <= failing <= len(lines)
    before = lines if failing is None else lines[: failing - 1]
    _check_states(before, loaded, ended_well=failing is None)
    _check_records(before, loaded)


def _check_states(before: list[bytes], loaded: Loaded, *, ended_well: bool) -> None:
    """Check that STATEs are those that came, in their order; at a good end, up to the last."""
    came = [(line, find_part(line, "STATE", "value")) for line in before]
    came = [(line, value) for line, value in came if value is not NOTHING and value]
    left = iter(came)
    for written in loaded.states:
        assert any(
            value == decoded(written) and (written in line or NOT_FINITE.search(line))
            for line, value in left
        ), written
    if ended_well and came:
        assert decoded(loaded.states[-1]) == came[-1][1]


def _check_records(before: list[bytes], loaded: Loaded) -> None:
    """Check that bodies are JSON, and their records byte for byte what came."""
    sent = [record for body in loaded.bodies for record in decode_records(body)]
    came = [(line, find_part(line, "RECORD", "record")) for line in before]
    came = [(line, record) for line, record in came if record is not NOTHING]
    assert len(sent) == len(came)
    for body in loaded.bodies:
        assert decoded(body) is not NOTHING
    for record in sent:
        assert any(record in line for line, _ in came) or any(
            decoded(record) == without_reserved(value) for _, value in came
        ), record
