"""Bodies of requests, one type per shape (handle notes §1.9).

Handles stay octets here: whether they are names, and which, is the registry's
question. A body of a known operation that does not follow its layout raises
`MalformedError`; decoding and encoding again gives the same octets.
"""

from collections.abc import Callable
from typing import NamedTuple

from registry.errors import MalformedError
from registry.model.new_values import CheckedValues, NewValues, read_checked
from registry.model.octets import Cursor, blob, pack_u16, pack_u32, text
from registry.model.value import encode_values, read_values
from resolver.wire.codes import OpCode

MAX_QUESTION_ITEMS = 2048
_new = tuple.__new__
"""Makes what most requests are, at half the price of calling its class."""

_ALL_VALUES = bytes(8)
"""No indexes and no types."""


class Resolution(NamedTuple):
    """Ask for values: all of them, or those with these indexes or types."""

    handle: bytes
    indexes: tuple[int, ...] = ()
    types: tuple[bytes, ...] = ()
    token: bytes | None = None
    """Identity token of the official SDK; None when the field is absent."""

    def encode(self) -> bytes:
        """Write the body."""
        tail = b"" if self.token is None else blob(self.token)
        return b"".join(
            (
                blob(self.handle),
                _pack_indexes(self.indexes),
                pack_u32(len(self.types)),
                *map(blob, self.types),
                tail,
            )
        )

    @classmethod
    def decode(cls, octets: bytes) -> "Resolution":
        """Read the body."""
        size = int.from_bytes(octets[:4], "big")
        if len(octets) == size + 12 and octets.endswith(_ALL_VALUES):
            return cls(octets[4 : 4 + size])  # as most are: a third of the time
        cursor = Cursor(octets)
        handle = cursor.blob("handle")
        indexes = _read_indexes(cursor)
        count = _bounded(cursor.count(4, "type list"), "type list")
        types = tuple(cursor.blob("type") for _ in range(count))
        token = cursor.blob("identity token") if cursor.remaining else None
        cursor.finish("resolution request")
        return cls(handle, indexes, types, token)


class OnHandle(NamedTuple):
    """An operation that names a handle and nothing else."""

    handle: bytes

    def encode(self) -> bytes:
        """Write the body."""
        return blob(self.handle)

    @classmethod
    def decode(cls, octets: bytes) -> "OnHandle":
        """Read the body."""
        cursor = Cursor(octets)
        handle = cursor.blob("handle")
        cursor.finish("request")
        return cls(handle)


class WithValues(NamedTuple):
    """Create a record, or add or modify values."""

    handle: bytes
    values: NewValues

    def encode(self) -> bytes:
        """Write the body."""
        values = self.values
        if isinstance(values, CheckedValues):
            return blob(self.handle) + values.octets
        return blob(self.handle) + encode_values(values)

    @classmethod
    def decode(cls, octets: bytes) -> "WithValues":
        """Read the body."""
        start = 4 + int.from_bytes(octets[:4], "big")
        checked = read_checked(octets, start)
        if checked is not None:
            return _new(cls, (octets[4:start], checked))
        cursor = Cursor(octets)
        handle = cursor.blob("handle")
        values = read_values(cursor)
        cursor.finish("value list")
        return cls(handle, values)


class RemoveValues(NamedTuple):
    """Remove the values with these indexes."""

    handle: bytes
    indexes: tuple[int, ...]

    def encode(self) -> bytes:
        """Write the body."""
        return blob(self.handle) + _pack_indexes(self.indexes)

    @classmethod
    def decode(cls, octets: bytes) -> "RemoveValues":
        """Read the body."""
        cursor = Cursor(octets)
        handle = cursor.blob("handle")
        indexes = _read_indexes(cursor)
        cursor.finish("index list")
        return cls(handle, indexes)


class Answer(NamedTuple):
    """Answer a challenge (opcode 200)."""

    auth_type: str
    user: bytes
    user_index: int
    proof: bytes

    def encode(self) -> bytes:
        """Write the body."""
        return b"".join(
            (
                text(self.auth_type),
                blob(self.user),
                pack_u32(self.user_index),
                blob(self.proof),
            )
        )

    @classmethod
    def decode(cls, octets: bytes) -> "Answer":
        """Read the body."""
        cursor = Cursor(octets)
        kind = cursor.text("authentication type")
        user = cursor.blob("user handle")
        index = cursor.u32("user index")
        proof = cursor.blob("signed response")
        cursor.finish("challenge answer")
        return cls(kind, user, index, proof)


class Verify(NamedTuple):
    """Ask a user's node whether a proof by secret key is right (opcode 201)."""

    user: bytes
    user_index: int
    nonce: bytes
    digest: bytes
    """The request digest alone, without an algorithm octet."""

    proof: bytes

    def encode(self) -> bytes:
        """Write the body."""
        return b"".join(
            (
                blob(self.user),
                pack_u32(self.user_index),
                blob(self.nonce),
                blob(self.digest),
                blob(self.proof),
            )
        )

    @classmethod
    def decode(cls, octets: bytes) -> "Verify":
        """Read the body."""
        cursor = Cursor(octets)
        user, index = cursor.blob("user handle"), cursor.u32("user index")
        nonce, digest = cursor.blob("nonce"), cursor.blob("request digest")
        proof = cursor.blob("signed response")
        cursor.finish("verification request")
        return cls(user, index, nonce, digest, proof)


class Login(NamedTuple):
    """Start a login of the official SDK (opcode 2001)."""

    user: bytes
    user_index: int

    def encode(self) -> bytes:
        """Write the body."""
        return blob(self.user) + pack_u32(self.user_index)

    @classmethod
    def decode(cls, octets: bytes) -> "Login":
        """Read the body."""
        cursor = Cursor(octets)
        user, index = cursor.blob("user handle"), cursor.u32("user index")
        cursor.finish("login request")
        return cls(user, index)


class SessionSetup(NamedTuple):
    """Propose a session (opcode 400); read so that it can be refused by name."""

    mode: int
    timeout_seconds: int
    identity: bytes
    identity_index: int
    material: bytes
    """Key material of the mode; two octets longer than it should be in hdllib."""

    def encode(self) -> bytes:
        """Write the body."""
        return b"".join(
            (
                pack_u16(self.mode),
                pack_u32(self.timeout_seconds),
                blob(self.identity),
                pack_u32(self.identity_index),
                self.material,
            )
        )

    @classmethod
    def decode(cls, octets: bytes) -> "SessionSetup":
        """Read the body."""
        cursor = Cursor(octets)
        mode, timeout = cursor.u16("session mode"), cursor.u32("session timeout")
        identity = cursor.blob("identity handle")
        index = cursor.u32("identity index")
        return cls(mode, timeout, identity, index, cursor.take(cursor.remaining))


class Opaque(NamedTuple):
    """A body nobody here reads: replication and key exchange between servers."""

    octets: bytes

    def encode(self) -> bytes:
        """Write the body."""
        return self.octets

    @classmethod
    def decode(cls, octets: bytes) -> "Opaque":
        """Keep the body as it is."""
        return cls(octets)


Request = (
    Resolution
    | OnHandle
    | WithValues
    | RemoveValues
    | Answer
    | Verify
    | Login
    | SessionSetup
    | Opaque
)

_DECODERS: dict[int, Callable[[bytes], Request]] = {
    OpCode.RESOLUTION: Resolution.decode,
    OpCode.GET_SITE_INFO: OnHandle.decode,
    OpCode.CREATE_HANDLE: WithValues.decode,
    OpCode.DELETE_HANDLE: OnHandle.decode,
    OpCode.ADD_VALUE: WithValues.decode,
    OpCode.REMOVE_VALUE: RemoveValues.decode,
    OpCode.MODIFY_VALUE: WithValues.decode,
    OpCode.LIST_HANDLES: OnHandle.decode,
    OpCode.LIST_DERIVED_PREFIXES: OnHandle.decode,
    OpCode.CHALLENGE_RESPONSE: Answer.decode,
    OpCode.VERIFY_CHALLENGE: Verify.decode,
    OpCode.HOME_PREFIX: OnHandle.decode,
    OpCode.UNHOME_PREFIX: OnHandle.decode,
    OpCode.LIST_HOMED_PREFIXES: OnHandle.decode,
    OpCode.SESSION_SETUP: SessionSetup.decode,
    OpCode.SESSION_TERMINATE: OnHandle.decode,
    OpCode.SESSION_EXCHANGE_KEY: Opaque.decode,
    OpCode.GET_NEXT_TRANSACTION_ID: Opaque.decode,
    OpCode.RETRIEVE_TRANSACTION_LOG: Opaque.decode,
    OpCode.DUMP_HANDLES: Opaque.decode,
    OpCode.BACKUP_SERVER: Opaque.decode,
    OpCode.LOGIN_ID_SYSTEM: Login.decode,
}


KNOWN_OPERATIONS = frozenset(_DECODERS)


def decode_request(opcode: int, body: bytes) -> Request:
    """Read the body of a request of a known operation.

    Raises:
        MalformedError: The body does not follow its layout.
        InvalidValueError: It has more values than a message may.
        KeyError: The operation is not in `KNOWN_OPERATIONS`.
    """
    return _DECODERS[opcode](body)


def _pack_indexes(indexes: tuple[int, ...]) -> bytes:
    return pack_u32(len(indexes)) + b"".join(map(pack_u32, indexes))


def _read_indexes(cursor: Cursor) -> tuple[int, ...]:
    count = _bounded(cursor.count(4, "index list"), "index list")
    return tuple(cursor.u32("index") for _ in range(count))


def _bounded(count: int, what: str) -> int:
    if count > MAX_QUESTION_ITEMS:
        message = f"{what}: {count} items, at most {MAX_QUESTION_ITEMS} taken"
        raise MalformedError(message)
    return count
