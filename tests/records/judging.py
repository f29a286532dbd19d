"""A validator that is asked for one record at a time."""

from __future__ import annotations

from target_stitch_import.records.validator import RecordValidator


class SingleValidator(RecordValidator):
    """Judges a record when it is called with it."""

    def __call__(self, record: bytes) -> bytes:
        """Return a record as it may be posted; raise what is wrong with an invalid one."""
        checked, error = self.check([record])
        if error is not None:
            assert checked == []
            raise error
        (posted,) = checked
        return posted
