"""A store's tables, walked and searched.

A walk goes from leaf to leaf, a search goes by the keys in the branches above them. If
one of those is damaged, an entry is there and is not found: a walk alone would call
that whole, while a client is told that there is no such identifier.
"""

from collections.abc import Iterator

from chain_anchor.errors import CorruptLogError
from registry.store.lmdb_snapshot import LmdbSnapshot


class Searched:
    """All tables of one snapshot."""

    def __init__(self, snapshot: LmdbSnapshot) -> None:
        self._tables = snapshot.all_tables

    def get(self, table: str, key: bytes) -> bytes | None:
        """Read one entry."""
        return self._tables.get(table, key)

    def items(self, table: str, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Walk entries by key, from `start` on, and search for each.

        Raises:
            CorruptLogError: One is there and is not found.
        """
        for key, octets in self._tables.items(table, start):
            if self._tables.get(table, key) != octets:
                problem = "is there, but a search for it does not find it"
                raise CorruptLogError(table, key, problem)
            yield key, octets
