"""The command line and the settings, as a user meets them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.messages import record, schema, state, tap_output
from tests.support.running import COMMAND, environment, piped

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service import Service

ONE_RECORD = tap_output(schema(), record({"id": 1}), state({"at": 1}))


def ask(*arguments: str, **env: str) -> str:
    return subprocess.run(
        [COMMAND, *arguments], check=True, capture_output=True, text=True, env=environment(**env)
    ).stdout


def test_version_is_said() -> None:
    assert ask("--version").startswith("target-stitch-import v")


def test_about_tells_the_settings_in_three_forms() -> None:
    # given the three forms of --about
    # when each is asked for
    as_json = json.loads(ask("--about", "--format", "json"))
    # then each names every setting, and the token is marked as a secret
    names = set(as_json["settings"]["properties"])
    assert as_json["settings"]["properties"]["token"]["writeOnly"] is True
    for text in (ask("--about"), ask("--about", "--format", "markdown")):
        assert all(name in text for name in names)
    # and the ones that would do nothing here are not among them
    assert not names & {"add_record_metadata", "faker_config", "batch_config"}


def test_settings_come_from_the_environment(service: Service, tmp_path: Path) -> None:
    # given settings of every kind in the environment
    env = {
        "TARGET_STITCH_IMPORT_TOKEN": "secret-token",
        "TARGET_STITCH_IMPORT_API_URL": service.url,
        "TARGET_STITCH_IMPORT_BATCH_SIZE_ROWS": "1",
        "TARGET_STITCH_IMPORT_MAX_BATCH_AGE_SECONDS": "0.5",
        "TARGET_STITCH_IMPORT_VALIDATE_RECORDS": "false",
    }
    # when the target is told to read them
    run = subprocess.run(
        [COMMAND, "--config=ENV"],
        input=ONE_RECORD,
        capture_output=True,
        check=False,
        env=environment(**env),
        cwd=tmp_path,
    )
    # then they hold
    assert run.returncode == 0, run.stderr
    assert service.ids == [1]
    assert b"secret-token" not in run.stderr


@pytest.mark.parametrize(
    ("variable", "text", "expected_text"),
    [
        ("BATCH_SIZE_ROWS", "many", "must be a whole number, not 'many'"),
        ("STREAM_MAPS", "{oops", "must be a JSON object: line 1, column 2: Expecting"),
    ],
)
def test_an_environment_that_cant_be_read_is_named(
    variable: str, text: str, expected_text: str, tmp_path: Path
) -> None:
    # given a setting of the environment that is no such thing
    env = environment(
        **{"TARGET_STITCH_IMPORT_TOKEN": "t", f"TARGET_STITCH_IMPORT_{variable}": text}
    )
    # when the target is told to read it
    run = subprocess.run(
        [COMMAND, "--config=ENV"],
        capture_output=True, text=True, check=False, input="", env=env, cwd=tmp_path,
    )  # fmt: skip
    # then it is named
    assert run.returncode == 1
    assert f"Setting TARGET_STITCH_IMPORT_{variable} {expected_text}" in run.stderr
    assert "Traceback" not in run.stderr


def printed(*arguments: str) -> str:
    """Return what the command prints to stdout."""
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def test_help_begins_with_what_it_is() -> None:
    text = printed("--help")
    what, example, codes, docs, options = (
        text.index(part)
        for part in (
            "loads any tap into Stitch",
            "tap-anything --config tap.json | target-stitch-import --config=ENV",
            "  75  ",
            "/tree/main/docs",
            "Options:",
        )
    )
    assert what < example < codes < docs < options


def test_about_describes_each_setting() -> None:
    text = printed("--about")
    assert "  token: string, required\n    Import API access token of the" in text
    assert '  region: us or eu, default "us"\n    Region of the Stitch account' in text
    assert "    In the environment: TARGET_STITCH_IMPORT_MAX_RETRY_SECONDS\n" in text


def test_a_terminal_in_the_place_of_a_tap_is_said(service: Service, tmp_path: Path) -> None:
    # given a target that somebody starts without a tap
    path = tmp_path / "config.json"
    path.write_text(json.dumps(service.config()))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [COMMAND, "--config", str(path)],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as process:  # fmt: skip
        # when it waits for input
        assert process.stderr is not None
        line = next(line for line in process.stderr if b"WARNING" in line)
        # then it says for what, and ends when that ends
        assert b"Waiting for a tap on stdin, as in: tap-anything | target" in line
        os.write(ours, b"\x04")
        assert process.wait(60) == 0
    os.close(ours)
    os.close(theirs)


def test_a_closed_standard_input_is_said(service: Service, tmp_path: Path) -> None:
    # given a process without a standard input
    path = tmp_path / "config.json"
    path.write_text(json.dumps(service.config()))
    # when the target is started
    run = subprocess.run(
        ["sh", "-c", f"exec {COMMAND} --config {path} <&-"],
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip
    # then it says what to do
    assert run.returncode == 1
    assert "name a file with --input" in run.stderr


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"token": None}, "token is missing: set TARGET_STITCH_IMPORT_TOKEN and use --config=ENV"),
    ({"token": ""}, "Setting token is empty"),
    ({"token": 12345}, "token must be a text"),
    ({"client_id": "mine"}, "client_id must be a whole number, not 'mine'"),
    ({"region": "mars"}, "region must be 'us' or 'eu', not 'mars'"),
    (
        {"api_url": "http://example.com"},
        "api_url: http would send the token to example.com unencrypted",
    ),
    ({"api_url": "ftp://127.0.0.1"}, "api_url: must be https"),
    ({"api_url": "https://me:pw@example.com"}, "api_url: must be a scheme and a host"),
    ({"api_url": "https://[oops"}, "api_url: is not a URL"),
    ({"api_url": 5}, "api_url must be a text, not 5"),
    ({"batch_size_rows": 20_001}, "batch_size_rows must be at most 20,000, not 20001"),
    ({"batch_size_rows": 0}, "batch_size_rows must be at least 1, not 0"),
    ({"batch_size_rows": "many"}, "batch_size_rows must be a whole number, not 'many'"),
    ({"max_batch_bytes": 20_000_001}, "max_batch_bytes must be at most 20,000,000, not 20000001"),
    ({"max_batch_age_seconds": 0}, "max_batch_age_seconds must be more than 0, not 0"),
    ({"max_parallel_requests": 1.5}, "max_parallel_requests must be a whole number, not 1.5"),
    ({"request_timeout_seconds": "soon"}, "request_timeout_seconds must be a number, not 'soon'"),
    ({"max_retry_seconds": -1}, "max_retry_seconds must be at least 0, not -1"),
    ({"validate_records": "yes"}, "validate_records must be true or false, not 'yes'"),
    ({"on_invalid_record": "skip"}, "on_invalid_record must be 'fail' or 'quarantine', not 'skip'"),
    ({"on_invalid_record": "quarantine"}, "quarantine_path: must be set with"),
    ({"max_quarantined": -1}, "max_quarantined must be at least 0, not -1"),
    (
        {"on_invalid_record": "quarantine", "quarantine_path": "/nowhere/q.singer"},
        "the folder /nowhere does not exist. Check the setting quarantine_path",
    ),
    ({"check_status": "maybe"}, "check_status must be true or false, not 'maybe'"),
    ({"load_method": "overwrite"}, "half a table"),
    ({"load_method": "merge"}, "load_method must be 'upsert' or 'append-only', not 'merge'"),
    ({"add_record_metadata": True}, "Stitch itself writes such columns"),
    ({"max_batch_byte": 5}, "max_batch_byte does not exist; did you mean max_batch_bytes?"),
    ({"stream_maps": 5}, "stream_maps must be a JSON object, not 5"),
    ({"stream_maps": {"__else__": 5}}, "stream_maps.__else__: 5 is not valid under any"),
]


@pytest.mark.parametrize(
    ("wrong", "expected_text"), REFUSED, ids=[expected_text for _, expected_text in REFUSED]
)
def test_a_setting_that_cant_be_used_is_refused_by_name(
    wrong: dict[str, Any], expected_text: str, service: Service, tmp_path: Path
) -> None:
    # given a config with one setting wrong
    # when the target is started with it
    run = piped(service.config(**wrong), tmp_path, ONE_RECORD)
    # then it says which, and what it may be, and reads nothing
    assert run.exit_code == 1
    assert expected_text in run.stderr
    assert "Traceback" not in run.stderr
    assert "12345" not in run.stderr
    assert service.requests == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("[1]", "it is not a JSON object"),
        ("{", "line 1, column 2: Expecting"),
        ('{"token": "secret",\n  "region": "us" "api_url": 1}', "line 2, column 18: Expecting ','"),
        ('"x"', "it is not a JSON object"),
        ('{"token": "\xe9"}', "it is not UTF-8 text"),
        ('{"max_retry_seconds": NaN}', "it has NaN or Infinity, which JSON lacks"),
        ('{"token":' * 5_000, "it is not a JSON object"),
    ],
    ids=lambda text: text[:9],
)
def test_a_config_that_is_none_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    # given a file that holds no settings
    path = tmp_path / "broken.json"
    path.write_bytes(text.encode("latin-1"))
    # when it is given as the config
    run = subprocess.run(
        [COMMAND, "--config", str(path)], capture_output=True, text=True, check=False, input=""
    )
    # then one line says so
    assert run.returncode == 1
    assert f"broken.json can't be read: {reason}" in run.stderr
    assert "secret" not in run.stderr
    assert "Traceback" not in run.stderr


def test_a_level_that_is_none_is_told_in_a_line(tmp_path: Path) -> None:
    # given a level of the log that Python does not know
    run = piped({}, tmp_path, b"", "--version", TARGET_STITCH_IMPORT_LOGLEVEL="trace")
    # then one line says so
    assert run.exit_code == 1
    assert run.stderr.startswith("The log can't be set up: Unknown level: 'TRACE'. Check TARGET_")
    assert run.stderr.count("\n") == 1


def test_null_means_the_default_and_unknown_settings_are_told(
    service: Service, tmp_path: Path
) -> None:
    # given a config with nulls, as orchestrators write them, and a name of another program
    config = service.config(batch_size_rows=None, region=None, hard_delete=True)
    # when it is used
    run = piped(config, tmp_path, ONE_RECORD)
    # then the defaults hold, and the unknown one is told
    assert run.exit_code == 0
    assert "Setting hard_delete is not known" in run.stderr


def test_the_config_of_the_vendors_target_works_as_it_stands(
    service: Service, tmp_path: Path
) -> None:
    # given the file that the vendor's target was run with
    config = {
        "token": "secret-token",
        "client_id": 1234,
        "small_batch_url": f"{service.url}/v2/import/batch",
        "big_batch_url": f"{service.url}/v2/import/batch",
        "batch_size_preferences": {"full_table_streams": []},
        "turbo_boost_factor": 2,
        "disable_collection": True,
    }
    # when this target is run with it
    run = piped(config, tmp_path, ONE_RECORD)
    # then it loads there, and tells what each setting became
    assert run.exit_code == 0
    assert service.ids == [1]
    assert f"api_url is {service.url}, from small_batch_url" in run.stderr
    for name in ("big_batch_url", "batch_size_preferences", "disable_collection"):
        assert f"Setting {name} of the vendor's target" in run.stderr
