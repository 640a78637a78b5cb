"""Cosignatures (C2SP tlog-cosignature v1.0.1, Ed25519): what a witness has seen.

A cosignature is a signature of a checkpoint's note by a key of algorithm 0x04:

    OFFSET  SIZE  FIELD
         0     8  POSIX time in seconds, at most 2**63 - 1
         8    64  Ed25519 signature over the message

    message:  cosignature/v1
              time SECONDS
              (the checkpoint's text, with its extension lines)

It says: at that time this was the largest tree that the witness had seen of the
log, and it is consistent with all that it had seen before. The message does not
name the witness, so no two witnesses may share a public key; a quorum counts
public keys.
"""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chain_anchor.checkpoint import parse_checkpoint
from chain_anchor.errors import NoteError, SignatureError
from chain_anchor.note import (
    COSIGNATURE,
    Note,
    Signature,
    VerifierKey,
    known_signatures,
    verify_octets,
)

MAX_TIME_SECONDS: Final = 2**63 - 1
COSIGNATURE_OCTETS: Final = 72

_TIME: Final = struct.Struct("!Q")


class Cosignature(NamedTuple):
    """A cosignature that holds."""

    key: VerifierKey
    """Whose it is."""

    time_seconds: int
    """When the witness made it, POSIX time."""


class Policy(NamedTuple):
    """Which witnesses are known, and how many of them must have cosigned."""

    keys: tuple[VerifierKey, ...]
    """Keys of algorithm `COSIGNATURE`, no public key twice."""

    quorum: int
    """At least so many, 0 to the number of keys."""

    def check(self, note: Note) -> tuple[Cosignature, ...]:
        """Check a note against this policy, see `check_quorum`."""
        return check_quorum(note, self.keys, self.quorum)


def cosigner_key(name: str, public: bytes) -> VerifierKey:
    """Make the verifier key of a witness.

    Raises:
        NoteError: the name is no key name, or the public key must not be used.
    """
    return VerifierKey.of(name, COSIGNATURE, public)


def cosign(
    checkpoint_text: str,
    signer_name: str,
    private: Ed25519PrivateKey,
    time_seconds: int,
) -> Signature:
    """Cosign a checkpoint; its consistency is the caller's to have checked.

    Args:
        checkpoint_text: the text of the note, as it came.
        signer_name: key name of the witness.
        private: its key, of no other witness and for no other use.
        time_seconds: now, POSIX time; 0 would say that there is none.

    Raises:
        CheckpointError: the text is no checkpoint.
        NoteError: the time or the key name is not usable.
    """
    parse_checkpoint(checkpoint_text)
    if not 0 < time_seconds <= MAX_TIME_SECONDS:
        raise NoteError(f"cosignature time: 1 to 2**63 - 1, got {time_seconds}")
    key = cosigner_key(signer_name, private.public_key().public_bytes_raw())
    signed = private.sign(_message(checkpoint_text, time_seconds))
    return Signature(key.name, key.key_id, _TIME.pack(time_seconds) + signed)


def verify_cosignature(text: str, signature: Signature, key: VerifierKey) -> int:
    """Check a cosignature by a known key, and read when it was made.

    Args:
        text: the text of the note, as it came.
        signature: the signature.
        key: the key by which it must be.

    Returns:
        POSIX time in seconds. Whether it is too old is the caller's to judge.

    Raises:
        CheckpointError: the text is no checkpoint.
        SignatureError: it is by another key, breaks its format, or does not hold.
        NoteError: the key is not that of a witness.
    """
    parse_checkpoint(text)
    if key.algorithm != COSIGNATURE:
        raise NoteError(f"key of a witness: algorithm {COSIGNATURE}, got {key}")
    if not signature.is_by(key):
        raise SignatureError(
            f"cosignature: one by {key} expected, "
            f"got one by {signature.name}+{signature.key_id.hex()}"
        )
    if len(signature.octets) != COSIGNATURE_OCTETS:
        raise SignatureError(
            f"cosignature by {key}: {COSIGNATURE_OCTETS} octets expected, "
            f"got {len(signature.octets)}"
        )
    time_seconds: int = _TIME.unpack_from(signature.octets)[0]
    if time_seconds > MAX_TIME_SECONDS:
        raise SignatureError(
            f"cosignature by {key}: a time up to 2**63 - 1 expected, got {time_seconds}"
        )
    message = _message(text, time_seconds)
    verify_octets(key, message, signature.octets[_TIME.size :])
    return time_seconds


def check_quorum(
    note: Note, keys: Sequence[VerifierKey], quorum: int
) -> tuple[Cosignature, ...]:
    """Check that enough known witnesses cosigned a checkpoint.

    Args:
        note: the note with all its signatures (`Note.parse`); that of the log is
            not looked at.
        keys: keys of the known witnesses.
        quorum: how many of them are enough, 0 to all.

    Returns:
        Every cosignature by a known witness, each verified.

    Raises:
        CheckpointError: the text is no checkpoint.
        SignatureError: fewer cosigned (it says who did not), or a cosignature by a
            known witness does not hold or stands there twice.
        NoteError: the quorum is no such number, or two known keys are one.
    """
    if len({key.public for key in keys}) < len(keys):
        raise NoteError("known witnesses: no public key twice expected")
    if not 0 <= quorum <= len(keys):
        raise NoteError(f"quorum: 0 to {len(keys)} witnesses expected, got {quorum}")
    found = tuple(
        [
            Cosignature(key, verify_cosignature(note.text, signature, key))
            for key, signature in known_signatures(note.signatures, keys)
        ]
    )
    if len(found) < quorum:
        present = {cosignature.key for cosignature in found}
        missing = ", ".join([str(key) for key in keys if key not in present])
        raise SignatureError(
            f"cosignatures: {quorum} of {len(keys)} known witnesses expected, "
            f"got {len(found)}; missing: {missing}"
        )
    return found


def _message(text: str, time_seconds: int) -> bytes:
    return f"cosignature/v1\ntime {time_seconds}\n{text}".encode()
