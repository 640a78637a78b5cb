"""Rotation of a log's key: an entry that both keys sign, under a checkpoint of both.

Whoever has pinned the old key is led to the new one by what the log itself says, with
no other word for it: the rotation's entry is in the log, each key has signed that the
other is its own log's, and the checkpoint right after it carries both signatures. From
the next checkpoint on only the new key signs (tlog notes §1a; emulator convention).
"""

from collections.abc import Iterable
from typing import NamedTuple

from chain_anchor.entries import (
    Rotation,
    decode_entry,
    encode_rotation,
    rotation_message,
)
from chain_anchor.errors import ProofError, SignatureError
from chain_anchor.merkle import leaf_hash
from chain_anchor.note import Signer, VerifierKey, verify_octets
from chain_anchor.tlog_proof import verify_tlog_proof


class RotationProof(NamedTuple):
    """What leads from one key of a log to the next."""

    entry: bytes
    """The rotation, as it stands in the log."""

    proof: bytes
    """Its inclusion under the checkpoint that both keys signed: a C2SP tlog-proof."""


def rotation_entry(old: Signer, new: Signer, index: int) -> bytes:
    """Make the entry that lets one key follow another.

    Args:
        old: What has signed so far.
        new: What signs from here on, under the same name.
        index: Index that the entry will have.
    """
    before, after = old.key.encode(), new.key.encode()
    message = rotation_message(old.key.name, before, after, index)
    return encode_rotation(
        Rotation(before, after, old.sign_octets(message), new.sign_octets(message))
    )


def verify_rotation(entry: Rotation, origin: str, index: int) -> VerifierKey:
    """Check both signatures of a rotation; gives the key from there on.

    Raises:
        FormatError: A key cannot be read.
        SignatureError: A signature does not hold, or a key is not this log's.
    """
    old, new = VerifierKey.parse(entry.old), VerifierKey.parse(entry.new)
    for key in (old, new):
        if key.name != origin:
            raise SignatureError(f"rotation of {origin}: {key} is of another log")
    message = rotation_message(origin, entry.old, entry.new, index)
    verify_octets(old, message, entry.old_signature)
    verify_octets(new, message, entry.new_signature)
    return new


def follow_rotations(
    pinned: VerifierKey, proofs: Iterable[RotationProof]
) -> VerifierKey:
    """Lead from a pinned key to the one that signs now.

    Args:
        pinned: The key that is believed.
        proofs: Rotations in the order of the log; those before the pinned key's own
            are passed over.

    Raises:
        ProofError: One is not in the log, or is no rotation.
        SignatureError: A signature does not hold.
        FormatError: An entry, a proof or a key cannot be read.
    """
    current = pinned
    for entry_octets, proof in proofs:
        entry = decode_entry(entry_octets)
        if not isinstance(entry, Rotation):
            raise ProofError("rotation: an entry of another type stands in its place")
        if entry.old == current.encode():
            logged = verify_tlog_proof(
                proof, leaf_hash(entry_octets), current.name, (current,)
            )
            current = verify_rotation(entry, current.name, logged.index)
    return current
