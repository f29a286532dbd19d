"""BATCH messages with files in S3 and with Parquet files."""

from __future__ import annotations

import gzip
from decimal import Decimal
from typing import TYPE_CHECKING

import boto3
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer
from pyarrow import parquet

from target_stitch_import.emulator import read_table
from tests.properties.test_tables import VALUES
from tests.support.batches import batch, jsonl
from tests.support.messages import record, schema, state, tap_output
from tests.support.running import loaded, piped
from tests.support.service import running_service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_stitch_import.emulator import Emulator
    from tests.support.service import Service

PROPERTIES = {
    "id": {"type": "integer"},
    "amount": {"type": ["null", "number"]},
    "at": {"type": ["null", "string"], "format": "date-time"},
}
TABLE = pa.table(
    {
        "id": pa.array(range(2_500)),
        "amount": pa.array([Decimal("0.10")] * 2_500, pa.decimal128(38, 2)),
        "at": pa.array(range(2_500), pa.timestamp("us", "UTC")),
    }
)


@pytest.fixture(scope="module")
def s3_environment() -> Iterator[dict[str, str]]:
    """Run an S3 with a bucket ``files``; return the environment that leads to it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="files")
        yield environment
    server.stop()


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a b%20c.parquet"])
def test_files_in_s3_are_read(
    name: str, s3_environment: dict[str, str], emulator: Emulator, tmp_path: Path
) -> None:
    # given a file in a bucket
    path = tmp_path / name
    form = {"format": "parquet"} if name.endswith("parquet") else {}
    if form:
        parquet.write_table(TABLE, path, row_group_size=700)
    else:
        jsonl(path, *({"id": n} for n in range(2_500)))
    boto3.client("s3").put_object(Bucket="files", Key=f"folder/{name}", Body=path.read_bytes())
    lines = [
        schema(properties=PROPERTIES),
        batch(f"s3://files/folder/{name}", **form),
        state({"a": 1}),
    ]
    # when a run finds it by the variables of AWS alone
    config = {"token": "t", "api_url": emulator.url}
    run = piped(config, tmp_path, tap_output(*lines), **s3_environment)
    # then its rows are there
    assert (run.exit_code, run.states) == (0, [{"a": 1}]), run.stderr
    found = {row["id"] for row in read_table(emulator.database, "orders")}
    assert found == set(range(2_500))


def test_a_file_that_is_not_in_s3_is_told(
    s3_environment: dict[str, str], service: Service, tmp_path: Path
) -> None:
    lines = [schema(), state({"a": 1}), batch("s3://files/nowhere")]
    run = piped(service.config(), tmp_path, tap_output(*lines), **s3_environment)
    assert (run.exit_code, run.states) == (1, [{"a": 1}])
    assert "Line 3 of the input: " in run.last_line
    assert "file 's3://files/nowhere' can't be read: " in run.last_line
    assert "NoSuchKey" in run.last_line or "does not exist" in run.last_line


def test_rows_of_parquet_have_every_digit(emulator: Emulator, tmp_path: Path) -> None:
    # given decimals and times in a Parquet file that is compressed
    path = tmp_path / "a.parquet"
    parquet.write_table(TABLE, path, compression="gzip")
    line = batch(path.as_uri(), format="parquet", compression="gzip")
    # when it is loaded through a pipe
    data = tap_output(schema(properties=PROPERTIES), line)
    run = piped({"token": "t", "api_url": emulator.url}, tmp_path, data)
    # then the table has them
    assert run.exit_code == 0, run.stderr
    rows = {row["id"]: row for row in read_table(emulator.database, "orders")}
    assert len(rows) == 2_500
    assert rows[7]["amount"] == Decimal("0.10")
    assert str(rows[7]["at"]).startswith("1970-01-01T00:00:00.000007")


def test_a_bad_row_of_parquet_is_named_by_its_number(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"id": [1, None]}), path)
    _, error = loaded(service.config(), tap_output(schema(), batch(path, format="parquet")))
    assert f"file '{path}', row 2: record of stream 'orders'" in str(error)


def test_nan_of_parquet_is_null(service: Service, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"id": [1], "v": [float("nan")]}), path)
    run = piped(service.config(), tmp_path, tap_output(schema(), batch(path, format="parquet")))
    assert run.exit_code == 0
    assert service.requests[0].records == [b'{"id":1,"v":null}']
    assert run.stderr.count("null takes its place") == 1


@settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    texts=st.lists(
        st.fixed_dictionaries({}, optional=VALUES).map(
            lambda row: "{" + ",".join(f'"{name}": {text}' for name, text in row.items()) + "}"
        ),
        max_size=30,
    ),
    rows=st.integers(1, 8),
)
def test_the_same_records_as_lines_and_as_a_file_make_the_same_requests(
    texts: list[str], rows: int, tmp_path: Path
) -> None:
    # given records, as RECORD messages and as a file
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress("\n".join(texts).encode()))
    head = schema(properties={name: {} for name in VALUES}, keys=[])
    inputs = [tap_output(head, *map(record, texts)), tap_output(head, batch(path))]
    sent = []
    for data in inputs:
        with running_service() as service:
            config = service.config(batch_size_rows=rows, max_parallel_requests=1)
            # when they are loaded
            _, error = loaded(config, data)
            assert error is None
            sent.append([request.records for request in service.requests])
    # then the same has arrived, in the same batches
    assert sent[0] == sent[1]
