"""Checkpoints (C2SP tlog-checkpoint v1.0.0): the signed head of a log.

    ORIGIN            what the log is called, by everyone and for ever
    SIZE              leaves in its tree, decimal
    base64(ROOT)      root of the RFC 6962 tree of that size
    (extension lines, which we accept when others write them and never write)

A checkpoint is believed for one origin and the keys known for it: a log's key may
sign for its own origin only, whatever its key name.
"""

from collections.abc import Sequence
from typing import NamedTuple

from chain_anchor.errors import CheckpointError, NoteError, SignatureError
from chain_anchor.merkle import HASH_OCTETS, MAX_SIZE
from chain_anchor.note import Note, Signer, VerifierKey, check_text, open_note
from chain_anchor.spelling import decode_base64, decode_decimal, encode_base64

_OWN_LINES = 3


class Checkpoint(NamedTuple):
    """Head of a log at one size."""

    origin: str
    """Which log: not empty, one line."""

    size: int
    """Leaves in the tree, 0 to 2**63 - 1."""

    root: bytes
    """Root of the tree, 32 octets."""

    def text(self) -> str:
        """Write the text to sign: three lines.

        Raises:
            CheckpointError: origin, size or root are not what they must be.
        """
        _check_text(f"{self.origin}\n")
        if not self.origin or "\n" in self.origin:
            raise CheckpointError(f"origin: one line, got {self.origin!r:.99}")
        if not 0 <= self.size <= MAX_SIZE:
            raise CheckpointError(f"tree size: 0 to 2**63 - 1, got {self.size}")
        if len(self.root) != HASH_OCTETS:
            raise _bad_root(len(self.root))
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint; extension lines are checked and left out.

    A signature covers extension lines too: verify and cosign the text that came,
    not the text of what this returns.

    Raises:
        CheckpointError: it breaks its format.
    """
    _check_text(text)
    lines = text[:-1].split("\n")
    if len(lines) < _OWN_LINES or "" in lines:
        raise CheckpointError(
            f"checkpoint: at least {_OWN_LINES} lines, none empty, got {text!r:.99}"
        )
    size = decode_decimal(lines[1], CheckpointError, "tree size")
    root = decode_base64(lines[2], CheckpointError, "root hash")
    if len(root) != HASH_OCTETS:
        raise _bad_root(len(root))
    return Checkpoint(lines[0], size, root)


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[Signer]) -> bytes:
    """Sign a checkpoint with each signer, in this order, and write the note.

    Raises:
        CheckpointError: it is not one.
        NoteError: there is no signer, or one is there twice.
    """
    text = checkpoint.text()
    return Note(text, tuple([signer.sign(text) for signer in signers])).encode()


def open_checkpoint(
    note_octets: bytes, origin: str, keys: Sequence[VerifierKey]
) -> Checkpoint:
    """Read a signed checkpoint and verify that this log signed it.

    Args:
        note_octets: the note; cosignatures on it are not looked at, see
            `chain_anchor.cosignature.check_quorum`.
        origin: the log whose checkpoint it must be.
        keys: the keys known for this origin.

    Raises:
        NoteError: the note breaks its format.
        CheckpointError: its text is no checkpoint.
        SignatureError: no known key signed it, a signature by a known key does not
            hold, or it is the checkpoint of another log.
    """
    checkpoint = parse_checkpoint(open_note(note_octets, keys).text)
    if checkpoint.origin != origin:
        raise SignatureError(
            f"checkpoint: one of {origin!r:.99} expected, "
            f"got one of {checkpoint.origin!r:.99}"
        )
    return checkpoint


def _check_text(text: str) -> None:
    try:
        check_text(text)
    except NoteError as problem:
        raise CheckpointError(f"checkpoint: {problem}") from problem


def _bad_root(size_octets: int) -> CheckpointError:
    return CheckpointError(
        f"root hash: {HASH_OCTETS} octets expected, got {size_octets}"
    )
