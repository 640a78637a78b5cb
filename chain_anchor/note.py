"""Signed notes (C2SP signed-note v1.0.0): texts with signature lines under them.

    text, of whole lines
    (empty line)
    — KEY NAME base64(key id[4] || signature)          one line or more

    verifier key   NAME+HEX(key id)+base64(algorithm u8 || public key)
    key id         SHA-256(NAME || 0x0A || algorithm u8 || public key)[:4]

Two algorithms are known, both Ed25519: 0x01 signs the text as it is, 0x04 is a
cosignature (`chain_anchor.cosignature`). What is read is exactly what would be
written: base64 is canonical, lines end with a newline, nothing else is a control
character. A text is not to be believed before `open_note` gave it back.

A signature by an unknown key is ignored, as the specification demands, however
often it stands there. One by a known key must hold, and must stand there once;
what is written never has two of the same name and key id.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from chain_anchor.edwards import check_public_key
from chain_anchor.errors import NoteError, SignatureError
from chain_anchor.spelling import decode_base64, encode_base64

ED25519: Final = 0x01
"""Algorithm of a key that signs notes as they are."""

COSIGNATURE: Final = 0x04
"""Algorithm of a key that cosigns checkpoints, with a time."""

KEY_ID_OCTETS: Final = 4
MAX_NOTE_OCTETS: Final = 128 * 1024
"""Room for 16 post-quantum signatures of 5 kB, which every reader must accept."""

MAX_SIGNATURES: Final = 64

_ALGORITHMS: Final = frozenset({ED25519, COSIGNATURE})
_KEY_ID_TEXT: Final = re.compile("[0-9a-f]{8}")
# Lone surrogates are no characters: a text with one has no UTF-8.
_FORBIDDEN: Final = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")
_LINE_START: Final = "\N{EM DASH} "
_KNOWN_KEYS: Final = 1024


class VerifierKey(NamedTuple):
    """A public key by which signatures are recognised and verified."""

    name: str
    """Key name: not empty, without Unicode spaces and without plus."""

    key_id: bytes
    """First 4 octets of the hash over name, algorithm and public key."""

    algorithm: int
    """`ED25519` or `COSIGNATURE`."""

    public: bytes
    """Ed25519 public key, 32 octets (RFC 8032)."""

    @classmethod
    def of(cls, name: str, algorithm: int, public: bytes) -> "VerifierKey":
        """Make the key of this name and algorithm.

        Raises:
            NoteError: name, algorithm or public key are not usable.
        """
        check_name(name)
        if algorithm not in _ALGORITHMS:
            raise NoteError(f"verifier key {name}: algorithm 1 or 4, got {algorithm}")
        _public_key(public)
        body = bytes([algorithm]) + public
        key_id = sha256(name.encode() + b"\n" + body).digest()[:KEY_ID_OCTETS]
        return cls(name, key_id, algorithm, public)

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read `NAME+HEX+BASE64` (C2SP signed-note, "Verifier keys").

        Raises:
            NoteError: it breaks its format, its key id is not that of the key, its
                algorithm is unknown, or its public key must not be used.
        """
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise NoteError(f"verifier key: NAME+HEX+BASE64 expected, got {text!r:.99}")
        name, key_id, encoded = parts
        if not _KEY_ID_TEXT.fullmatch(key_id):
            raise NoteError(
                f"verifier key: 8 lower-case hex digits expected, got {key_id!r:.99}"
            )
        body = decode_base64(encoded, NoteError, "verifier key")
        if not body:
            raise NoteError("verifier key: algorithm and public key expected, got none")
        key = cls.of(name, body[0], body[1:])
        if key.key_id.hex() != key_id:
            raise NoteError(
                f"verifier key {name}: key id {key.key_id.hex()} expected, got {key_id}"
            )
        return key

    def encode(self) -> str:
        """Write it as `NAME+HEX+BASE64`."""
        body = encode_base64(bytes([self.algorithm]) + self.public)
        return f"{self.name}+{self.key_id.hex()}+{body}"

    def __str__(self) -> str:
        return self.encode()


class Signature(NamedTuple):
    """One signature of a note."""

    name: str
    """Name of the key."""

    key_id: bytes
    """Key id, 4 octets."""

    octets: bytes
    """What the algorithm made: 64 octets of Ed25519, 72 of a cosignature."""

    def is_by(self, key: VerifierKey) -> bool:
        """Whether it claims to be by this key: name and key id are the same."""
        return self.key_id == key.key_id and self.name == key.name

    def encode(self) -> str:
        """Write the line, with its newline."""
        body = encode_base64(self.key_id + self.octets)
        return f"{_LINE_START}{self.name} {body}\n"


class Note(NamedTuple):
    """A text and signatures, none of them verified by being here."""

    text: str
    """Whole lines: it ends with a newline."""

    signatures: tuple[Signature, ...]
    """At least one, in the order of their lines."""

    @classmethod
    def parse(cls, octets: bytes) -> "Note":
        """Read a note; this verifies nothing, `open_note` does.

        Raises:
            NoteError: it breaks its format, or is larger than is accepted.
        """
        _check_length(len(octets))
        try:
            whole = octets.decode()
        except UnicodeDecodeError as problem:
            raise NoteError(f"note: UTF-8 expected, got {problem}") from problem
        # The last empty line: the text may have others.
        text, blank, lines = whole.rpartition("\n\n")
        if not blank:
            raise NoteError("note: an empty line before the signatures expected")
        check_text(text + "\n")
        return cls(text + "\n", parse_signatures(lines))

    def encode(self) -> bytes:
        """Write the note.

        Raises:
            NoteError: nobody would read it, or two signatures are by the same key.
        """
        check_text(self.text)
        if not 0 < len(self.signatures) <= MAX_SIGNATURES:
            raise _bad_count(len(self.signatures))
        if len({signature[:2] for signature in self.signatures}) < len(self.signatures):
            raise NoteError("note: one signature by each key expected, got two")
        lines = "".join([signature.encode() for signature in self.signatures])
        octets = f"{self.text}\n{lines}".encode()
        _check_length(len(octets))
        return octets


class Signer:
    """A private key under a name: signs notes with algorithm 0x01."""

    __slots__ = ("_private", "key")

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.key = VerifierKey.of(
            name, ED25519, private.public_key().public_bytes_raw()
        )

    def sign(self, text: str) -> Signature:
        """Sign a text as it is.

        Raises:
            NoteError: it is not whole lines without control characters.
        """
        check_text(text)
        key = self.key
        return Signature(key.name, key.key_id, self._private.sign(text.encode()))

    def sign_octets(self, message: bytes) -> bytes:
        """Sign something that is no note; its first octets must say what it is."""
        return self._private.sign(message)


def open_note(octets: bytes, keys: Sequence[VerifierKey]) -> Note:
    """Read a note and verify it: the text may be believed.

    Args:
        octets: the note.
        keys: the known keys, all of algorithm `ED25519`.

    Returns:
        The note with the signatures by known keys only, every one verified.

    Raises:
        NoteError: it breaks its format, or a known key is of another algorithm.
        SignatureError: no known key signed it, or a signature by a known key does
            not hold or stands there twice.
    """
    for key in keys:
        if key.algorithm != ED25519:
            # A witness that cosigned a checkpoint does not stand for its log.
            raise NoteError(f"known keys: algorithm {ED25519} expected, got {key}")
    note = Note.parse(octets)
    message = note.text.encode()
    verified = []
    for key, signature in known_signatures(note.signatures, keys):
        verify_octets(key, message, signature.octets)
        verified.append(signature)
    if not verified:
        raise SignatureError(
            f"note: a signature by {_names(keys)} expected, "
            f"got those of {_names(note.signatures)}"
        )
    return Note(note.text, tuple(verified))


def known_signatures(
    signatures: Iterable[Signature], keys: Sequence[VerifierKey]
) -> list[tuple[VerifierKey, Signature]]:
    """Pick the signatures that claim to be by known keys, with their keys.

    Raises:
        SignatureError: two claim to be by the same key.
    """
    known = {(key.name, key.key_id): key for key in keys}
    found: dict[VerifierKey, Signature] = {}
    for signature in signatures:
        key = known.get(signature[:2])
        if key in found:
            raise SignatureError(f"note: one signature by {key} expected, got two")
        if key is not None:
            found[key] = signature
    return list(found.items())


def verify_octets(key: VerifierKey, message: bytes, octets: bytes) -> None:
    """Check an Ed25519 signature over a message.

    Raises:
        SignatureError: it does not hold.
        NoteError: the public key must not be used.
    """
    try:
        _public_key(key.public).verify(octets, message)
    except InvalidSignature as problem:
        raise SignatureError(
            f"signature by {key}: does not hold over {len(message)} octets"
        ) from problem


def parse_signatures(lines: str) -> tuple[Signature, ...]:
    """Read signature lines, each with its newline, as notes and witnesses have them.

    Raises:
        NoteError: there is none, there are too many, or one breaks its format.
    """
    *found, rest = lines.split("\n")
    if rest:
        raise NoteError(f"signature: a line ending expected after {rest!r:.99}")
    if not 0 < len(found) <= MAX_SIGNATURES:
        raise _bad_count(len(found))
    return tuple([_parse_signature(line) for line in found])


def check_name(name: str) -> None:
    """Refuse what must not be a key name (C2SP signed-note, "Format").

    Raises:
        NoteError: empty, or with spaces, control characters or plus.
    """
    # `split` knows every Unicode space.
    if name.split() != [name] or "+" in name or _FORBIDDEN.search(name):
        raise NoteError(f"key name: no space, control or plus, got {name!r:.99}")


def check_text(text: str) -> None:
    """Refuse what must not be the text of a note (C2SP signed-note, "Format").

    Raises:
        NoteError: it does not end with a newline, has control characters or is too
            long.
    """
    if text[-1:] != "\n":
        raise NoteError(f"note: a newline at the end of its text, got {text!r:.99}")
    found = _FORBIDDEN.search(text)
    if found:
        raise NoteError(
            f"note: no control characters but newlines expected, got {found[0]!r} "
            f"at {found.start()}"
        )
    _check_length(len(text))


def _parse_signature(line: str) -> Signature:
    start, name, encoded = line[:2], *line[2:].partition(" ")[::2]
    if start != _LINE_START:
        raise NoteError(f"signature: '{_LINE_START}NAME BASE64', got {line!r:.99}")
    check_name(name)
    octets = decode_base64(encoded, NoteError, f"signature by {name}")
    if len(octets) <= KEY_ID_OCTETS:
        raise NoteError(
            f"signature by {name}: a key id and a signature expected, "
            f"got {len(octets)} octets"
        )
    return Signature(name, octets[:KEY_ID_OCTETS], octets[KEY_ID_OCTETS:])


def _check_length(size_octets: int) -> None:
    if size_octets > MAX_NOTE_OCTETS:
        raise NoteError(
            f"note: at most {MAX_NOTE_OCTETS} octets expected, got {size_octets}"
        )


def _bad_count(count: int) -> NoteError:
    return NoteError(f"note: 1 to {MAX_SIGNATURES} signatures expected, got {count}")


def _names(named: Sequence[VerifierKey] | Sequence[Signature]) -> str:
    return ", ".join([f"{one.name}+{one.key_id.hex()}" for one in named]) or "no key"


@lru_cache(_KNOWN_KEYS)
def _public_key(public: bytes) -> Ed25519PublicKey:
    """The key ready to verify; checked once, also when no `VerifierKey.of` was."""
    check_public_key(public)
    return Ed25519PublicKey.from_public_bytes(public)
