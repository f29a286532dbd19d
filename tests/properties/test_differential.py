"""The same comes of the same messages, however their bytes are written and however they come."""

from __future__ import annotations

import json
import logging
import random
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_stitch_import.batches.transit import decode_transit
from tests.fuzz.loading import load_chunks
from tests.properties.stories import cut, stories, written_anyhow, written_plainly

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fuzz.loading import Loaded
    from tests.properties.stories import Pairs, Raw, Written

RECENT: Final = 1_750_000_000_000_000_000
"""A sequence above it has something of the time of receipt in it."""

MAPS: list[dict[str, Any]] = [
    {},
    {"b": {"__alias__": "a"}},
    {"a": {}, "copy": {"__source__": "a", "x": "record['x']"}},
    {"a": {"__filter__": "record['id'] != 2"}},
]

configs = st.fixed_dictionaries(
    {
        "endpoint": st.sampled_from(["batch", "batch", "push"]),
        "push_format": st.sampled_from(["json", "transit"]),
        "on_invalid_record": st.sampled_from(["fail", "quarantine"]),
        "sequence_source": st.sampled_from(["time_extracted", "replication_key"]),
        "validate_records": st.sampled_from([True, True, False]),
        "batch_size_rows": st.sampled_from([1, 3, 20_000]),
        "stream_maps": st.sampled_from(MAPS),
    }
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Log nothing, for thousands of runs would."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(stories(), configs, st.integers(0, 2**32))
def test_however_the_bytes_come_the_same_is_loaded(
    story: list[Pairs | Raw], config: dict[str, Any], seed: int
) -> None:
    # given messages of a tap, written plainly, and each in another form
    chance = random.Random(seed)
    plain = written_plainly(story)
    anyhow = written_anyhow(story, chance)
    # when they come line by line
    expected = outcome(plain, plain.lines, config)
    # then the same comes of them in one piece, and cut anywhere
    assert outcome(plain, [b"".join(plain.lines)], config) == expected
    assert outcome(plain, cut(plain.lines, chance), config) == expected
    # and in the other form
    assert outcome(anyhow, [b"".join(anyhow.lines)], config) == expected
    assert outcome(anyhow, cut(anyhow.lines, chance), config) == expected


class Number(str):
    """A number as it is written, of any length."""

    __slots__ = ()


def decoded(text: bytes) -> Any:
    """Return what JSON says, its numbers as they are written."""
    return json.loads(text, parse_int=Number, parse_float=Number)


def outcome(written: Written, chunks: list[bytes], config: dict[str, Any]) -> dict[str, Any]:
    """Load chunks; return all that came of them and does not depend on how they are written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "quarantine.jsonl"
        quarantine = {}
        if config["on_invalid_record"] == "quarantine":
            quarantine["quarantine_path"] = str(path)
        always = {"max_parallel_requests": 1, "client_id": 1}
        loaded = load_chunks(chunks, **always, **config, **quarantine)
        aside = path.read_bytes().splitlines() if path.exists() else []
    messages = [message for body in loaded.bodies for message in messages_in(body)]
    return {
        "loaded": in_order(messages),
        "rows": rows(messages),
        "set aside": quarantined(aside, written),
        "error": described_error(loaded, written),
        "last STATE": [comparable(decoded(each)) for each in loaded.states[-1:]],
    }


def messages_in(body: bytes) -> list[dict[str, Any]]:
    """Return the messages of a body of either endpoint, each with its table, version and keys."""
    found = decoded(body)
    if isinstance(found, dict):
        same = {
            "table_name": found["table_name"],
            "key_names": found["key_names"],
            "version": found.get("table_version"),
        }
        return [{**same, **message} for message in found["messages"]]
    if found and isinstance(found[0], list):
        found = decode_transit(found)
    return [{"version": None, **message} for message in found]


def in_order(messages: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the records of each table in the order of their sequences."""
    tables: dict[str, dict[int, Any]] = {}
    for message in messages:
        if message["action"] == "upsert":
            table = tables.setdefault(message["table_name"], {})
            sequence = int(message["sequence"])
            assert sequence not in table
            table[sequence] = (
                sequence if sequence < RECENT else "of now",
                message["version"],
                message.get("time_extracted"),
                comparable(message["data"]),
            )
    return {name: [table[sequence] for sequence in sorted(table)] for name, table in tables.items()}


def rows(messages: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the rows that each table ends with, in an order of their own."""
    tables: dict[str, dict[Any, tuple[int, Any, Any]]] = {}
    for message in messages:
        table = tables.setdefault(message["table_name"], {})
        if message["action"] == "activate_version":
            for key in [key for key, row in table.items() if row[1] != message["version"]]:
                del table[key]
            continue
        data = comparable(message["data"])
        key = repr([comparable(message["data"].get(name)) for name in message["key_names"]])
        sequence = int(message["sequence"])
        if key not in table or table[key][0] < sequence:
            table[key] = sequence, message["version"], data
    return {
        name: sorted(repr((version, data)) for _, version, data in table.values())
        for name, table in tables.items()
    }


def quarantined(lines: list[bytes], written: Written) -> list[Any]:
    """Return the records of a quarantine, each with its schema and the number of its message."""
    schemas: dict[str, Any] = {}
    found = []
    for message in map(decoded, lines):
        if message["type"] == "SCHEMA":
            schemas[message["stream"]] = message
            continue
        message["message"] = written.messages[int(message.pop("line"))]
        message["schema"] = schemas[message["stream"]]
        if message["time_extracted"][:4] not in ("2024", "0001", "9999"):
            del message["time_extracted"]  # that of now
        found.append(comparable(message))
    return found


def described_error(loaded: Loaded, written: Written) -> Any:
    """Return what an error says, with the number of its message and without places in its line."""
    if loaded.error is None:
        return None
    text = re.sub(r"\(byte \d+\)", "", str(loaded.error))

    def named(match: re.Match[str]) -> str:
        return f"Message {written.messages[int(match[1])]}"

    return type(loaded.error), re.sub(r"^Line (\d+)", named, text)


def comparable(value: Any) -> Any:
    """Return a value whose objects have their names in order, and in which no number equals another."""
    if isinstance(value, dict):
        return {name: comparable(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [comparable(each) for each in value]
    return value if value is None or type(value) in (str, bool) else repr(value)
