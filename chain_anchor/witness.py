"""A witness: cosigns the checkpoints of logs that only grow (C2SP tlog-witness v1.0.0).

    request ─▶ authenticate ─▶ judge ─▶ cosign ─▶ store, durably ─▶ answer
                   400 404 403   400 409 422

A cosignature says: this is the largest tree I have seen of this log, and it holds all
that I had seen before. So for each log the witness has to remember one checkpoint and
must never lose it: nothing it has signed leaves before the store has it on disk, and
what it compares with is what it stores over, under one lock for each log. A store that
failed once is not written again before a restart.

It reads no entries and knows nothing of what a log is about.
"""

import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, NamedTuple, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chain_anchor.checkpoint import Checkpoint, parse_checkpoint
from chain_anchor.cosignature import cosign, cosigner_key, verify_cosignature
from chain_anchor.errors import (
    AnchorError,
    FormatError,
    ProofError,
    SignatureError,
    WitnessError,
)
from chain_anchor.merkle import EMPTY_ROOT, verify_consistency
from chain_anchor.note import (
    Note,
    Signature,
    VerifierKey,
    known_signatures,
    open_note,
)
from chain_anchor.witnessing import (
    AddCheckpoint,
    ConflictError,
    ContradictionError,
    RefusedError,
    origin_hash,
)

MAX_LOGS: Final = 4096
"""Logs that one witness may know (emulator convention)."""

Logs = Mapping[str, Sequence[VerifierKey]]
"""The keys by which each log may sign, by origin."""


class DamagedStoreError(WitnessError):
    """What a witness remembers is not what it wrote; it must not go on from there."""


class Store(Protocol):
    """Where a witness keeps the last checkpoint of each log."""

    def load(self) -> Mapping[str, bytes]:
        """Read all notes, by origin."""

    def save(self, origin: str, note: bytes) -> None:
        """Replace the note of one log; it is durable when this returns."""

    def save_contradiction(self, origin: str, notes: bytes) -> None:
        """Keep what proves that a log has forked, if there is nothing of it yet."""


class Cosigner:
    """A witness's private key, under its name; for no other use."""

    __slots__ = ("_private", "key")

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.key = cosigner_key(name, private.public_key().public_bytes_raw())

    def cosign(self, text: str, time_seconds: int) -> Signature:
        """Cosign the text of a checkpoint that grew from what was seen before."""
        return cosign(text, self.key.name, self._private, time_seconds)


class Submission(NamedTuple):
    """A checkpoint that its log has signed."""

    note: Note
    """With the log's verified signatures, and no others."""

    checkpoint: Checkpoint


class _Last(NamedTuple):
    """What is remembered of a log."""

    checkpoint: Checkpoint
    note: bytes


def logs_of(keys: Sequence[VerifierKey]) -> dict[str, tuple[VerifierKey, ...]]:
    """Sort keys of logs by origin, which is the name of the key (C2SP tlog-policy).

    Raises:
        WitnessError: there are more logs than a witness may know.
    """
    found: dict[str, tuple[VerifierKey, ...]] = {}
    for key in dict.fromkeys(keys):
        found[key.name] = (*found.get(key.name, ()), key)
    if len(found) > MAX_LOGS:
        message = f"at most {MAX_LOGS} logs for one witness, got {len(found)}"
        raise WitnessError(message)
    return found


def authenticate(note_octets: bytes, logs: Logs) -> Submission:
    """Find out whose checkpoint it is, and that the log has signed it.

    Raises:
        RefusedError: 400 when it is no checkpoint, 404 when its log is unknown, 403
            when no known key of the log has signed it or a signature by one is wrong.
    """
    try:
        checkpoint = parse_checkpoint(Note.parse(note_octets).text)
    except FormatError as problem:
        raise RefusedError(HTTPStatus.BAD_REQUEST, str(problem)) from problem
    keys = logs.get(checkpoint.origin)
    if not keys:
        reason = f"log {checkpoint.origin!r:.99} is not known here"
        raise RefusedError(HTTPStatus.NOT_FOUND, reason)
    try:
        return Submission(open_note(note_octets, keys), checkpoint)
    except SignatureError as problem:
        raise RefusedError(HTTPStatus.FORBIDDEN, str(problem)) from problem


def judge(
    old_size: int, proof: Sequence[bytes], checkpoint: Checkpoint, last: Checkpoint
) -> None:
    """Decide whether a checkpoint only grew from the last one that was cosigned.

    Args:
        old_size: where the proof starts, as the client says.
        proof: consistency path from there.
        checkpoint: the submitted one, signed by its log.
        last: the last one cosigned; of size 0 when there is none.

    Raises:
        RefusedError: 400 when it is smaller than the old size, 422 when the proof does
            not hold, or the empty tree has a wrong root.
        ConflictError: 409, the old size is not that of the last checkpoint.
        ContradictionError: 422, it has the size of the last one, and another root.
    """
    if old_size > checkpoint.size:
        reason = f"old size up to {checkpoint.size} expected, got {old_size}"
        raise RefusedError(HTTPStatus.BAD_REQUEST, reason)
    if old_size != last.size:
        raise ConflictError(last.size, f"old size {last.size} expected, got {old_size}")
    if 0 < last.size == checkpoint.size and last.root != checkpoint.root:
        raise ContradictionError(checkpoint, last)
    try:
        verify_consistency(old_size, checkpoint.size, last.root, checkpoint.root, proof)
    except ProofError as problem:
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, str(problem)) from problem


class Witness:
    """Cosigns for some logs, and remembers; may be called by several threads."""

    def __init__(self, cosigner: Cosigner, logs: Logs, store: Store) -> None:
        """Go on from what the store has.

        Raises:
            DamagedStoreError: a note is not one that this witness has cosigned.
        """
        self.key = cosigner.key
        self.logs: Logs = dict(logs)
        """Replaced, never changed, when more become known."""

        self._cosigner = cosigner
        self._store = store
        self._last = {
            origin_hash(origin): _remembered(origin, note, cosigner.key)
            for origin, note in store.load().items()
        }
        self._locks = {origin: threading.Lock() for origin in logs}
        self._learning = threading.Lock()

    def learn(self, keys: Sequence[VerifierKey]) -> bool:
        """Know more keys from now on; those that are known stay.

        Returns:
            Whether one of them was new.

        Raises:
            WitnessError: there are more logs than a witness may know.
        """
        with self._learning:
            known = [key for of_one in self.logs.values() for key in of_one]
            logs = logs_of([*known, *keys])
            for origin in logs:
                self._locks.setdefault(origin, threading.Lock())
            self.logs, before = logs, self.logs
            return logs != before

    def add_checkpoint(self, body: bytes, now_seconds: int) -> bytes:
        """Cosign a checkpoint, if it may be.

        Args:
            body: the request.
            now_seconds: POSIX time, for the cosignature.

        Returns:
            The answer: signature lines. What they say is on disk.

        Raises:
            RefusedError: it is not cosigned.
            WitnessError: the store failed; nothing is cosigned any more.
        """
        try:
            request = AddCheckpoint.parse(body)
        except FormatError as problem:
            raise RefusedError(HTTPStatus.BAD_REQUEST, str(problem)) from problem
        submission = authenticate(request.checkpoint, self.logs)
        with self._locks[submission.checkpoint.origin]:
            return self._advance(request, submission, now_seconds)

    def last_note(self, name: str) -> bytes | None:
        """Give the last checkpoint cosigned of a log, by the hash of its origin."""
        last = self._last.get(name)
        return last.note if last else None

    def last_checkpoint(self, origin: str) -> Checkpoint:
        """Give the last checkpoint cosigned of a log; of size 0 when there is none."""
        last = self._last.get(origin_hash(origin))
        return last.checkpoint if last else Checkpoint(origin, 0, EMPTY_ROOT)

    def _advance(
        self, request: AddCheckpoint, submission: Submission, now_seconds: int
    ) -> bytes:
        """Compare, store, answer: under the lock of the log."""
        note, checkpoint = submission
        last = self.last_checkpoint(checkpoint.origin)
        try:
            judge(request.old_size, request.proof, checkpoint, last)
        except ContradictionError:
            self._keep(checkpoint.origin, request.checkpoint)
            raise
        cosignature = self._cosigner.cosign(note.text, now_seconds)
        octets = Note(note.text, (*note.signatures, cosignature)).encode()
        self._store.save(checkpoint.origin, octets)
        self._last[origin_hash(checkpoint.origin)] = _Last(checkpoint, octets)
        return cosignature.encode().encode()

    def _keep(self, origin: str, contradicting: bytes) -> None:
        known = self._last[origin_hash(origin)].note
        self._store.save_contradiction(origin, known + b"\n\n" + contradicting)


def _remembered(origin: str, octets: bytes, key: VerifierKey) -> _Last:
    """Verify that a stored note is one of our own."""
    try:
        note = Note.parse(octets)
        checkpoint = parse_checkpoint(note.text)
        own = known_signatures(note.signatures, (key,))
        for known, signature in own:
            verify_cosignature(note.text, signature, known)
    except AnchorError as problem:
        raise DamagedStoreError(f"checkpoint of {origin!r:.99}: {problem}") from problem
    if not own or checkpoint.origin != origin:
        reason = f"one of {origin!r:.99}, cosigned by {key}, expected"
        raise DamagedStoreError(f"stored checkpoint: {reason}, got {note.text!r:.199}")
    return _Last(checkpoint, octets)
