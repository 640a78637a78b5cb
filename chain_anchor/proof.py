"""Verification of proof bundles: one checkpoint believed, everything else derived.

A verifier trusts the keys it has pinned and nothing else; neither the node that made
the bundle nor a network is needed. From the signed checkpoint down:

    checkpoint  signed by a pinned key of its origin, by a quorum of witnesses if asked
    header      the last leaf under the checkpoint's root; its group ends before itself
    state       under the header's map root: present, deleted, or absent
    entry       the change whose leaf hash the state names; both say the same
    record      its digest is the one in the entry
    history     each earlier entry is the one whose leaf hash the later one names;
                versions count down by one, so nothing can be left out between two
    parents     the checkpoint grew from one that the parent's log holds, in its state
                map, under the origin of this log; and so on upwards
    anchors     up to blocks of chains: `chain_anchor.anchor_proof`

The rules are the emulator's convention (tlog notes §5.2); the hashes are those of RFC
6962 and `chain_anchor.statemap`, the checkpoint C2SP's. All that does not hold raises.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from chain_anchor.bundle import Bundle, Parents, decode_bundle
from chain_anchor.changes import Change, record_digest
from chain_anchor.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from chain_anchor.cosignature import check_quorum
from chain_anchor.entries import Header, decode_entry
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.errors import ProofError, SignatureError
from chain_anchor.merkle import leaf_hash, verify_consistency, verify_inclusion
from chain_anchor.note import Note, VerifierKey
from chain_anchor.readable import readable_text
from chain_anchor.statemap import (
    EMPTY_ROOT,
    KIND_CHILD,
    MapProof,
    State,
    map_key,
    verify_absence,
    verify_presence,
)
from chain_anchor.verified import Verified

if TYPE_CHECKING:
    from chain_anchor.anchor_proof import VerifiedAnchors
    from chain_anchor.anchors import PinnedChain

PinnedKeys = Mapping[str, Sequence[VerifierKey]]
"""Keys that are believed, by the origin they may sign for."""


class _Trust(NamedTuple):
    """What the verifier brings along."""

    pinned: PinnedKeys
    witnesses: Sequence[VerifierKey]
    quorum: int
    chains: "Sequence[PinnedChain]"


def verify_bundle(  # noqa: PLR0913 - all that a verifier brings along
    octets: bytes,
    keys: PinnedKeys | VerifierKey,
    *,
    witnesses: Sequence[VerifierKey] = (),
    quorum: int = 0,
    about: tuple[int, bytes] | None = None,
    up_to: str | None = None,
    chains: "Sequence[PinnedChain]" = (),
) -> Verified:
    """Verify a bundle and give what it proves.

    Args:
        octets: The encoded bundle.
        keys: The believed keys by origin; or one key, for the origin of its name.
        witnesses: Keys of witnesses; each one's cosignature, if there, must hold.
        quorum: How many of them must have cosigned the bundle's own checkpoint.
        about: Map kind and canonical name that the bundle must be about. Without it
            the caller compares them: a true proof about another name is no lie.
        up_to: Origin of a log above that must cover this one. Without it, parents are
            verified as far as their keys are pinned.
        chains: Chains that are believed; anchors on others are not verified.

    Raises:
        FormatError: The bundle, or something in it, breaks its format.
        SignatureError: A signature that is needed is missing or wrong.
        ProofError: A part does not follow from the checkpoint, or the bundle is about
            something else.
    """
    pinned = {keys.name: (keys,)} if isinstance(keys, VerifierKey) else keys
    bundle = decode_bundle(octets)
    if about is not None and about != (bundle.kind, bundle.name):
        raise ProofError(
            f"the bundle is about {_named(bundle.kind, bundle.name)}, "
            f"expected {_named(*about)}"
        )
    verified = _verify(bundle, _Trust(pinned, witnesses, quorum, chains))
    if up_to is not None and up_to not in verified.origins:
        raise ProofError(
            f"the proof ends at the log {verified.origins[-1]}, expected one that "
            f"goes up to {up_to}"
        )
    return verified


def _verify(bundle: Bundle, trust: _Trust) -> Verified:
    origin = _origin_of(bundle)
    checkpoint = open_checkpoint(bundle.checkpoint, origin, _keys_of(origin, trust))
    note = Note.parse(bundle.checkpoint)
    cosignatures = check_quorum(note, trust.witnesses, trust.quorum)
    header = _verify_header(bundle, checkpoint)
    change = _verify_state(bundle, header)
    parent, unpinned = _verify_parents(bundle.parents, checkpoint, trust)
    return Verified(
        origin=origin,
        size=checkpoint.size,
        root=checkpoint.root,
        checkpoint=bundle.checkpoint,
        cosignatures=cosignatures,
        header=header,
        kind=bundle.kind,
        name=bundle.name,
        state=bundle.state,
        change=change,
        record=bundle.record,
        commitment=bundle.commitment,
        history=_verify_history(bundle.history, change),
        parent=parent,
        unpinned_parent=unpinned,
        anchors=_verify_anchors(bundle, checkpoint, trust),
    )


def _origin_of(bundle: Bundle) -> str:
    """Give the origin that the checkpoint claims; it is not believed yet."""
    return parse_checkpoint(Note.parse(bundle.checkpoint).text).origin


def _keys_of(origin: str, trust: _Trust) -> Sequence[VerifierKey]:
    keys = trust.pinned.get(origin)
    if not keys:
        pinned = ", ".join(sorted(trust.pinned)) or "none"
        raise SignatureError(
            f"the checkpoint is one of {origin!r:.99}, keys are pinned for: {pinned}"
        )
    return keys


def _verify_header(bundle: Bundle, checkpoint: Checkpoint) -> Header:
    """Show that the header is the last leaf, and that it speaks of this tree."""
    header = decode_entry(bundle.header)
    if not isinstance(header, Header):
        raise ProofError(f"header: a {type(header).__name__.lower()} in its place")
    last = checkpoint.size - 1
    leaf = leaf_hash(bundle.header)
    verify_inclusion(last, checkpoint.size, leaf, checkpoint.root, bundle.header_path)
    end = header.first_index + header.count
    if end != last:
        raise ProofError(f"header: its group ends at {end}, expected {last}")
    if (header.map_keys == 0) != (header.map_root == EMPTY_ROOT):
        raise ProofError(
            f"header: {header.map_keys} keys under the map root {header.map_root.hex()}"
        )
    return header


def _verify_state(bundle: Bundle, header: Header) -> Change | None:
    """Show what the map holds, and the change that made it so."""
    key = map_key(bundle.kind, bundle.name)
    if bundle.state is None or bundle.entry is None:
        proof = MapProof(bundle.map_path, bundle.neighbour)
        verify_absence(header.map_root, key, proof)
        return None
    value_hash = bundle.state.value_hash()
    verify_presence(header.map_root, key, value_hash, bundle.map_path)
    change = _verify_change(bundle.entry, bundle.state.leaf_hash, key)
    _check_agreement(change, bundle.state, header)
    _check_record(bundle, change)
    return change


def _verify_change(octets: bytes, expected: bytes, key: bytes) -> Change:
    """Show that an entry is the one that is named, and one of this key."""
    found = leaf_hash(octets)
    if found != expected:
        raise ProofError(
            f"entry: its leaf hash is {found.hex()}, expected {expected.hex()}"
        )
    change = decode_entry(octets)
    if not isinstance(change, Change):
        raise ProofError(f"entry: a {type(change).__name__.lower()} in its place")
    if change.key != key:
        raise ProofError(
            f"entry: a change of the map key {change.key.hex()}, expected {key.hex()}"
        )
    return change


def _check_agreement(change: Change, state: State, header: Header) -> None:
    if (change.state, change.version) != (state.state, state.version):
        raise ProofError(
            f"entry: makes state {change.state} version {change.version}, but the map "
            f"says state {state.state} version {state.version}"
        )
    end = header.first_index + header.count
    if state.index >= end:
        raise ProofError(f"state: made by entry {state.index}, the log has {end}")
    _check_order(change, state.index)


def _check_order(change: Change, index: int) -> None:
    if change.version > 1 and change.previous_index >= index:
        raise ProofError(
            f"entry {index}: follows entry {change.previous_index}, which is not "
            "before it"
        )


def _check_record(bundle: Bundle, change: Change) -> None:
    """Show that the record is the one that was registered."""
    if bundle.record is None:
        if change.record_digest != NO_HASH:
            raise ProofError("record: missing, but the entry has a digest of it")
        return
    found = record_digest(bundle.record, bundle.commitment)
    if found != change.record_digest:
        raise ProofError(
            f"record: its digest is {found.hex()}, expected "
            f"{change.record_digest.hex()}"
        )
    if bundle.kind == KIND_CHILD and change.extra != bundle.record:
        raise ProofError("record: not the checkpoint that the entry has in clear")


def _verify_history(
    history: Sequence[bytes], change: Change | None
) -> tuple[Change, ...]:
    """Show that each entry is the one before, from the newest back."""
    found: list[Change] = []
    later = change
    for octets in history:
        if later is None or later.version == 1:
            raise ProofError("history: an entry before version 1")
        earlier = _verify_change(octets, later.previous_hash, later.key)
        if earlier.version != later.version - 1:
            raise ProofError(
                f"history: version {earlier.version} before version {later.version}"
            )
        _check_order(earlier, later.previous_index)
        found.append(earlier)
        later = earlier
    return tuple(found)


def _verify_parents(
    parents: Parents | None, checkpoint: Checkpoint, trust: _Trust
) -> tuple[Verified | None, str | None]:
    """Show that the parent's log holds a checkpoint that this one grew from.

    Returns:
        What is proved of the parent; or the origin of one whose keys are not pinned.
    """
    if parents is None:
        return None, None
    _verify_logged(parents, checkpoint, trust)
    origin = _origin_of(parents.bundle)
    if origin not in trust.pinned:
        return None, origin
    # A quorum is asked of the bundle's own checkpoint; witnesses of a child and of
    # its parent need not be the same.
    return _verify(parents.bundle, trust._replace(quorum=0)), None


def _verify_anchors(
    bundle: Bundle, checkpoint: Checkpoint, trust: _Trust
) -> "VerifiedAnchors | None":
    if bundle.anchors is None:
        return None
    # Most bundles have none, and the chain's messages take a while to load.
    from chain_anchor.anchor_proof import verify_anchors

    return verify_anchors(bundle.anchors, checkpoint, trust.pinned, trust.chains)


def _verify_logged(parents: Parents, checkpoint: Checkpoint, trust: _Trust) -> None:
    origin = checkpoint.origin
    logged = open_checkpoint(parents.logged, origin, _keys_of(origin, trust))
    if not logged.size:
        raise ProofError("parents: the logged checkpoint is one of the empty log")
    verify_consistency(
        logged.size, checkpoint.size, logged.root, checkpoint.root, parents.path
    )
    child = (parents.bundle.kind, parents.bundle.name)
    if child != (KIND_CHILD, origin.encode()):
        raise ProofError(
            f"parents: the parent's proof is about {_named(*child)}, expected "
            f"{_named(KIND_CHILD, origin.encode())}"
        )
    if parents.bundle.record != Note.parse(parents.logged).text.encode():
        raise ProofError("parents: the parent's record is not the logged checkpoint")


def _named(kind: int, name: bytes) -> str:
    return f"kind {kind} {readable_text(name)!r:.99}"
