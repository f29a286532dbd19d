"""What the tap makes of PostgreSQL's values, and what arrives, said in PostgreSQL's own words.

Each entry is a change: the column, and the SQL expression whose value stands in the place of the
column's. What has no entry, the tap writes as PostgreSQL says it, and arrives so.
"""

from __future__ import annotations

from typing import Final

# A time in the zone of the session; before zones had rules, with seconds in its offset.
_ISO: Final = (
    """to_char({0}, 'YYYY-MM-DD"T"HH24:MI:SS.US') || substring({0}::text, '[+-][0-9:]+$')"""
)
_CLOCK: Final = """to_char({0}, CASE WHEN extract(microseconds FROM {0})::bigint % 1000000 = 0
    THEN 'HH24:MI:SS' ELSE 'HH24:MI:SS.US' END)"""
_UTC: Final = """to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || 'Z'"""
_UTC_IF_OLD: Final = (
    f"CASE WHEN {{0}}::text ~ '[+-][0-9]+:[0-9]+:[0-9]+$' THEN {_UTC} ELSE {{1}} END"
)
_NUMBER: Final = "CASE WHEN {0} NOT IN ('NaN', 'Infinity', '-Infinity') THEN {0}{1} END"

OF_QUERIES: Final = {
    # microseconds, always, and the offset of the session's zone
    "changed_at": _ISO.format("changed_at"),
    "instant": _ISO.format("instant"),
    # as if it were one of UTC
    "local": """to_char(local, 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00'""",
    # microseconds, if there are any
    "clock": _CLOCK.format("clock"),
    "zoned_clock": _CLOCK.format("zoned_clock::time")
    + " || substring(zoned_clock::text, '[+-][0-9]+$') || ':00'",
    # a time that much after 1970, not an interval
    "span": """to_char('1970-01-01'::timestamp + span, 'YYYY-MM-DD"T"HH24:MI:SS')
        || CASE WHEN extract(microseconds FROM span)::bigint % 1000000 = 0 THEN ''
           ELSE to_char('1970-01-01'::timestamp + span, '.US') END || '+00:00'""",
    # hexadecimal
    "bytes": "encode(bytes, 'hex')",
    # null where it is no number
    "unconstrained": _NUMBER.format("unconstrained", ""),
    "ratio": _NUMBER.format("ratio", ""),
    "double": _NUMBER.format("double", ""),
}

OF_THE_LOG: Final = {
    # PostgreSQL's own form, with a space, and the offset of the server's zone
    "changed_at": "changed_at::text",
    "instant": "instant::text",
    "local": "local::text",
    "span": "span::text",
    "bytes": "encode(bytes, 'hex')",
    # rounded to a float
    "exact": "exact::float8",
    "money": "money::float8",
    "unconstrained": _NUMBER.format("unconstrained", "::float8"),
    "ratio": _NUMBER.format("ratio", ""),
    "double": _NUMBER.format("double", ""),
    # text of JSON, not JSON
    "document": "document::text",
    "plain": "plain::text",
    # PostgreSQL's text of an array, not an array; text[] alone is one
    "numbers": "numbers::text",
    "bigs": "bigs::text",
    "decimals": "decimals::text",
    "feelings": "feelings::text",
}

ARRIVED_OF_QUERIES: Final = {
    **OF_QUERIES,
    # an offset with seconds becomes UTC; nothing else is changed by the target
    **{name: _UTC_IF_OLD.format(name, OF_QUERIES[name]) for name in ("changed_at", "instant")},
}

ARRIVED_OF_THE_LOG: Final = {
    **OF_THE_LOG,
    # normalized: a T for the space, and UTC where no zone is written
    **{
        name: _UTC_IF_OLD.format(name, f"replace({name}::text, ' ', 'T')")
        for name in ("changed_at", "instant")
    },
    "local": "replace(local::text, ' ', 'T') || 'Z'",
}
