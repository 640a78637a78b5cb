"""Proofs in a file (C2SP tlog-proof): an entry is in a log, checked with no network.

    c2sp.org/tlog-proof@v1
    extra base64(octets)              optional; nothing vouches for it
    index INDEX                       of the entry in the log
    base64(hash)                      inclusion path, leaf's sibling first
    (empty line)
    (the signed checkpoint, verbatim, with its cosignatures)

It proves that an entry was logged, not that it is the last word on anything: that
is what `chain_anchor.proof` is for. The file extension is `.tlog-proof`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chain_anchor.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from chain_anchor.cosignature import Cosignature, Policy
from chain_anchor.errors import BundleError
from chain_anchor.merkle import (
    HASH_OCTETS,
    MAX_PATH_HASHES,
    MAX_SIZE,
    verify_inclusion,
)
from chain_anchor.note import MAX_NOTE_OCTETS, Note, VerifierKey
from chain_anchor.spelling import decode_base64, decode_decimal, encode_base64

MAX_EXTRA_OCTETS: Final = 64 * 1024
"""Most octets of extra data (emulator convention)."""

MAX_PROOF_OCTETS: Final = MAX_NOTE_OCTETS + 2 * MAX_EXTRA_OCTETS
"""Room for the longest note, extra data and path."""

_FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
_EXTRA: Final = "extra "
_INDEX: Final = "index "
_NO_WITNESSES: Final = Policy((), 0)


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A proof as it stands in a file; it proves nothing before it is verified."""

    index: int
    """Place of the entry in the log, from 0."""

    path: tuple[bytes, ...]
    """Inclusion path, from the leaf's sibling up."""

    checkpoint: bytes
    """The signed checkpoint, a note."""

    extra: bytes = b""
    """Data that the application put in; not authenticated."""


@dataclass(frozen=True, slots=True)
class Logged:
    """What a verified proof says."""

    index: int
    """Place of the entry in the log."""

    checkpoint: Checkpoint
    """Head of the log under which it stands."""

    cosignatures: tuple[Cosignature, ...]
    """Those of the known witnesses."""


def encode_tlog_proof(proof: TlogProof) -> bytes:
    """Write a proof.

    Raises:
        BundleError: the index, a hash or the extra data are not what they must be.
        NoteError: the checkpoint is no note.
        CheckpointError: the text of the note is no checkpoint.
    """
    _check(proof)
    lines = [_FIRST_LINE, f"{_INDEX}{proof.index}", *map(encode_base64, proof.path)]
    if proof.extra:
        lines.insert(1, _EXTRA + encode_base64(proof.extra))
    return "\n".join([*lines, "\n"]).encode() + proof.checkpoint


def decode_tlog_proof(octets: bytes) -> TlogProof:
    """Read a proof; this verifies nothing, `verify_tlog_proof` does.

    Raises:
        BundleError: it breaks its format, or is larger than is accepted.
        NoteError: the checkpoint is no note.
        CheckpointError: the text of the note is no checkpoint.
    """
    if len(octets) > MAX_PROOF_OCTETS:
        raise BundleError(
            f"proof: at most {MAX_PROOF_OCTETS} octets expected, got {len(octets)}"
        )
    head, blank, checkpoint = octets.partition(b"\n\n")
    if not blank or not head.isascii():
        raise BundleError("proof: ASCII lines and an empty line expected")
    first, *lines = head.decode().split("\n")
    if first != _FIRST_LINE:
        raise BundleError(f"proof: {_FIRST_LINE} expected, got {first!r:.99}")
    has_extra = bool(lines) and lines[0].startswith(_EXTRA)
    extra = _decode_extra(lines.pop(0)) if has_extra else b""
    proof = TlogProof(*_decode_path(lines), checkpoint, extra)
    _check(proof)
    return proof


def verify_tlog_proof(
    octets: bytes,
    leaf: bytes,
    origin: str,
    keys: Sequence[VerifierKey],
    policy: Policy = _NO_WITNESSES,
) -> Logged:
    """Check that an entry is in a log (C2SP tlog-proof, "Verifying").

    Args:
        octets: the proof.
        leaf: leaf hash of the entry (`chain_anchor.merkle.leaf_hash`).
        origin: the log it must be in.
        keys: the keys known for this log.
        policy: the known witnesses, and how many of them must have cosigned.

    Raises:
        BundleError, NoteError, CheckpointError: it breaks its format.
        SignatureError: the log, or enough of its witnesses, did not sign.
        ProofError: the entry does not stand there.
    """
    proof = decode_tlog_proof(octets)
    checkpoint = open_checkpoint(proof.checkpoint, origin, keys)
    cosignatures = policy.check(Note.parse(proof.checkpoint))
    verify_inclusion(proof.index, checkpoint.size, leaf, checkpoint.root, proof.path)
    return Logged(proof.index, checkpoint, cosignatures)


def _decode_extra(line: str) -> bytes:
    octets = decode_base64(line.removeprefix(_EXTRA), BundleError, "extra data")
    if not octets:
        raise BundleError("extra data: no line expected where there is none")
    return octets


def _decode_path(lines: list[str]) -> tuple[int, tuple[bytes, ...]]:
    if not lines or not lines[0].startswith(_INDEX):
        raise BundleError(f"proof: index expected, got {lines[:1]!r:.99}")
    index = decode_decimal(lines[0].removeprefix(_INDEX), BundleError, "index")
    hashes = lines[1:]
    if len(hashes) >= MAX_PATH_HASHES:
        raise _too_many(len(hashes))
    return index, tuple(
        [decode_base64(line, BundleError, "inclusion path") for line in hashes]
    )


def _check(proof: TlogProof) -> None:
    if not 0 <= proof.index < MAX_SIZE:
        raise BundleError(f"index: 0 to below 2**63 - 1, got {proof.index}")
    if len(proof.path) >= MAX_PATH_HASHES:
        raise _too_many(len(proof.path))
    for octets in proof.path:
        if len(octets) != HASH_OCTETS:
            raise BundleError(
                f"inclusion path: hashes of {HASH_OCTETS} octets expected, "
                f"got {len(octets)}"
            )
    if len(proof.extra) > MAX_EXTRA_OCTETS:
        raise BundleError(
            f"extra data: at most {MAX_EXTRA_OCTETS} octets expected, "
            f"got {len(proof.extra)}"
        )
    parse_checkpoint(Note.parse(proof.checkpoint).text)


def _too_many(count: int) -> BundleError:
    return BundleError(
        f"inclusion path: below {MAX_PATH_HASHES} hashes expected, got {count}"
    )
