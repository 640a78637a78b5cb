"""The witness protocol, both ends of it (C2SP tlog-witness v1.0.0): octets only.

    request to add-checkpoint        old SIZE
                                     base64(HASH)          0 to 63 lines
                                     (empty line)
                                     a signed checkpoint

    answers  200  signature lines: cosignatures of the checkpoint
             409  `text/x.tlog.size`: the size that the witness has, and a newline
             400, 403, 404, 422  refused; the body says why, for people

    GET HEX/checkpoint, HEX being the SHA-256 of the origin: the last one cosigned

Both ends share the errors: what a witness raises with a status, its client raises
again. `chain_anchor.witness` decides, `resolver.witnesses` asks over the network.
"""

from collections.abc import Sequence
from hashlib import sha256
from http import HTTPStatus
from typing import Final, NamedTuple

from chain_anchor.checkpoint import Checkpoint, open_checkpoint
from chain_anchor.cosignature import Cosignature, verify_cosignature
from chain_anchor.errors import (
    AnchorError,
    FormatError,
    SignatureError,
    WitnessError,
)
from chain_anchor.merkle import HASH_OCTETS
from chain_anchor.note import (
    Note,
    Signature,
    VerifierKey,
    known_signatures,
    parse_signatures,
)
from chain_anchor.spelling import decode_base64, decode_decimal, encode_base64

MAX_PROOF_LINES: Final = 63
MAX_REQUEST_OCTETS: Final = 64 << 10
"""Largest request a witness reads, and largest answer its client reads (emulator
convention); a checkpoint with 16 post-quantum signatures would not fit, but none of our
logs has any."""

ADD_CHECKPOINT: Final = "add-checkpoint"
SIZE_TYPE: Final = "text/x.tlog.size"
TEXT_TYPE: Final = "text/plain; charset=utf-8"

_SHOWN_CHARACTERS = 200


class RefusedError(WitnessError):
    """A witness does not cosign.

    Args:
        status: HTTP status that says so.
        reason: what was expected and what came.
    """

    content_type = TEXT_TYPE

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status

    @property
    def body(self) -> bytes:
        """What the answer says."""
        return f"{self}\n".encode()


class ConflictError(RefusedError):
    """The old size is not the one that the witness has; `size` is."""

    content_type = SIZE_TYPE

    def __init__(self, size: int, reason: str) -> None:
        super().__init__(HTTPStatus.CONFLICT, reason)
        self.size = size

    @property
    def body(self) -> bytes:
        """The size, for the client to read."""
        return b"%d\n" % self.size


class ContradictionError(RefusedError):
    """A log signed another root for the size that the witness has cosigned.

    The two notes are proof of it, whoever sent them.
    """

    def __init__(self, checkpoint: Checkpoint, known: Checkpoint) -> None:
        reason = (
            f"root {known.root.hex()} expected at size {known.size}, "
            f"got {checkpoint.root.hex()}"
        )
        super().__init__(HTTPStatus.UNPROCESSABLE_ENTITY, reason)


class AddCheckpoint(NamedTuple):
    """A request to cosign."""

    old_size: int
    """Size of the checkpoint that the witness cosigned last, as the client knows it."""

    proof: tuple[bytes, ...]
    """Consistency path from there (RFC 6962 §2.1.2), at most 63 hashes."""

    checkpoint: bytes
    """The signed note."""

    def encode(self) -> bytes:
        """Write the body of the request.

        Raises:
            FormatError: the proof has more hashes than may be sent.
        """
        if len(self.proof) > MAX_PROOF_LINES:
            raise _too_many(len(self.proof))
        lines = [f"old {self.old_size}", *map(encode_base64, self.proof), "", ""]
        return "\n".join(lines).encode() + self.checkpoint

    @classmethod
    def parse(cls, octets: bytes) -> "AddCheckpoint":
        """Read the body of a request; the checkpoint in it is only cut out.

        Raises:
            FormatError: it breaks its format.
        """
        head, blank, checkpoint = octets.partition(b"\n\n")
        if not blank:
            raise FormatError("request: an empty line before the checkpoint expected")
        try:
            first, *lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as problem:
            raise FormatError(f"request: ASCII lines expected, {problem}") from problem
        word, space, size = first.partition(" ")
        if (word, space) != ("old", " "):
            raise FormatError(f"request: 'old SIZE' expected, got {first!r:.99}")
        if len(lines) > MAX_PROOF_LINES:
            raise _too_many(len(lines))
        old_size = decode_decimal(size, FormatError, "old size")
        return cls(old_size, tuple(map(_proof_hash, lines)), checkpoint)


class Witnessed(NamedTuple):
    """The last checkpoint that a witness has cosigned of a log, verified."""

    witness: VerifierKey
    checkpoint: Checkpoint
    note: bytes
    """With the signature of the log and the cosignature."""

    time_seconds: int
    """When the witness cosigned it, POSIX time."""


def origin_hash(origin: str) -> str:
    """Give the name under which a witness serves the last checkpoint of a log."""
    return sha256(origin.encode()).hexdigest()


def checkpoint_path(origin: str) -> str:
    """Give the path of the last checkpoint, below the witness's prefix."""
    return f"{origin_hash(origin)}/checkpoint"


def read_cosignature(
    status: int, content_type: str, body: bytes, text: str, key: VerifierKey
) -> Signature:
    """Read the answer to add-checkpoint.

    Args:
        status: HTTP status.
        content_type: as the header has it, empty when there is none.
        body: the body.
        text: text of the checkpoint that was to be cosigned.
        key: key of the witness.

    Returns:
        The witness's cosignature, verified; any by unknown keys are ignored.

    Raises:
        ConflictError: the witness has another size; ask again from there.
        RefusedError: it does not cosign.
        WitnessError: the answer is not one of this witness: it breaks its format, has no
            cosignature by its key, or one that does not hold.
    """
    if status != HTTPStatus.OK:
        raise _refusal(status, content_type, body)
    try:
        lines = parse_signatures(body.decode())
        for known, signature in known_signatures(lines, (key,)):
            _check_time(verify_cosignature(text, signature, known), key)
            return signature
    except (UnicodeDecodeError, AnchorError) as problem:
        raise WitnessError(f"answer of {key.name}: {problem}") from problem
    raise WitnessError(f"answer of {key.name}: no cosignature by {key}")


def read_witnessed(
    status: int,
    body: bytes,
    origin: str,
    log_keys: Sequence[VerifierKey],
    key: VerifierKey,
) -> Witnessed | None:
    """Read the answer to a question for the last checkpoint.

    Returns:
        It, verified for the log and for the witness; None when the witness has none.

    Raises:
        WitnessError: the answer is something else.
    """
    if status == HTTPStatus.NOT_FOUND:
        return None
    if status != HTTPStatus.OK:
        raise _refusal(status, "", body)
    try:
        checkpoint = open_checkpoint(body, origin, log_keys)
        cosignature = _cosignature_of(Note.parse(body), key)
    except AnchorError as problem:
        raise WitnessError(f"checkpoint of {key.name}: {problem}") from problem
    return Witnessed(key, checkpoint, body, cosignature.time_seconds)


def _cosignature_of(note: Note, key: VerifierKey) -> Cosignature:
    for known, signature in known_signatures(note.signatures, (key,)):
        time_seconds = verify_cosignature(note.text, signature, known)
        return Cosignature(known, _check_time(time_seconds, key))
    raise SignatureError(f"a cosignature by {key} expected, there is none")


def _check_time(time_seconds: int, key: VerifierKey) -> int:
    """C2SP tlog-witness: the time must not be left out."""
    if not time_seconds:
        raise SignatureError(f"cosignature by {key}: a time expected, got 0")
    return time_seconds


def _refusal(status: int, content_type: str, body: bytes) -> WitnessError:
    kind = content_type.partition(";")[0].strip().lower()
    if status == HTTPStatus.CONFLICT and kind == SIZE_TYPE:
        try:
            text = body.decode("ascii")
            size = decode_decimal(text.removesuffix("\n"), FormatError, "size")
        except ValueError as problem:
            return WitnessError(f"answer with status 409: {problem}")
        return ConflictError(size, f"HTTP {status}: the witness has size {size}")
    said = body.decode(errors="replace").strip()[:_SHOWN_CHARACTERS]
    return RefusedError(status, f"HTTP {status}: {said!r}")


def _proof_hash(line: str) -> bytes:
    octets = decode_base64(line, FormatError, "consistency proof")
    if len(octets) != HASH_OCTETS:
        raise FormatError(
            f"consistency proof: hashes of {HASH_OCTETS} octets expected, "
            f"got {len(octets)} octets"
        )
    return octets


def _too_many(count: int) -> FormatError:
    return FormatError(
        f"consistency proof: at most {MAX_PROOF_LINES} hashes expected, got {count}"
    )
