"""What the queue of checkpoints remembers (emulator convention).

    CHAIN      which chain it is: the hash of its first block
    QUEUED     a checkpoint and the transaction that has it, signed; written before it
               is sent, so that after a kill the same octets are sent again
    CONFIRMED  that transaction is in a block
    ABANDONED  it never will be, or it no longer is

At most one transaction is under way. What follows from records in their order is a
`Remembered`.
"""

import json
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, NamedTuple

from chain_anchor.bif.client.signing import SignedBlob
from chain_anchor.bif.transactions import Signature


class Kind(IntEnum):
    """Kinds of records."""

    CHAIN = 1
    QUEUED = 2
    CONFIRMED = 3
    ABANDONED = 4


class AnchorChain(NamedTuple):
    """A chain that checkpoints go to."""

    genesis: str
    """Hash of its first block, in hexadecimal."""

    url: str
    """Where it was."""


class Queued(NamedTuple):
    """A signed checkpoint, and the signed transaction with it."""

    note: bytes
    size: int
    """Entries that the checkpoint covers."""

    nonce: int
    transaction: SignedBlob


class Confirmed(NamedTuple):
    """A checkpoint that is on the chain."""

    queued: Queued
    seq: int
    """Number of the block with the transaction."""


class Confirmation(NamedTuple):
    """The transaction under way is in a block."""

    hash: str
    seq: int


class Abandoned(NamedTuple):
    """A transaction is on the chain no more, or will never be."""

    hash: str
    why: str


Record = AnchorChain | Queued | Confirmation | Abandoned


@dataclass(frozen=True, slots=True)
class Remembered:
    """What all records so far say together."""

    chain: AnchorChain | None = None
    newest: Confirmed | None = None
    pending: Queued | None = None
    """Signed, and perhaps sent; neither confirmed nor abandoned."""

    def after(self, record: Record) -> "Remembered":
        """Give what is remembered once a record is there too.

        Raises:
            ValueError: It does not follow: it speaks of a transaction that is not
                under way, or another one is.
        """
        match record:
            case AnchorChain():
                return replace(self, chain=record)
            case Queued():
                if self.pending is not None:
                    raise ValueError("a transaction is queued while one is under way")
                return replace(self, pending=record)
            case Confirmation():
                if self.pending is None or self.pending.transaction.hash != record.hash:
                    raise ValueError(f"{record.hash} is confirmed, it is not under way")
                return replace(
                    self, newest=Confirmed(self.pending, record.seq), pending=None
                )
            case Abandoned():
                return self._without(record.hash)

    def records(self) -> list[Record]:
        """Give the fewest records that say the same."""
        found: list[Record] = [self.chain] if self.chain is not None else []
        if self.newest is not None:
            queued, seq = self.newest
            found += [queued, Confirmation(queued.transaction.hash, seq)]
        if self.pending is not None:
            found.append(self.pending)
        return found

    def _without(self, digest: str) -> "Remembered":
        if self.pending is not None and self.pending.transaction.hash == digest:
            return replace(self, pending=None)
        if self.newest is not None and self.newest.queued.transaction.hash == digest:
            return replace(self, newest=None)
        raise ValueError(f"{digest} is abandoned, it is neither under way nor newest")


def encode_record(record: Record) -> tuple[Kind, bytes]:
    """Write a record: its kind, and JSON."""
    match record:
        case AnchorChain():
            return Kind.CHAIN, _json(record._asdict())
        case Queued():
            return Kind.QUEUED, _json(_queued_as_json(record))
        case Confirmation():
            return Kind.CONFIRMED, _json(record._asdict())
        case Abandoned():
            return Kind.ABANDONED, _json(record._asdict())


def decode_record(kind: int, octets: bytes) -> Record:
    """Read what `encode_record` wrote.

    Raises:
        ValueError: It did not write this.
    """
    try:
        content = json.loads(octets)
        match Kind(kind):
            case Kind.CHAIN:
                return AnchorChain(str(content["genesis"]), str(content["url"]))
            case Kind.QUEUED:
                return _queued(content)
            case Kind.CONFIRMED:
                return Confirmation(str(content["hash"]), int(content["seq"]))
            case Kind.ABANDONED:
                return Abandoned(str(content["hash"]), str(content["why"]))
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a record of kind {kind}: {error!r}") from None


def _queued_as_json(queued: Queued) -> dict[str, Any]:
    blob, signatures = queued.transaction
    return {
        "note": queued.note.decode(),
        "size": queued.size,
        "nonce": queued.nonce,
        "blob": blob.hex(),
        "signatures": [[key, octets.hex()] for key, octets in signatures],
    }


def _queued(content: dict[str, Any]) -> Queued:
    signatures = tuple(
        Signature(str(key), bytes.fromhex(octets))
        for key, octets in content["signatures"]
    )
    return Queued(
        str(content["note"]).encode(),
        int(content["size"]),
        int(content["nonce"]),
        SignedBlob(bytes.fromhex(content["blob"]), signatures),
    )


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
