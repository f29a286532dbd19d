-- One column of each type, and rows of the values that are easily lost on the way.
CREATE SCHEMA samples;
CREATE TYPE samples.mood AS ENUM ('calm', 'Très "gai"', '🙂');
CREATE TABLE samples.everything (
  id bigint PRIMARY KEY,
  changed_at timestamptz NOT NULL,
  exact numeric(38, 18),
  unconstrained numeric,
  money numeric(12, 2),
  small smallint,
  whole integer,
  big bigint,
  ratio real,
  double double precision,
  instant timestamptz,
  local timestamp,
  day date,
  clock time,
  zoned_clock timetz,
  span interval,
  document jsonb,
  plain json,
  numbers integer[],
  bigs bigint[],
  decimals numeric[],
  words text[],
  bytes bytea,
  feeling samples.mood,
  feelings samples.mood[],
  flag boolean,
  token uuid,
  label text,
  short varchar(10),
  padded char(5)
);
INSERT INTO samples.everything VALUES
-- the greatest of each
(9223372036854775807, '2024-02-29 23:59:59.123456+05:45',
 99999999999999999999.999999999999999999,
 123456789012345678901234567890123456789012345678.123456789012345678901234567890, 9999999999.99,
 32767, 2147483647, 9223372036854775807, 3.4028235e38, 1.7976931348623157e308,
 '9999-12-31 12:00:00.999999-04', '9999-12-31 23:59:59.999999', '9999-12-31', '23:59:59.999999',
 '12:00:00.5+02', '40 days 23:59:59.000001',
 '{"a": {"b": [1, 1.10, 12345678901234567890123, 0.1234567890123456789, 1e30, null, true, []]},
   "é🙂": "\u0001\u001f \" \\ / \u2028 🙂", "": {}}',
 '{"b": 1, "a":   2.50, "c": 9007199254740993}', '{1,2147483647}', '{9223372036854775807}',
 '{0.10,99999999999999999999.999999999999999999}', '{a,"","🙂","c,d\"e","{}"}', '\x00ff10', '🙂',
 '{calm,"Très \"gai\""}', true, 'ffffffff-ffff-ffff-ffff-ffffffffffff',
 (SELECT string_agg(chr(n), '' ORDER BY n) FROM generate_series(1, 31) AS n)
 || E'\x7f"\\/ é \u2028\u2029\uFEFF 🙂 👩‍👩‍👧 𝒳', '🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂', 'ab'),
-- the smallest
(-9223372036854775808, '2024-03-01 00:00:00+00', -99999999999999999999.999999999999999999, 1e-30,
 -9999999999.99, -32768, -2147483648, -9223372036854775808, -1e-45, 5e-324,
 '0001-01-02 00:00:00.000001+00', '0001-01-01 00:00:00', '0001-01-01', '00:00',
 '12:00:00-02', '-1 day', '"a text"', '[1.0]', '{-2147483648}', '{-9223372036854775808}', '{-1e-18}',
 '{NULL_,null_}', '\x80', 'Très "gai"', '{"🙂"}', false, '00000000-0000-0000-0000-000000000000',
 'null', 'NULL', 'abcde'),
-- what is empty, or nought
(0, '2024-03-02 00:00:00.5-08', 0, 0, 0.00, 0, 0, 0, 0, 0, '1970-01-01 00:00:00+00', '1970-01-01',
 '1970-01-01', '12:00', '00:00+00', '0', '{}', '[]', '{}', '{}', '{}', '{}', '\x', 'calm', '{}',
 false, '00000000-0000-0000-0000-000000000001', '', '', ''),
-- what is no number, and what is hard for a float
(1, '2024-03-03 00:00:00.000001+00', 0.000000000000000001, 'NaN', 0.10, 1, 1, 9007199254740993, 'NaN',
 'Infinity', '2024-07-01 12:00:00+02', '2024-07-01 12:00:00.1', '2024-07-01', '12:00:00.1',
 '23:59+14', '36:00', '0.1', 'null', '{0}', '{9007199254740993}', '{0.1}', '{x}', 'abc', 'calm',
 '{calm}', true, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'x', 'x', 'x');
-- and nothing at all
INSERT INTO samples.everything (id, changed_at) VALUES (2, '2024-03-04 12:00:00+00');
