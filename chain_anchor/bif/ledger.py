"""The ledger: a chain of blocks and the state after the last of them.

`Ledger.close` is the only way forward. It applies transactions to the state, hashes
what changed into the tries, makes the header, and hands everything to the storage in
one write; only when that returns has the block happened. Clock, storage, engines and
validators' proofs are arguments, so the same genesis and the same calls give the same
octets.

BlockPlace 1 is the genesis: its close time is 0 and its previous hash is empty.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from google.protobuf.message import DecodeError

from chain_anchor.bif import blocks, recording, storage
from chain_anchor.bif.account_edits import PlacedEdit
from chain_anchor.bif.chain_pb2 import (
    ConsensusValue,
    ConsensusValueHeader,
    LedgerHeader,
    ValidatorSet,
)
from chain_anchor.bif.closing import FIRST_SEQ, BlockWork, Dropped, first_block
from chain_anchor.bif.errors import BlockError, ErrorCode, RefusedError
from chain_anchor.bif.execution import BlockPlace, Chain
from chain_anchor.bif.genesis import Genesis
from chain_anchor.bif.recording import Applied, Recorded
from chain_anchor.bif.rules import Rules
from chain_anchor.bif.state import StoredState
from chain_anchor.bif.transactions import SignedTransaction


class ClosedBlock(NamedTuple):
    """A block that has happened."""

    header: LedgerHeader
    applied: list[Applied]
    """In order, each followed by what its contracts made."""

    dropped: list[Dropped]


class Ledger:
    """A chain in its storage."""

    def __init__(self, kept: storage.Storage, chain: Chain, last: LedgerHeader) -> None:
        self.chain = chain
        self._kept = kept
        self._last = last
        self._validators = _read_validators(kept)

    @classmethod
    def create(cls, kept: storage.Storage, chain: Chain, genesis: Genesis) -> "Ledger":
        """Write the first block into an empty storage.

        Raises:
            BlockError: the storage already has a chain.
        """
        if kept.get(storage.LAST_BLOCK) is not None:
            raise BlockError("genesis: an empty storage expected, it has a chain")
        header, changes = first_block(kept, chain.rules, genesis)
        kept.write(changes)
        return cls(kept, chain, header)

    @classmethod
    def open(cls, kept: storage.Storage, chain: Chain) -> "Ledger":
        """Go on with the chain that a storage has.

        Raises:
            BlockError: it has none, or one with other settings, or a header has not
                the hash that it names.
        """
        octets = kept.get(storage.LAST_BLOCK)
        header = None if octets is None else _header(kept, int.from_bytes(octets))
        if header is None:
            raise BlockError("chain: the storage has none")
        blocks.check_header(header)
        _check_settings(header, chain.rules)
        return cls(kept, chain, header)

    @property
    def last(self) -> LedgerHeader:
        """The header of the last block; not to be changed."""
        return self._last

    @property
    def validators(self) -> tuple[str, ...]:
        """The addresses of the validators, in their order."""
        return self._validators

    def next_place(self, close_time: int | None = None) -> BlockPlace:
        """Say what is known of the next block; without a time, the earliest one."""
        if close_time is None:
            close_time = self._last.close_time + 1
        return BlockPlace(
            self._last.seq + 1, close_time, self._block_hash, self._validators
        )

    def state(self, domain: int) -> StoredState:
        """Give the state of a domain after the last block.

        Raises:
            RefusedError: there is no such domain (170).
        """
        if domain not in self.chain.rules.domains:
            raise RefusedError(
                ErrorCode.DOMAIN_NOT_EXIST, f"Domain({domain}) does not exist"
            )
        return StoredState(self._kept, domain)

    def header(self, seq: int) -> LedgerHeader | None:
        """Give the header of a block, or None if there is none."""
        return _header(self._kept, seq) if FIRST_SEQ <= seq <= self._last.seq else None

    def transaction(self, digest: bytes) -> Recorded | None:
        """Give a transaction that is on the chain, by its hash."""
        octets = self._kept.get(storage.transaction(digest))
        return None if octets is None else recording.read(octets)

    def hashes(self, domain: int, seq: int) -> list[bytes]:
        """List the hashes of a block's transactions in a domain, triggered ones too."""
        octets = self._kept.get(storage.hashes(domain, seq)) if seq > 0 else None
        size = blocks.HASH_OCTETS
        return [
            (octets or b"")[at : at + size] for at in range(0, len(octets or b""), size)
        ]

    def consensus_value(self, seq: int) -> bytes | None:
        """Give what the consensus value hash of a block is made from."""
        return self._kept.get(storage.consensus_value(seq)) if seq > 0 else None

    def consensus_message(self, seq: int) -> ConsensusValue:
        """Give the consensus value of a block as a message."""
        octets = self.consensus_value(seq) or b""
        if seq == FIRST_SEQ:
            return ConsensusValue.FromString(octets)
        header = ConsensusValueHeader.FromString(octets)
        return ConsensusValue(consensus_header=header)

    def close(
        self,
        transactions: Iterable[SignedTransaction],
        close_time: int,
        previous_proof: bytes = b"",
        edits: Iterable[PlacedEdit] = (),
        beside: Callable[[Sequence[Dropped]], storage.Changes] = lambda _: {},
    ) -> ClosedBlock:
        """Make the next block.

        Args:
            transactions: in the order in which they are applied; 16 MiB at most.
            close_time: microseconds, after that of the last block.
            previous_proof: certificate of the last block.
            edits: accounts that a developer sets before the transactions; nothing on
                the chain says why (emulator convention).
            beside: what else is to be written at once with the block, given which of
                the transactions were dropped.

        Raises:
            BlockError: the time is not after the last block's, or the block is too
                big; nothing has changed.
            RefusedError: an edit is for a domain that is not there; likewise.
        """
        if close_time <= self._last.close_time:
            raise BlockError(
                f"close time: after {self._last.close_time} expected, got {close_time}"
            )
        place = self.next_place(close_time)
        work = BlockWork(self.chain, self._last, place, self.state)
        for placed in edits:
            work.edit(placed)
        for transaction in transactions:
            work.add(transaction)
        header, changes = work.finish(previous_proof)
        changes.update(beside(work.dropped))
        self._kept.write(changes)
        self._last = header
        return ClosedBlock(header, work.applied, work.dropped)

    def _block_hash(self, seq: int) -> bytes | None:
        header = self.header(seq)
        return header.hash if header else None


def _header(kept: storage.Reader, seq: int) -> LedgerHeader | None:
    octets = kept.get(storage.header(seq))
    if octets is None:
        return None
    try:
        return LedgerHeader.FromString(octets)
    except DecodeError:
        raise BlockError(f"block {seq}: stored octets are no header") from None


def _read_validators(kept: storage.Reader) -> tuple[str, ...]:
    octets = kept.get(storage.VALIDATORS) or b""
    return tuple(entry.address for entry in ValidatorSet.FromString(octets).validators)


def _check_settings(header: LedgerHeader, rules: Rules) -> None:
    """Refuse to go on with a chain under other rules than it began with."""
    domains = tuple(entry.domain_id for entry in header.domain_account_hashs)
    fees = blocks.fees_hash(rules.gas_price, rules.base_reserve)
    expected = (rules.domains, rules.ledger_version, rules.chain_id, fees)
    found = (domains, header.version, header.chain_id, header.fees_hash)
    if expected != found:
        raise BlockError(
            f"chain: domains, version, chain id and fees hash {expected} expected, "
            f"got {found}"
        )
