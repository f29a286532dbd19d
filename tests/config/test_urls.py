"""Where the service is: the region, the URL, and what the vendor target's config says of it."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from target_stitch_import.config.loading import base_url
from target_stitch_import.target import TargetStitchImport
from tests.config.test_settings import TOKEN, made, refusals


@pytest.mark.parametrize(
    "url",
    [
        "https://api.stitchdata.com",
        "https://example.com:8443/prefix/",
        "HTTPS://EXAMPLE.COM",
        "https://[2001:db8::1]",
        "http://localhost:5000",
        "http://LOCALHOST",
        "http://127.0.0.1",
        "http://127.8.9.1:1",
        "http://[::1]:5000",
    ],
)
def test_https_goes_anywhere_and_http_to_this_machine(url: str) -> None:
    assert base_url(made(api_url=url).config) == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (
            "http://api.stitchdata.com",
            "http would send the token to api.stitchdata.com unencrypted; use https",
        ),
        ("http://127.0.0.1.example.com", "unencrypted; use https"),
        ("http://localhost.example.com", "unencrypted; use https"),
        ("http://0.0.0.0", "unencrypted; use https"),
        ("http://10.0.0.1", "unencrypted; use https"),
        ("ftp://example.com", "must be https://HOST"),
        ("api.stitchdata.com", "must be https://HOST"),
        ("//api.stitchdata.com", "must be https://HOST"),
        ("https://", "must be https://HOST"),
        ("https:///v2", "must be https://HOST"),
        ("file:///etc/passwd", "must be https://HOST"),
        ("https://user:s3cret@example.com", "must be a scheme and a host, without user"),
        ("https://user@example.com", "without user"),
        ("https://example.com?token=s3cret", "without user, password, query or fragment"),
        ("https://example.com#x", "without user, password, query or fragment"),
        ("https://example.com:99999", "is not a URL"),
        ("https://example.com:port", "is not a URL"),
        ("https://[::1", "is not a URL"),
        ("https://exa mple.com", "api_url"),
    ],
)
def test_another_url_is_refused_with_its_reason(url: str, reason: str) -> None:
    message = refusals(api_url=url)
    assert message.startswith("api_url: ")
    assert reason in message
    assert "s3cret" not in message


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({}, "https://api.stitchdata.com"),
        ({"region": "us"}, "https://api.stitchdata.com"),
        ({"region": "eu"}, "https://api.eu-central-1.stitchdata.com"),
        ({"region": "eu", "api_url": "https://example.com/"}, "https://example.com"),
        ({"region": "eu", "api_url": None}, "https://api.eu-central-1.stitchdata.com"),
        ({"region": "eu", "api_url": ""}, "https://api.eu-central-1.stitchdata.com"),
    ],
)
def test_the_base_url_is_the_regions_unless_another_is_given(
    config: dict[str, Any], url: str
) -> None:
    prepared = {"token": TOKEN, "region": "us", **config}
    assert base_url(prepared) == url


VENDOR = {
    "client_id": 4231,
    "token": TOKEN,
    "small_batch_url": "https://api.eu-central-1.stitchdata.com/v2/import/batch",
    "big_batch_url": "https://api.stitchdata.com/v2/import/batch",
    "batch_size_preferences": {},
    "turbo_boost_factor": 2,
    "disable_collection": True,
}


def test_the_vendors_config_works_as_it_stands(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        target = TargetStitchImport(config=copy.deepcopy(VENDOR))
    assert base_url(target.config) == "https://api.eu-central-1.stitchdata.com"
    assert target.config["client_id"] == 4231
    # and a line says of each that is not a setting here what became of it
    for name in VENDOR.keys() - {"token", "client_id"}:
        assert any(name in record.getMessage() for record in caplog.records), name
    assert all(TOKEN not in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("own", [{"region": "us"}, {"api_url": "https://example.com"}])
def test_a_setting_of_our_own_counts_before_the_vendors(own: dict[str, str]) -> None:
    config = made(small_batch_url="https://vendor.example.com/v2/import/batch", **own).config
    assert "vendor" not in base_url(config)


@pytest.mark.parametrize("url", ["http://example.com/v2", "nonsense", "", "https://[::1", 5, None])
def test_a_vendor_url_that_is_none_is_refused_or_ignored(url: Any) -> None:
    config = {"token": TOKEN, "small_batch_url": url}
    try:
        target = TargetStitchImport(config=config)
    except ConfigValidationError as refused:
        assert "_url" in str(refused.errors)  # noqa: PT017 - either is an end
    else:
        assert base_url(target.config) == "https://api.stitchdata.com"


def test_a_password_in_a_vendor_url_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(ConfigValidationError):
        made(small_batch_url="https://user:passw0rd@example.com/v2")
    assert "passw0rd" not in caplog.text
