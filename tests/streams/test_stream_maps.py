"""A stream map makes of a record what the SDK's own code makes of it."""

from __future__ import annotations

import copy
import logging
import re
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from singer_sdk.exceptions import MapExpressionError, StreamMapConfigError
from singer_sdk.mapper import CustomStreamMap, PluginMapper

from target_stitch_import.errors import InputError, InvalidRecordError
from target_stitch_import.json_codec import decode_exactly, encode_exactly
from target_stitch_import.streams.expressions import use_exact_json
from target_stitch_import.streams.stream_maps import RecordTransform

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_sdk.mapper import StreamMap

PROPERTIES: dict[str, Any] = {
    "id": {"type": "integer"},
    "name": {"type": ["null", "string"]},
    "amount": {"type": ["null", "number"]},
    "tags": {"type": ["null", "array"]},
    "place": {"type": ["null", "object"], "properties": {"city": {"type": "string"}}},
}
# Columns that the schema does not name may come too, also with names that expressions know.
COLUMNS = [*PROPERTIES, "self", "record", "_", "config", "str", "unknown", "x"]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.decimals(allow_nan=False, allow_infinity=False, places=3)
    | st.sampled_from([Decimal("1E+2"), Decimal("0.1234567890123456789012345"), 0])
    | st.text('ab "\\Nü😀', max_size=5)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["city", "a", "name"]), inner, max_size=3)
    ),
    max_leaves=5,
)
usual = st.fixed_dictionaries(
    {
        "id": st.integers(0, 9),
        "name": st.sampled_from(["a", "a-b", "Zürich", ""]),
        "amount": st.sampled_from([Decimal("2.50"), Decimal("1E+2"), 7]),
        "tags": st.lists(scalars, max_size=3),
        "place": st.dictionaries(st.sampled_from(["city", "a"]), scalars),
    }
)
unusual = st.fixed_dictionaries({}, optional=dict.fromkeys(COLUMNS, values))
records = (usual | unusual).map(encode_exactly)

NAMES = [*PROPERTIES, *PROPERTIES, *COLUMNS, "__stream_name__", "__original_stream_name__", "fake"]
LITERALS = ["1", "2.5", "''", "'city'", "'a-b'", "None", "True", "-1", "'NaN'", "()"]
FORMS = [
    # what an expression may be made of; {0}, {1} and {2} are expressions
    *(
        f"({{0}} {operator} {{1}})"
        for operator in ("+", "-", "*", "/", "//", "%", "==", "!=", "<", ">=", "&", "|", "^", "@")
    ),
    *(f"({{0}} {word} {{1}})" for word in ("and", "or", "in", "not in", "is", "is not")),
    "({0} and {1} and {2})",
    "({0} < {1} < {2})",
    "({0} or {1} or {2})",
    "(not {0})",
    "(-{0})",
    "(~{0})",
    "({0} if {1} else {2})",
    *(
        f"{function}({{0}})"
        for function in ("int", "float", "str", "bool", "md5", "sha256", "list", "nobody")
    ),
    "int({0}, base=10)",
    "int({0}, {1})",
    "str(*{0})",
    "dict(a={0})",
    "json.dumps({0})",
    "json.dumps({0}, sort_keys=True)",
    "json.loads({0})",
    "json()",
    "datetime.date(2024, 1, {0})",
    "datetime()",
    *(
        f"{{0}}.{method}()"
        for method in ("upper", "split", "copy", "pop", "clear", "format", "keys", "_x")
    ),
    "{0}.get({1})",
    "{0}.pop({1})",
    "{0}.append({1})",
    "{0}.update(a={1})",
    "{0}.city",
    "{0}.real",
    "{0}._secret",
    "{0}[{1}]",
    "{0}[{1}:{2}]",
    "{0}[:1]",
    "{0}[::{1}]",
    "[{0}, {1}]",
    "[*{0}, {1}]",
    "({0}, {1})",
    "{{{0}: {1}}}",
    "{{{0}}}",
    "{{**{0}}}",
    "[x for x in {0}]",
    "[x for x in {0} if x == {1}]",
    "{{x: {1} for x in {0}}}",
    'f"""{{{0}}}-{{{1}}}"""',
    "(lambda: {0})()",
    "(x := {0})",
]


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(str.format, st.sampled_from(FORMS), inner, inner, inner)


expressions = st.recursive(st.sampled_from(NAMES + LITERALS), combined, max_leaves=6)
stream_maps = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["name", "amount", "tags", "x", "y", "self"], expressions | st.none()),
        "place": st.sampled_from(["place", "__NULL__", "record", "self", "_['place']"]),
        "__filter__": st.sampled_from(["1", "id < 5", "name == 'a'", "len"]) | expressions,
        "__else__": st.none(),
        "__alias__": st.just("sales"),
        "__key_properties__": st.sampled_from([[], ["id"]]),
    },
).filter(bool)


def create_map(stream_map: dict[str, Any], **config: Any) -> StreamMap:
    """Return the SDK's map for the stream ``orders``."""
    config = {
        "stream_maps": {"orders": stream_map},
        "stream_map_config": {"salt": "pepper", "list": [1]},
        **config,
    }
    mapper = PluginMapper(copy.deepcopy(config), logging.getLogger(__name__))
    schema = {"type": "object", "properties": copy.deepcopy(PROPERTIES)}
    mapper.register_raw_stream_schema("orders", schema, [])
    return mapper.stream_maps["orders"][0]


def transform_as_sdk(stream_map: StreamMap) -> Callable[[bytes], bytes | None]:
    """Return the SDK's own transform, with records read and written exactly."""
    if isinstance(stream_map, CustomStreamMap):
        use_exact_json(stream_map)

    def transform(record: bytes) -> bytes | None:
        result = stream_map.transform(decode_exactly(record))
        return None if result is None else encode_exactly(result)

    return transform


def without_addresses(text: object) -> str:
    return re.sub("0x[0-9a-f]+", "0x", str(text))


def outcome(transform: Callable[[bytes], bytes | None], record: bytes) -> Any:
    """Return the columns in their order, or what went wrong and why."""
    try:
        result = transform(record)
    except Exception as error:  # noqa: BLE001 - an expression may raise any
        cause: BaseException = error
        if isinstance(error, InvalidRecordError):
            cause = error.__cause__ or error.__context__ or error
        inner = cause.__cause__
        return type(cause), without_addresses(cause), type(inner), without_addresses(inner)
    if result is None:
        return None
    try:
        return without_addresses([*decode_exactly(result).items()])
    except ValueError:  # a decimal is the key of an object: the record is refused later
        return result


@settings(deadline=None, max_examples=250)
@given(stream_maps, st.lists(records, min_size=1, max_size=3))
@example({"name": "record.pop('id')", "x": "id"}, [b'{"id": 1, "x": 2}'])
@example({"x": "[record.clear(), id]"}, [b'{"id": 1}'])
@example({"x": "tags.append(id)"}, [b'{"id": 1, "tags": []}'])
@example({"x": "self", "name": "self"}, [b'{"self": 1}', b'{"x": 2, "self": 3}', b'{"x": 2}'])
@example({"__filter__": "self", "x": "1"}, [b'{"self": 1}', b'{"self": 0}', b"{}"])
@example({"x": "amount.from_float(float('nan'))"}, [b'{"amount": 1.5}'])
@example({"x": "{None: 1}"}, [b'{"id": 1}'])
@example({"x": f"'{'a' * 100_001}'"}, [b'{"id": 1}'])
@example({"id": "id", "__else__": None}, [b'{"name": "a"}', b'{"id": 1}'])
@example({"id": None, "__key_properties__": []}, [b'{"id": 1}', b'{"id": 1, "x": 1.0e2}'])
def test_a_map_makes_what_the_sdk_makes(stream_map: dict[str, Any], data: list[bytes]) -> None:
    # given any map that the SDK accepts
    try:
        as_sdk = transform_as_sdk(create_map(stream_map))
    except (StreamMapConfigError, MapExpressionError):
        return
    transform = RecordTransform(create_map(stream_map), "orders")
    for record in data:
        # when records are transformed, one after the other
        # then the columns, their order, their digits and the errors are the SDK's
        assert outcome(transform, record) == outcome(as_sdk, record), record


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_expression_makes_what_the_sdk_makes(form: str) -> None:
    # given an expression of each form, with some operands
    operands = ["id", "name", "amount", "tags", "place", "record", "(2)", "'city'", "nobody"]
    record = (
        b'{"id": 3, "name": "a-b", "amount": 2.50, "tags": [1, "2"], "place": {"city": "Oslo"}}'
    )
    for number, first in enumerate(operands):
        second, third = operands[number - 3], operands[number - 5]
        stream_map = {"x": form.format(first, second, third)}
        # when a record is transformed
        made = outcome(RecordTransform(create_map(stream_map), "orders"), record)
        # then it is what the SDK makes of it
        assert made == outcome(transform_as_sdk(create_map(stream_map)), record), stream_map


def test_an_expression_can_use_fake_where_the_sdk_has_it() -> None:
    # given the SDK's extra for made-up values
    stream_map = create_map({"name": "fake.email()"})
    assert isinstance(stream_map, CustomStreamMap)
    stream_map.fake = SimpleNamespace(email=lambda: "made@up.org")
    # when a record is transformed
    made = RecordTransform(stream_map, "orders")(b'{"name": "me@x.org"}')
    # then the value is made up
    assert made == b'{"name":"made@up.org"}'


@settings(deadline=None, max_examples=50)
@given(st.booleans(), st.integers(0, 2), records)
def test_flattening_behind_a_map_is_the_sdks(mapped: bool, depth: int, record: bytes) -> None:
    # given flattening, with a map in front of it or without
    config: dict[str, Any] = {"flattening_enabled": True, "flattening_max_depth": depth}
    if not mapped:
        config["stream_maps"] = {}
    stream_map = {"place": "{'there': place}", "x": "name", "name": None}
    as_sdk = transform_as_sdk(create_map(stream_map, **config))
    # when a record is transformed
    transform = RecordTransform(create_map(stream_map, **config), "orders")
    # then it is what the SDK makes of it
    assert outcome(transform, record) == outcome(as_sdk, record)


def test_columns_that_a_map_does_not_use_keep_their_bytes() -> None:
    # given a map that renames one column
    transform = RecordTransform(create_map({"total": "amount", "amount": None}), "orders")
    # when a record has numbers and escapes that can be written in other ways
    made = transform(b'{"id":1.50e3,"amount":1.10,"name":"Z\\u00fcrich","place": {"a" : 1E400}}')
    # then they are as the tap wrote them
    assert made == b'{"id":1.50e3,"name":"Z\\u00fcrich","place":{"a" : 1E400},"total":1.10}'


def test_two_transforms_can_share_a_map() -> None:
    # given a map that two schemas of a stream have in common, as only their bookmarks differ
    stream_map = create_map({"x": "json.dumps([y for y in tags]) + str(id)"})
    transforms = [RecordTransform(stream_map, "orders") for _ in range(2)]
    # when their records take turns
    made = [transforms[turn % 2](encode_exactly({"id": turn, "tags": [turn]})) for turn in range(4)]
    # then each is transformed as itself
    assert [decode_exactly(record or b"")["x"] for record in made] == [
        "[0]0",
        "[1]1",
        "[2]2",
        "[3]3",
    ]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"[1]", "a record of stream 'orders' is not a JSON object"),
        (b'{"id": 1', "a record of stream 'orders' can't be read: "),
        (b'{"id": 1e99999999999999999999}', "it has a number whose exponent is too large"),
        (b'{"id": 1}', "can't be applied to a record: Failed to evaluate"),
        (b'{"id": 1, "name": ["secret"]}', "can't be applied to a record: TypeError"),
        (
            b'{"id": 1, "name": {"a": "\\ud800"}}',
            "of 'orders' can't be written: UnicodeEncodeError",
        ),
    ],
)
def test_a_record_that_cant_be_transformed_is_refused_without_its_data(
    record: bytes, reason: str
) -> None:
    # given a map with expressions
    transform = RecordTransform(create_map({"x": "id + 0", "y": "name['a']"}), "orders")
    # when a record can't be transformed
    with pytest.raises(InvalidRecordError) as caught:
        transform(record)
    # then the message says why, and has no value of it
    assert reason in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_a_map_makes_may_be_no_json() -> None:
    # given a map that makes a list which is part of itself
    stream_map = create_map({"x": "tags.append(tags)", "__alias__": "sales"})
    # when a record is transformed
    with pytest.raises(InvalidRecordError) as caught:
        RecordTransform(stream_map, "orders")(b'{"tags": []}')
    # then the message names the table, and why
    assert "makes of a record of 'sales' can't be written: RecursionError" in str(caught.value)


@pytest.mark.parametrize("name", ["x", "__filter__"])
def test_a_map_that_assigns_is_refused_before_any_record(name: str) -> None:
    # given a map with a statement instead of an expression
    stream_map = create_map({name: "y = id"})
    # when it is to be applied
    # then it is the map that is wrong, and no record
    with pytest.raises(InputError, match="y = id"):
        RecordTransform(stream_map, "orders")
