"""One stream: a record in, message bytes into the open batch.

A sink belongs to one schema of one stream; the table's sequences and generation outlive it. Knows
what makes a record of its stream good and which batch it goes into; nothing of the input's lines
but their numbers, or of what becomes of a sealed batch.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Raw
from singer_sdk.sinks import Sink

from target_stitch_import.errors import InvalidRecordError
from target_stitch_import.jsontext import encode_exactly, shown
from target_stitch_import.messages import SchemaMessage
from target_stitch_import.quick import QuickWay
from target_stitch_import.times import TimeReader
from target_stitch_import.validation import RecordCheck

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_sdk.metrics import Counter
    from singer_sdk.target_base import Target

    from target_stitch_import.batch import OpenBatch
    from target_stitch_import.bookmark import BookmarkSequences
    from target_stitch_import.filling import Filling
    from target_stitch_import.forms import BodyForm
    from target_stitch_import.messages import RecordMessage
    from target_stitch_import.table import Table

__all__ = ["StitchSink"]


class StitchSink(Sink):
    """Puts the records of one stream, as one schema describes them, into batches."""

    def __init__(
        self,
        target: Target,
        stream_name: str,
        schema: dict[str, Any],
        key_properties: Sequence[str],
        *,
        bookmark_properties: Sequence[str],
        table: Table,
        filling: Filling,
        form: BodyForm,
        by_bookmark: BookmarkSequences | None = None,
    ) -> None:
        """Load ``table`` with records of a draft 4 ``schema``, written in a ``form``.

        ``by_bookmark`` gives them their sequences, where their times do not.
        """
        super().__init__(target, stream_name, schema, key_properties)
        self.bookmark_properties = bookmark_properties
        self._table = table
        self._filling = filling
        self._form = form
        self._times = TimeReader()
        self._next_sequence = table.sequencer.next
        self._by_bookmark = by_bookmark
        self._unsealed = 0  # records in the open batch
        self._unsealed_bytes = 0  # of their messages, a comma behind each

    @property
    def record_counter_metric(self) -> Counter:
        """The count of the table's records, however many sinks load it."""
        if self._table.counter is None:
            self._table.counter = super().record_counter_metric
        return self._table.counter

    @cached_property
    def _check(self) -> RecordCheck:
        # Made with the first record: some taps declare a stream again and again, or without any.
        return RecordCheck(self.schema, self.key_properties, validate=self.validate_schema)

    def get_validator(self) -> None:
        """Return none: records are checked as bytes, by ``RecordCheck``."""
        return

    def is_for(
        self,
        schema: dict[str, Any],
        key_properties: Sequence[str],
        bookmark_properties: Sequence[str],
    ) -> bool:
        """Return True if a SCHEMA that says this changes nothing."""
        return encode_exactly(
            [self.original_schema, self.key_properties, self.bookmark_properties]
        ) == encode_exactly([schema, key_properties, bookmark_properties])

    @cached_property
    def described(self) -> SchemaMessage:
        """What its records are, in the words of a tap."""
        return SchemaMessage(
            self._table.name,
            Raw(encode_exactly(self.schema)),
            list(self.key_properties),
            list(self.bookmark_properties),
        )

    @property
    def current_size(self) -> int:
        """Records of this stream in the open batch."""
        return self._unsealed

    @property
    def unsealed(self) -> tuple[int, int]:
        """Records of this stream in the open batch, and the bytes of their messages."""
        return self._unsealed, self._unsealed_bytes - self._unsealed

    @property
    def is_full(self) -> bool:
        """True if the open batch has reached a limit by rows or by bytes."""
        return self._filling.batch is not None and self._filling.batch.full

    def add(
        self,
        data: bytes | Raw,
        time_extracted: Any,
        version: int | None,
        line: int,
        origin: tuple[SchemaMessage, RecordMessage] | None = None,
    ) -> None:
        """Put a record, as JSON, into the open batch; ``origin`` is what the tap wrote, if other.

        Raises:
            InvalidRecordError: The service would not take it.
        """
        filling, form = self._filling, self._form
        if form.is_shared:
            version = None
        try:
            data = self._check(data)
            extracted = self._times.read(time_extracted) if type(time_extracted) is str else None
            time_ns, text = extracted or (None, None)
            if self._by_bookmark is None:
                sequence = self._next_sequence(time_ns)
            else:
                sequence = self._by_bookmark.next(data)
            written = data if form.encoded is None else form.encoded(data)
            batch = filling.batch
            if (
                batch is not None
                and version == filling.version
                and (added := batch.add_record(written, sequence, text, line, form.message))
            ):
                self._takes_part(1, added)
                if origin is not None:
                    batch.origins[line] = origin
                filling.has_grown(added)
                return
            batch = filling.begin(form, version)
            added = batch.add_record(written, sequence, text, line, form.message)
        except InvalidRecordError as error:
            raise self._naming(error, data) from None
        if origin is not None:
            batch.origins[line] = origin
        self._open(batch)
        self._takes_part(1, added)
        filling.has_grown(0)

    def quick_way(self, version: int | None) -> QuickWay | None:
        """Return a way for many records of a version at once; None if there is none."""
        good_ones = self._check.good_ones
        one_by_one = self._form.encoded is not None or self._by_bookmark is not None
        if good_ones is None or one_by_one:
            return None
        return QuickWay(
            self,
            None if self._form.is_shared else version,
            table=self._table,
            good_ones=good_ones,
            times=self._times,
            form=self._form.message,
            prepared=self._check.own_columns.without_known,
        )

    def open_batch(self, version: int | None) -> OpenBatch | None:
        """Return the open batch of a version, if there is one."""
        return self._filling.batch if version == self._filling.version else None

    def has_grown(self, added: int, records: int) -> None:
        """Take note that the open batch has so many more bytes and records of this stream."""
        self._takes_part(records, added)
        self._filling.has_grown(added)

    def process_record(self, record: dict[str, Any], context: Mapping[str, Any]) -> None:
        """Put a record that a stream map made into the open batch.

        ``context`` has the ``message`` and ``line`` that it was made of, and as ``origin`` what to
        set aside if the service refuses it, or None.
        """
        message, line = context["message"], context["line"]
        try:
            data = encode_exactly(record)
        except ValueError as error:
            raise InvalidRecordError(
                f"what the stream map makes of a record of {self.stream_name!r} can't be written: "
                f"{type(error).__name__}"
            ) from None
        self.add(data, message.time_extracted, message.version, line, context["origin"])

    def process_batch(self, context: dict[str, Any]) -> None:  # noqa: ARG002 - the SDK's signature
        """Seal the open batch, if there is one, and hand it over."""
        self._filling.seal()

    def has_sealed(self) -> None:
        """Count what was in the batch, and say what was not as it should be."""
        self.record_counter_metric.increment(self._unsealed)
        self._unsealed = self._unsealed_bytes = 0
        left_out = self._check.own_columns.left_out
        self._table.warn(self.logger, left_out=left_out, by_bookmark=self._by_bookmark)

    def activate_version(self, new_version: int, line: int = 0) -> None:
        """Make a version the only one visible, behind all that came before and before all else."""
        if self._form.is_shared:
            told = "have versions, which push does not know: ACTIVATE_VERSION does nothing."
            self._table.tell_once(self.logger, logging.WARNING, told)
            return
        self._begin_generation()
        batch = self._filling.begin(self._form, new_version)
        sequencer = self._table.sequencer
        # It is no row: where rows bring their own sequences, those go on behind it as before it.
        sequence = sequencer.next() if self._by_bookmark is None else sequencer.ahead()
        batch.add_activation(sequence, line)
        self._open(batch)
        self._takes_part(0, 0)
        self._begin_generation()

    def _begin_generation(self) -> None:
        self._table.begin_generation(self._filling.batches)

    def _takes_part(self, records: int, size: int) -> None:
        if not self._unsealed:
            self._filling.contributors[self] = None
        self._unsealed += records
        self._unsealed_bytes += size

    def _open(self, batch: OpenBatch) -> None:
        shared = self._form.is_shared
        generation = 0 if shared else self._table.generation
        self._filling.opened(batch, "" if shared else self._table.name, generation)

    def _naming(self, error: InvalidRecordError, data: bytes | Raw) -> InvalidRecordError:
        keys = self._check.key_values(data)
        named = f" with key {shown(keys)}" if keys else ""
        return type(error)(f"record of stream {self.stream_name!r}{named}: it {error}")
