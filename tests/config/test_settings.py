"""What may be set, to what, and what the vendor target's config becomes."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from target_stitch_import.config import settings
from target_stitch_import.target import TargetStitchImport

TOKEN = "s3cret-token"
LOGGER = logging.getLogger("test-settings")


def made(**config: Any) -> TargetStitchImport:
    """Return a target with a token and these settings."""
    return TargetStitchImport(config={"token": TOKEN, **config})


def refusals(**config: Any) -> str:
    """Return what a target says of a config that it refuses."""
    with pytest.raises(ConfigValidationError) as refused:
        made(**config)
    return "\n".join(refused.value.errors)


def with_each(name: str, *values: Any) -> list[tuple[str, Any]]:
    """Return a case for each value of a setting."""
    return [(name, value) for value in values]


DEFAULTS: dict[str, Any] = {
    "region": "us",
    "batch_size_rows": 10_000,
    "max_batch_bytes": 4_000_000,
    "max_batch_age_seconds": 30,
    "max_parallel_requests": 4,
    "request_timeout_seconds": 60,
    "max_retry_seconds": 900,
    "validate_records": True,
    "on_invalid_record": "fail",
    "sequence_source": "time_extracted",
    "check_status": True,
    "load_method": "upsert",
    "process_activate_version_messages": True,
}


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items())
def test_null_means_the_default(name: str, value: Any) -> None:
    assert made().config[name] == value
    assert made(**{name: None}).config[name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_id", 4231),
        ("client_id", 7),
        ("client_id", 12_345_678_901),
        ("region", "eu"),
        ("batch_size_rows", 1),
        ("batch_size_rows", 20_000),
        ("max_batch_bytes", 1_000),
        ("max_batch_bytes", 20_000_000),
        ("max_batch_age_seconds", 0.1),
        ("max_parallel_requests", 1),
        ("max_parallel_requests", 64),
        ("request_timeout_seconds", 0.5),
        ("max_retry_seconds", 0),
        ("validate_records", False),
        ("quarantine_path", "q.singer"),
        ("max_quarantined", 0),
        ("sequence_source", "replication_key"),
        ("sequence_source", "received_at"),
        ("check_status", False),
        ("load_method", "append-only"),
        ("process_activate_version_messages", False),
        ("api_url", "https://example.com"),
    ],
)
def test_what_is_in_range_is_taken(name: str, value: Any) -> None:
    assert made(**{name: value}).config[name] == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *with_each("token", "", 5, True, ["a"], {}),
        *with_each("client_id", "", "42 31", "x4231", "4231.0", "-", "٤٢", "9" * 5_000),
        *with_each("client_id", 42.5, True, [4231], {}),
        *with_each("region", "", "US", "asia", 5, ["us"]),
        *with_each("api_url", 5, True, ["https://example.com"]),
        *with_each("batch_size_rows", 0, -1, 20_001, 1.5, "many", True, []),
        *with_each("max_batch_bytes", 999, 20_000_001, "4 MB", 1.5),
        *with_each("max_batch_age_seconds", 0, -1, "soon", True, []),
        *with_each("max_parallel_requests", 0, 65, 1.5, "all"),
        *with_each("request_timeout_seconds", 0, -0.5, "long", {}),
        *with_each("max_retry_seconds", -1, "for ever", []),
        *with_each("validate_records", "yes", 1, []),
        *with_each("flattening_max_depth", -1),
        *with_each("flattening_max_key_length", 0, -1),
        *with_each("on_invalid_record", "", "ignore", True, ["fail"]),
        *with_each("quarantine_path", "", 5, [], True),
        *with_each("max_quarantined", -1, 1.5, "many", True),
        *with_each("sequence_source", "", "bookmark", 5, ["received_at"]),
        *with_each("check_status", "no", 0),
        *with_each("load_method", "", "insert", 5),
        *with_each("process_activate_version_messages", "no", 0),
    ],
)
def test_a_wrong_type_or_range_is_refused_with_the_settings_name(name: str, value: Any) -> None:
    message = refusals(**{name: value})
    assert name in message
    assert TOKEN not in message


@pytest.mark.parametrize(
    "name", ["max_batch_age_seconds", "request_timeout_seconds", "max_retry_seconds"]
)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400"])
def test_a_number_that_is_none_is_refused(name: str, value: str) -> None:
    assert name in refusals(**{name: value})


@pytest.mark.parametrize("value", ["4231", "004231", 4231.0, 4231])
def test_a_client_id_may_be_text_as_in_the_vendors_config(value: Any) -> None:
    client_id = made(client_id=value).config["client_id"]
    assert (client_id, type(client_id)) == (4231, int)


def test_a_client_id_that_is_none_is_refused_in_one_line() -> None:
    message = refusals(client_id="mine")
    assert message.startswith("client_id must be a whole number, not 'mine'")
    assert len(message.splitlines()) == 1


def test_a_quarantine_needs_a_file() -> None:
    message = refusals(on_invalid_record="quarantine")
    assert message == "quarantine_path: must be set with on_invalid_record 'quarantine'"


def test_the_token_is_required() -> None:
    with pytest.raises(ConfigValidationError) as refused:
        TargetStitchImport(config={})
    (message,) = refused.value.errors
    assert message == (
        "token is missing: set TARGET_STITCH_IMPORT_TOKEN and use --config=ENV, or put it into a "
        "config file"
    )


@pytest.mark.parametrize("value", [4711, ["4711"], {"is": "4711"}])
def test_a_token_of_a_wrong_type_is_not_shown(value: Any) -> None:
    with pytest.raises(ConfigValidationError) as refused:
        TargetStitchImport(config={"token": value})
    assert "4711" not in str(refused.value.errors)
    assert refused.value.errors == ["token must be a text"]


@pytest.mark.parametrize(
    "token", ["s3cret\n", " s3cret", "s3 cret", "s3cret\r\nX: y", "s3cret—", "s3\0cret"], ids=ascii
)
def test_a_token_that_no_header_can_hold_is_refused_unseen(token: str) -> None:
    message = refusals(token=token)
    assert message.startswith("token: must be printable ASCII characters")
    assert "cret" not in message


@pytest.mark.parametrize(
    ("name", "value", "because"),
    [
        ("load_method", "overwrite", "replace good rows by half a table"),
        ("add_record_metadata", True, "Stitch itself writes such columns"),
    ],
)
def test_what_is_not_offered_is_refused_with_its_reason(
    name: str, value: Any, because: str
) -> None:
    message = refusals(**{name: value})
    assert message.startswith(f"{name}: ")
    assert because in message
    assert len(message.splitlines()) == 1


def test_several_refusals_are_reported_at_once() -> None:
    message = refusals(load_method="overwrite", api_url="ftp://x", batch_size_rows=0, region="asia")
    assert len(message.splitlines()) == 4


TYPOS = {
    "regoin": "region",
    "tokn": "token",
    "apiurl": "api_url",
    "apiUrl": "api_url",
    "api-url": "api_url",
    "max_retries_seconds": "max_retry_seconds",
    "batch_size": "batch_size_rows",
    "small_batch_ulr": "small_batch_url",
}
UNKNOWN = ("colour", "default_target_schema", "batch_config", "hard_delete", "start_date")


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was warned of."""
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize(("name", "meant"), TYPOS.items())
def test_a_typo_is_refused(name: str, meant: str) -> None:
    assert refusals(**{name: "s3cret"}) == f"{name} does not exist; did you mean {meant}?"


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_setting_of_another_program_is_reported_and_ignored(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        made(**{name: "s3cret"})
    assert warnings_in(caplog) == [f"Setting {name} is not known and is ignored."]


@pytest.mark.parametrize(("name", "meant"), [("APIURL", "API_URL"), ("REGOIN", "REGION")])
def test_a_typo_in_the_environment_is_refused(
    name: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given the environment of a run, with a typo in it
    monkeypatch.setenv("TARGET_STITCH_IMPORT_TOKEN", TOKEN)
    monkeypatch.setenv(f"TARGET_STITCH_IMPORT_{name}", "x")
    # when the settings are read from it, then it is named
    with pytest.raises(ConfigValidationError) as refused:
        TargetStitchImport(config={}, parse_env_config=True)
    assert refused.value.errors == [
        f"TARGET_STITCH_IMPORT_{name} does not exist; did you mean TARGET_STITCH_IMPORT_{meant}?"
    ]
    # and when they are not, it is nobody's matter
    assert made().config["region"] == "us"


def test_what_others_read_from_the_environment_is_no_typo(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # given variables of the SDK and of Meltano, and one that nobody knows
    monkeypatch.setenv("TARGET_STITCH_IMPORT_TOKEN", TOKEN)
    for name in ("LOGLEVEL", "LOG_CONFIG", "_LOAD_SCHEMA", "_TARGET_SCHEMA", "_DIALECT"):
        monkeypatch.setenv(f"TARGET_STITCH_IMPORT_{name}", "INFO")
    monkeypatch.setenv("TARGET_STITCH_IMPORT_STREAM_MAPS_ORDERS_ID", "x")
    monkeypatch.setenv("TARGET_STITCH_IMPORT_COLOUR", "red")
    # when the settings are read from it
    with caplog.at_level(logging.WARNING):
        TargetStitchImport(config={}, parse_env_config=True)
    # then only that one is reported
    assert warnings_in(caplog) == [
        "Setting TARGET_STITCH_IMPORT_COLOUR is not known and is ignored."
    ]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("TOKEN", "12345", "12345"),
        ("CLIENT_ID", "4231", 4231),
        ("BATCH_SIZE_ROWS", "500", 500),
        ("MAX_BATCH_AGE_SECONDS", "2.5", 2.5),
        ("MAX_BATCH_AGE_SECONDS", "30", 30),
        ("REQUEST_TIMEOUT_SECONDS", "1e1", 10),
        ("MAX_RETRY_SECONDS", "0", 0),
        ("VALIDATE_RECORDS", "false", False),
        ("LOAD_METHOD", "append-only", "append-only"),
        ("SKIP_UNCHANGED_IGNORE", '["seen"]', ["seen"]),
        ("STREAM_MAPS", '{"orders": null}', {"orders": None}),
    ],
)
def test_the_environment_gives_all_as_text(
    name: str, text: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGET_STITCH_IMPORT_TOKEN", TOKEN)
    monkeypatch.setenv(f"TARGET_STITCH_IMPORT_{name}", text)
    target = TargetStitchImport(config={}, parse_env_config=True)
    assert target.config[name.lower()] == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *with_each("VALIDATE_RECORDS", "ture", "", "2", "None"),
        *with_each("CHECK_STATUS", "maybe"),
        *with_each("FLATTENING_ENABLED", "oui"),
        *with_each("BATCH_SIZE_ROWS", "many"),
        *with_each("CLIENT_ID", "mine", ""),
    ],
)
def test_a_slip_in_the_environment_is_refused_and_not_taken_for_false(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGET_STITCH_IMPORT_TOKEN", TOKEN)
    monkeypatch.setenv(f"TARGET_STITCH_IMPORT_{name}", text)
    with pytest.raises(ConfigValidationError) as refused:
        TargetStitchImport(config={}, parse_env_config=True)
    (message,) = refused.value.errors
    assert message.startswith(f"TARGET_STITCH_IMPORT_{name} must be ")
    assert message.endswith(f", not '{text}'")


def test_without_config_env_the_environment_is_nobodys_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TARGET_STITCH_IMPORT_VALIDATE_RECORDS", "ture")
    assert made().config["validate_records"] is True


def test_every_setting_is_described_and_only_the_token_is_secret() -> None:
    properties = settings.SETTINGS["properties"]
    for name in (*DEFAULTS, "token", "client_id", "api_url"):
        assert properties[name]["description"], name
        assert bool(properties[name].get("secret")) == (name == "token")
