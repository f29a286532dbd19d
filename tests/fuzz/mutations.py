"""Inputs that nobody would write: those of the corpus, cut, spliced, flipped and repeated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKEN: Final = re.compile(rb'"[^"\\]*"|[0-9.eE+-]+|true|false|null|[{}\[\],:]')
LONGEST: Final = 4_000
TOKENS: Final = [
    *[b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b'""', b"[]", b"{}", b"0", b"-0"],
    *[b"1e999", b"1E-999", b"0.1", b"1.0", b"-1", b"NaN", b"-Infinity", b"9" * 19, b"9" * 5_000],
    *[b'"RECORD"', b'"STATE"', b'"SCHEMA"', b'"ACTIVATE_VERSION"', b'"BATCH"', b'"type"'],
    *[b'"stream"', b'"record"', b'"schema"', b'"value"', b'"version"', b'"key_properties"'],
    *[b'"time_extracted"', b'"properties"', b'"$ref"', b'"id"', b'"orders"', b'"_sdc_sequence"'],
    *[b'"\\ud800"', b'"\\u0000"', b'"\\x"', b"\x00", b"\xff", b"\xc3", b"\xe2\x80\xa8", b"\r"],
    *[b"\n", b" ", b"\xef\xbb\xbf", b"[" * 600, b'{"a":' * 600, b'"' + b"k" * 300 + b'"'],
]


@st.composite
def mutations(draw: st.DrawFn, corpus: Sequence[bytes]) -> bytes:
    """Draw an input of the corpus and spoil it a few times."""
    data = draw(st.sampled_from(corpus))
    for _ in range(draw(st.integers(1, 4))):
        spoil = draw(st.sampled_from([_cut, _splice, _flip, _repeat, _replace, _replace]))
        data = spoil(draw, data, corpus)[:LONGEST]
    return data


def _place(draw: st.DrawFn, data: bytes) -> int:
    return draw(st.integers(0, len(data)))


def _cut(draw: st.DrawFn, data: bytes, corpus: Sequence[bytes]) -> bytes:
    start, end = sorted([_place(draw, data), _place(draw, data)])
    return data[:start] if draw(st.booleans()) else data[:start] + data[end:]


def _splice(draw: st.DrawFn, data: bytes, corpus: Sequence[bytes]) -> bytes:
    other = draw(st.sampled_from(corpus))
    return data[: _place(draw, data)] + other[_place(draw, other) :]


def _flip(draw: st.DrawFn, data: bytes, corpus: Sequence[bytes]) -> bytes:
    if not data:
        return data
    place = draw(st.integers(0, len(data) - 1))
    byte = data[place] ^ (1 << draw(st.integers(0, 7)))
    return data[:place] + bytes([byte]) + data[place + 1 :]


def _repeat(draw: st.DrawFn, data: bytes, corpus: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    line = draw(st.sampled_from(lines))
    lines.insert(draw(st.integers(0, len(lines))), line)
    return b"".join(lines)


def _replace(draw: st.DrawFn, data: bytes, corpus: Sequence[bytes]) -> bytes:
    found = list(TOKEN.finditer(data))
    if not found:
        return data
    place = draw(st.sampled_from(found))
    return data[: place.start()] + draw(st.sampled_from(TOKENS)) + data[place.end() :]
