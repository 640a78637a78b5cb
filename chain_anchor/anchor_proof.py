"""Verification of anchors: from a log's checkpoint to blocks that validators signed.

A verifier has pinned the chains: of each the hash of its first block, which names it,
and its validators, in their order. Neither chain nor network is needed. For each hop,
the chain itself and then the one that it is anchored in:

    transaction   all of its signatures hold, by whomever
    block         its consensus value has the hash of the transactions with this one
                  among them, its header the hash of the consensus value
    later blocks  each names the one before
    votes         a quorum of the pinned validators signed the last of these

The transaction of the first hop sets the metadata `idis-log/ORIGIN` to a checkpoint of
the log ORIGIN, signed by its pinned key; that of the second sets the metadata `AC/SEQ`
to a text that has the hash of the block SEQ in it, the last of the first hop. Then
downwards: each log has, in an entry under its anchored checkpoint, one of its child's,
down to the bundle's log, whose checkpoint grew from it.

That a transaction is in a block proves that what it says was said at the block's time.
It does not prove that the transaction was carried out; nothing here depends on that,
since each saying is signed by whom it is about: a log, or validators. That the block
descends from the first one is what its validators sign for.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from chain_anchor.anchor_blocks import (
    certificate,
    first_header,
    next_header,
    public_key,
)
from chain_anchor.anchors import Anchors, Hop, Level, PinnedChain
from chain_anchor.bif import addresses, transactions
from chain_anchor.bif.certificates import check_certificate
from chain_anchor.bif.chain_pb2 import LedgerHeader, Operation, Transaction
from chain_anchor.bif.errors import RefusedError
from chain_anchor.bif.transactions import Signature
from chain_anchor.changes import Change
from chain_anchor.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from chain_anchor.entries import decode_entry
from chain_anchor.errors import ProofError
from chain_anchor.merkle import leaf_hash, verify_consistency, verify_inclusion
from chain_anchor.note import VerifierKey
from chain_anchor.statemap import KIND_CHILD, map_key

METADATA_KEY: Final = "idis-log/"
"""Before the origin of a log: key of the metadata with its checkpoint."""


class AnchoredIn(NamedTuple):
    """A transaction in a block that a quorum of a chain's validators signed."""

    chain: str
    genesis: bytes
    """Hash of the chain's first block."""

    seq: int
    """Number of the block with the transaction."""

    close_time: int
    """Microseconds since 1970."""

    block: bytes
    """Hash of its header."""

    transaction: bytes
    """Hash of the transaction."""

    source: str
    """Account that the transaction names as its source."""

    signed_seq: int
    """Block that the validators signed: this one, or one built on it."""


class VerifiedAnchors(NamedTuple):
    """What anchors prove."""

    origin: str
    """Log whose checkpoint is on the chain; empty if it or its chain is not pinned."""

    checkpoint_size: int
    """Entries of that log under the checkpoint."""

    size: int
    """Entries of the bundle's own log that are covered."""

    chains: tuple[AnchoredIn, ...]
    """The chain, and the one it is anchored in, as far as pinned."""

    unpinned_chain: bytes | None
    """Genesis of the first chain of which nothing is pinned; it is not verified."""

    unpinned_log: str | None = None
    """Origin of the log on the chain, if no key of it is pinned; nothing is verified."""


class _Walked(NamedTuple):
    """A hop that holds."""

    anchored: AnchoredIn
    content: Transaction
    last: LedgerHeader


def verify_anchors(
    anchors: Anchors,
    checkpoint: Checkpoint,
    keys: Mapping[str, Sequence[VerifierKey]],
    chains: Sequence[PinnedChain],
) -> VerifiedAnchors:
    """Verify anchors as those of a checkpoint.

    Args:
        anchors: What the bundle says.
        checkpoint: The bundle's own, verified.
        keys: Believed keys of logs by their origins.
        chains: Chains that are believed.

    Raises:
        FormatError: Something breaks its format.
        SignatureError: A signature that is needed is missing or wrong.
        ProofError: A step does not follow from the one before.
    """
    pinned = {chain.genesis: chain for chain in chains}
    walked: list[_Walked] = []
    unpinned = None
    for hop in anchors.hops:
        chain = pinned.get(hop.genesis)
        if chain is None:
            unpinned = hop.genesis
            break
        found = _walk(hop, chain)
        if walked:
            _check_names(found.content, walked[-1].last)
        walked.append(found)
    if not walked:
        return VerifiedAnchors("", 0, 0, (), unpinned)
    origin, note = _anchored_note(walked[0].content)
    if not keys.get(origin):
        return VerifiedAnchors("", 0, 0, (), None, origin)
    top = open_checkpoint(note, origin, keys[origin])
    own = _descend(anchors.levels, top, checkpoint.origin)
    if not own.size:
        raise ProofError("anchors: the checkpoint is one of the empty log")
    verify_consistency(
        own.size, checkpoint.size, own.root, checkpoint.root, anchors.path
    )
    found_in = tuple([each.anchored for each in walked])
    return VerifiedAnchors(top.origin, top.size, own.size, found_in, unpinned)


def child_checkpoint(entry: bytes) -> Checkpoint:
    """Give the checkpoint of a child's log that an entry of its parent's has.

    Raises:
        ProofError: The entry has none.
        FormatError: It is none.
    """
    change = decode_entry(entry)
    if not isinstance(change, Change):
        raise ProofError("anchors: the entry of a level is no change")
    found = parse_checkpoint(change.extra.decode("utf-8", "replace"))
    if change.key != map_key(KIND_CHILD, found.origin.encode()):
        raise ProofError(f"anchors: an entry not about the log {found.origin:.99}")
    return found


def _anchored_note(content: Transaction) -> tuple[str, bytes]:
    """Give the log and the signed checkpoint that a transaction anchors, one."""
    found = [
        operation.set_metadata
        for operation in content.operations
        if operation.type == Operation.SET_METADATA
        and operation.set_metadata.key.startswith(METADATA_KEY)
    ]
    if len(found) != 1:
        raise ProofError(
            f"transaction: anchors {len(found)} checkpoints, 1 is expected"
        )
    return found[0].key.removeprefix(METADATA_KEY), found[0].value.encode()


def _descend(levels: Sequence[Level], top: Checkpoint, origin: str) -> Checkpoint:
    """Go down from the anchored checkpoint to that of the bundle's log."""
    found = top
    for level in reversed(levels):
        leaf = leaf_hash(level.entry)
        verify_inclusion(level.place, found.size, leaf, found.root, level.path)
        found = child_checkpoint(level.entry)
    if found.origin != origin:
        raise ProofError(
            f"anchors: they lead to the log {found.origin:.99}, expected {origin:.99}"
        )
    return found


def _walk(hop: Hop, chain: PinnedChain) -> _Walked:
    """Show that a block of a pinned chain has a transaction."""
    _check_keys(hop, chain)
    content = _content(hop)
    first = last = first_header(hop, content.domain_id, chain.validators)
    for later in hop.later:
        if later.close_time <= last.close_time:
            raise ProofError(f"block {last.seq + 1}: not later than the one before")
        last = next_header(last, later)
    signed = certificate(hop, hop.votes, last.hash)
    check_certificate(signed, last.hash, chain.validators)
    anchored = AnchoredIn(
        chain.name,
        chain.genesis,
        first.seq,
        first.close_time,
        first.hash,
        sha256(hop.blob).digest(),
        content.source_address,
        last.seq,
    )
    return _Walked(anchored, content, last)


def _check_keys(hop: Hop, chain: PinnedChain) -> None:
    """Demand that the keys that sign are those of the pinned validators."""
    before = -1
    for place, key in hop.validators:
        if not before < place < len(chain.validators):
            raise ProofError(
                f"{chain.name}: a key of validator {place} after {before}, there are "
                f"{len(chain.validators)}"
            )
        address = public_key(key).address()
        if address != addresses.without_ac(chain.validators[place]):
            raise ProofError(f"{chain.name}: {address} is not validator {place}")
        before = place


def _content(hop: Hop) -> Transaction:
    """Read the transaction, of which every signature must hold."""
    given = [Signature(public_key(key).text, octets) for key, octets in hop.signatures]
    try:
        read = transactions.read(hop.blob, given)
    except RefusedError as error:
        raise ProofError(f"transaction: {error.text}") from None
    if not given or len(read.signers) != len(given):
        raise ProofError(
            f"transaction: {len(read.signers)} of {len(given)} signatures hold"
        )
    return read.content


def _check_names(content: Transaction, header: LedgerHeader) -> None:
    """Demand that a transaction has the hash of a block of another chain."""
    for operation in content.operations:
        said = operation.set_metadata
        if said.key.endswith(f"/{header.seq}") and header.hash.hex() in said.value:
            return
    raise ProofError(
        f"transaction: it does not anchor block {header.seq}, {header.hash.hex()}"
    )
