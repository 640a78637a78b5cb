"""What a store will be once a batch is written, while it is on its way."""

from registry.model.record import Record
from registry.store.interface import Batch, Home, Reader, Tally


class Ahead:
    """A view with a batch on top; it does not matter whether the view has it already."""

    __slots__ = ("_batch", "_below")

    def __init__(self, below: Reader, batch: Batch) -> None:
        self._below = below
        self._batch = batch

    @property
    def serial(self) -> int:
        """Number of the last change."""
        return self._batch.serial

    def get(self, name: bytes) -> Record | None:
        """Read a record by canonical name."""
        records = self._batch.records
        return records[name] if name in records else self._below.get(name)

    def find(self, name: bytes) -> Record | None:
        """Read a record like `get`, but take one that is not there for absent."""
        records = self._batch.records
        return records[name] if name in records else self._below.find(name)

    def home(self, prefix: bytes) -> Home | None:
        """Read the entry of a prefix that lives here."""
        homes = self._batch.homes
        return homes[prefix] if prefix in homes else self._below.home(prefix)

    def tally(self, prefix: bytes) -> Tally:
        """Read the counts of a home."""
        return self._batch.tallies.get(prefix) or self._below.tally(prefix)
