"""Transactions that wait for a block, on disk: what was answered outlasts a kill.

A sender is answered when the transaction is in a block, which is durable, or when it
waits; then it has a row beside the chain:

    key    ROW, arrival u64      value  TransactionEnv

Rows of all who wait for an answer are written together, one durable sync for a group.
A row goes in the same write as the block that has its transaction, that of a dropped
one in a write soon after. After a start, what has a row waits again, in the same order;
how long it has waited counts from the start.

The methods belong to the event loop's thread.
"""

import asyncio
import struct
from collections.abc import Iterable
from typing import Final

from chain_anchor.bif.envelopes import read_envelope
from chain_anchor.bif.errors import CorruptChainError, RefusedError
from chain_anchor.bif.kept_chain import KeptChain
from chain_anchor.bif.pool import Pool, Waiting
from chain_anchor.bif.store import ChainStore
from chain_anchor.bif.transactions import SignedTransaction
from chain_anchor.bif.waiting_room import WaitingRoom

ROW: Final = b"Nwaiting"
_ARRIVAL: Final = struct.Struct("!Q")


class KeptPool:
    """Rows of the transactions in a pool that senders were answered for."""

    def __init__(self, kept: KeptChain, pool: Pool) -> None:
        self._kept = kept
        self._pool = pool
        self._keys: dict[bytes, bytes] = {}
        """Keys of rows on disk, by the transactions' hashes."""

        self._wanted: set[bytes] = set()
        """Hashes of transactions that get a row with the next write."""

        self._gone: set[bytes] = set()
        """Keys of rows that go with the next write."""

        self._next: asyncio.Task[None] | None = None

    async def restore(self, room: WaitingRoom) -> None:
        """Let wait again what has a row.

        Raises:
            CorruptChainError: a row is none.
        """
        now = self._kept.clock.now()
        for arrival, transaction in await self._kept.in_thread(_read_rows):
            content = transaction.content
            nonce = self._kept.nonce_of(content.domain_id, content.source_address)
            if room.restore(Waiting(arrival, now, transaction), nonce):
                self._keys[transaction.hash] = _key(arrival)
            else:
                self._gone.add(_key(arrival))

    async def keep(self, hashes: Iterable[bytes]) -> None:
        """Return when those of the transactions that wait have their rows.

        Raises:
            StorageFullError: there is no room; none of them was written.
            ChainStoppedError: the chain takes nothing any more.
        """
        wanted = {
            digest
            for digest in hashes
            if digest not in self._keys and self._pool.get(digest)
        }
        if wanted:
            self._wanted |= wanted
            await asyncio.shield(self._write_soon())

    def has(self, digest: bytes) -> bool:
        """Tell whether a transaction has a row."""
        return digest in self._keys

    def keys_of(self, transactions: Iterable[SignedTransaction]) -> dict[bytes, bytes]:
        """Give the keys of transactions' rows, of those that have one, by their hashes.

        For the block that is to have them.
        """
        keys = self._keys
        return {
            item.hash: keys[item.hash] for item in transactions if self.has(item.hash)
        }

    def gone_with_block(self, hashes: Iterable[bytes]) -> None:
        """Take note that a block has transactions, and their rows are gone."""
        for digest in hashes:
            self._keys.pop(digest, None)

    def left(self, digest: bytes) -> None:
        """Take note that a transaction waits no more."""
        key = self._keys.pop(digest, None)
        if key is not None:
            self._gone.add(key)
            self._write_soon()

    def _write_soon(self) -> asyncio.Task[None]:
        if self._next is None:
            self._next = self._kept.begin(self._write)
        return self._next

    async def _write(self) -> None:
        """Write and remove rows; whoever calls has the turn."""
        # Who comes from here on is in the next write.
        self._next = None
        wanted, self._wanted = self._wanted, set()
        gone, self._gone = self._gone, set()
        found = filter(None, map(self._pool.get, wanted))
        rows = {item.transaction.hash: item for item in found}
        changes: dict[bytes, bytes | None] = dict.fromkeys(gone)
        for item in rows.values():
            changes[_key(item.arrival)] = item.transaction.envelope
        try:
            await self._kept.write_rows(changes)
        except BaseException:
            self._gone |= gone
            raise
        self._keys |= {digest: _key(item.arrival) for digest, item in rows.items()}
        for digest in rows:
            if self._pool.get(digest) is None:
                self.left(digest)


def _read_rows(store: ChainStore) -> list[tuple[int, SignedTransaction]]:
    """Read all rows, and check the signatures of their transactions."""
    return [_read(key, octets) for key, octets in store.rows(ROW)]


def _read(key: bytes, octets: bytes) -> tuple[int, SignedTransaction]:
    try:
        return _ARRIVAL.unpack(key[len(ROW) :])[0], read_envelope(octets)
    except (struct.error, RefusedError) as error:
        raise CorruptChainError(f"row {key.hex()} of the pool: {error}") from None


def _key(arrival: int) -> bytes:
    return ROW + _ARRIVAL.pack(arrival)
