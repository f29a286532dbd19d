"""JSON read and written without loss."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_stitch_import.json_codec import (
    decode_exactly,
    encode_exactly,
    json_excerpt,
    replace_non_finite,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"0", 0),
        (b"-1", -1),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"1.0", Decimal("1.0")),
        (b"1e2", Decimal("1E+2")),
        (b"0.10", Decimal("0.10")),
        (b"1e400", Decimal("1E+400")),
        (
            b"99999999999999999999.999999999999999999",
            Decimal("99999999999999999999.999999999999999999"),
        ),
        (b'"\\u0000\\ud83d\\ude00\\/"', "\0\N{GRINNING FACE}/"),
        (b'{"a":[null,true,false]}', {"a": [None, True, False]}),
    ],
)
def test_numbers_and_strings_are_read_exactly(text: bytes, value: Any) -> None:
    decoded = decode_exactly(text)
    assert decoded == value
    assert type(decoded) is type(value)
    assert str(decoded) == str(value)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_what_is_encoded_is_decoded_to_the_same(value: Any) -> None:
    # then every digit is there again, trailing zeros included.
    assert repr(decode_exactly(encode_exactly([value, value]))) == repr(
        decode_exactly(encode_exactly(decode_exactly(encode_exactly([value, value]))))
    )
    assert decode_exactly(encode_exactly(value)) == value


def test_an_integer_is_read_and_written_up_to_4300_digits() -> None:
    assert decode_exactly(b"9" * 4300) == 10**4300 - 1
    assert encode_exactly([10**4300 - 1, -(10**4299)]) == b"[%b,-1%b]" % (b"9" * 4300, b"0" * 4299)


def test_a_decimal_may_have_any_number_of_digits() -> None:
    text = b"0." + b"9" * 50_000
    assert encode_exactly(decode_exactly(text)) == text


def test_half_of_a_surrogate_pair_is_read_but_can_not_be_written() -> None:
    value = decode_exactly(b'{"a":"\\ud800"}')
    assert value == {"a": "\ud800"}
    with pytest.raises(ValueError, match="surrogates not allowed"):
        encode_exactly(value)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")]
)
def test_what_is_not_finite_is_written_as_null(value: Any) -> None:
    assert encode_exactly([value]) == b"[null]"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "Expecting value"),
        (b'{"a":}', "Expecting value"),
        (b"NaN", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"1e99999999999999999999", "exponent is too large"),
        (b'"\xff"', "can't decode"),
        (b'"\xed\xa0\x80"', "can't decode"),  # a surrogate, which UTF-8 does not permit
        (b"9" * 5000, "an integer of 5,000 digits"),
        (b"[" * 200_000 + b"]" * 200_000, "too deeply"),
    ],
)
def test_what_is_no_json_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        decode_exactly(text)


@pytest.mark.parametrize(
    ("line", "mended"),
    [
        (b'{"a":NaN}', b'{"a":null}'),
        (b'{"a":Infinity}', b'{"a":null}'),
        (b'{"a":-Infinity}', b'{"a":null}'),
        (b'{"a":-NaN}', b'{"a":null}'),
        (b"[NaN,NaN, Infinity]", b"[null,null, null]"),
        (b'{"NaN":NaN}', b'{"NaN":null}'),
        (b'["NaN","a NaN b"," NaN"]', b'["NaN","a NaN b"," NaN"]'),
        (b'["\\"NaN",NaN]', b'["\\"NaN",null]'),
        (b'["\\\\",NaN,"NaN\\\\"]', b'["\\\\",null,"NaN\\\\"]'),
        (b'["\\\\\\"NaN\\\\",-Infinity]', b'["\\\\\\"NaN\\\\",null]'),
        (b"[NaNa]", b"[NaNa]"),
        (b"[1NaN]", b"[1NaN]"),
        ('["é",NaN]'.encode(), '["é",null]'.encode()),
    ],
)
def test_nan_is_mended_outside_strings_only(line: bytes, mended: bytes) -> None:
    assert replace_non_finite(line) == mended


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.floats() | st.text() | st.none(), lambda i: st.lists(i) | st.dictionaries(st.text(), i)
    )
)
def test_whatever_python_writes_is_json_once_mended(value: Any) -> None:
    # given what json.dumps writes, strings with NaN in them included
    line = json.dumps([value, "NaN", float("nan")]).encode()
    # then only the constants are gone
    expected = json.loads(line, parse_constant=lambda _: None)
    assert json.loads(replace_non_finite(line), parse_constant=pytest.fail) == expected


def test_mending_a_long_broken_line_does_not_take_for_ever() -> None:
    # given a line cut off within a string that has JSON in it: once for each of its quotes the rest
    # would be searched for the end. In a process of its own, so that a test that hangs can be ended.
    code = (
        "from target_stitch_import.json_codec import replace_non_finite\n"
        "line = b'[NaN,' + b'\"' + bytes([92, 34, 120]) * 100_000\n"
        "assert replace_non_finite(line).endswith(line[5:])\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_what_is_shown_is_cut_where_it_is_long() -> None:
    assert json_excerpt({"a": Decimal("1.10")}) == '{"a":1.10}'
    assert json_excerpt(["x" * 298]) == '["' + "x" * 298 + "..."
    assert json_excerpt(["x" * 296]) == '["' + "x" * 296 + '"]'
