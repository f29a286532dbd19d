"""A target for the Import API as the SDK's documentation has one written: a ``BatchSink``.

Everything that is not about Stitch is the SDK's default. Bodies are cut below 4 MB, as the service
wants them, and nothing is serialised twice.
"""

from __future__ import annotations

import time
from typing import Any, ClassVar

import requests
from singer_sdk import BatchSink, Target
from singer_sdk import typing as th
from singer_sdk.singerlib.json import serialize_json

MAX_BODY = 4_000_000


class ImportSink(BatchSink):
    """One stream: the records of a batch, posted when the SDK drains it."""

    def process_batch(self, context: dict[str, Any]) -> None:
        """Post the records that the SDK has collected, in bodies below the limit."""
        messages: list[str] = []
        size = 0
        sequence = time.time_ns()
        for number, record in enumerate(context["records"]):
            message = serialize_json(
                {"action": "upsert", "sequence": sequence + number, "data": record}
            )
            if messages and size + len(message) > MAX_BODY:
                self.post(messages)
                messages, size = [], 0
            messages.append(message)
            size += len(message) + 1
        if messages:
            self.post(messages)

    def post(self, messages: list[str]) -> None:
        """Post one body."""
        head = serialize_json(
            {
                "table_name": self.stream_name,
                "schema": self.schema,
                "key_names": list(self.key_properties),
            }
        )
        response = requests.post(
            self.config["api_url"] + "/v2/import/batch",
            data=f'{head[:-1]},"messages":[{",".join(messages)}]}}'.encode(),
            headers={
                "Authorization": f"Bearer {self.config['token']}",
                "Content-Type": "application/json",
            },
            timeout=60,
        )
        response.raise_for_status()


class ImportTarget(Target):
    """The target."""

    name = "default-sdk-target"
    default_sink_class = ImportSink
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("token", th.StringType, required=True),
        th.Property("api_url", th.StringType, required=True),
    ).to_dict()


if __name__ == "__main__":
    ImportTarget.cli()
