"""The requests a client makes, before they have an id (handle notes §1.9).

Names are checked here, so that what cannot be an identifier costs no round trip;
the error is the one a server would answer.
"""

from collections.abc import Iterable, Mapping, Sequence

from registry.errors import InvalidIdentifierError
from registry.model.codes import ResponseCode
from registry.model.identifier import CaseRule, canonical, prefix_handle, suffix_of
from registry.model.octets import blob
from registry.model.value import Value, encode_values
from resolver.errors import answer_error
from resolver.session.draft import Draft
from resolver.session.walk import SITE_TYPE, Question
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.request import OnHandle, RemoveValues, Resolution, WithValues

Content = Mapping[str, str | bytes] | Sequence[Value]
"""Values to write: by type, or complete."""

_ASK_FLAGS = int(OpFlag.RECURSIVE)
_WRITE_FLAGS = int(OpFlag.KEEP_ALIVE)


def checked(identifier: str) -> bytes:
    """Give the canonical octets of an identifier, suffix as written.

    Raises:
        ServerError: 102, it is no identifier.
    """
    try:
        return canonical(identifier.encode(), CaseRule.EXACT)
    except (InvalidIdentifierError, UnicodeEncodeError) as error:
        code = ResponseCode.INVALID_HANDLE
        raise answer_error(code, str(error), identifier[:64]) from None


def checked_prefix(prefix: str) -> bytes:
    """Give a prefix in upper case, from `88.118.7` or `0.NA/88.118.7`."""
    name = checked(prefix)
    if not name.startswith(prefix_handle(b"")):
        code = ResponseCode.INVALID_HANDLE
        raise answer_error(code, "a prefix expected", prefix[:64])
    return suffix_of(name)


def question(
    identifier: str,
    types: Iterable[str] = (),
    indexes: Iterable[int] = (),
    *,
    public_only: bool = True,
    fresh: bool = False,
) -> Question:
    """Make the question for values: all, or those with these types or indexes."""
    checked(identifier)
    flags = question_flags(public_only=public_only, fresh=fresh)
    kinds = tuple(kind.encode() for kind in types)
    return Question(identifier.encode(), tuple(indexes), kinds, flags=flags)


def question_flags(*, public_only: bool = True, fresh: bool = False) -> int:
    """Give the flags of a question; `fresh` passes the cache by."""
    flags = _ASK_FLAGS | (OpFlag.PUBLIC_ONLY if public_only else 0)
    return int(flags | (OpFlag.AUTHORITATIVE if fresh else 0))


def resolution(asked: Question) -> Draft:
    """Ask for values, by the name exactly as the user wrote it."""
    body = Resolution(asked.handle, asked.indexes, asked.types, asked.token)
    return Draft(OpCode.RESOLUTION, body.encode(), asked.flags)


def sites_question(prefix: bytes) -> Question:
    """Ask where a prefix is served, by its bare name as the official SDK does."""
    flags = _ASK_FLAGS | OpFlag.PUBLIC_ONLY
    return Question(prefix, types=(SITE_TYPE,), flags=int(flags))


def site_info() -> Draft:
    """Ask a server for its own site."""
    return Draft(OpCode.GET_SITE_INFO, OnHandle(b"/").encode())


def creation(identifier: str, values: Iterable[Value], *, overwrite: bool) -> Draft:
    """Create a record."""
    return creation_of(identifier.encode(), encode_values(values), overwrite=overwrite)


def creation_of(name: bytes, values_octets: bytes, *, overwrite: bool) -> Draft:
    """Create a record whose values are in wire form already."""
    extra = OpFlag.OVERWRITE_WHEN_EXISTS if overwrite else 0
    return Draft(
        OpCode.CREATE_HANDLE, blob(name) + values_octets, int(_WRITE_FLAGS | extra)
    )


def addition(identifier: str, values: Iterable[Value]) -> Draft:
    """Add values."""
    body = WithValues(identifier.encode(), tuple(values)).encode()
    return Draft(OpCode.ADD_VALUE, body, _WRITE_FLAGS)


def modification(identifier: str, values: Iterable[Value]) -> Draft:
    """Replace the values that have these indexes."""
    body = WithValues(identifier.encode(), tuple(values)).encode()
    return Draft(OpCode.MODIFY_VALUE, body, _WRITE_FLAGS)


def removal(identifier: str, indexes: Iterable[int]) -> Draft:
    """Remove the values that have these indexes."""
    body = RemoveValues(identifier.encode(), tuple(indexes)).encode()
    return Draft(OpCode.REMOVE_VALUE, body, _WRITE_FLAGS)


def on_handle(opcode: OpCode, handle: bytes) -> Draft:
    """Do something to a handle that needs nothing but its name."""
    return Draft(opcode, OnHandle(handle).encode(), _WRITE_FLAGS)


def new_values(content: Content, taken: Iterable[int] = ()) -> tuple[Value, ...]:
    """Make values; those given by type get the lowest free indexes from 1 on."""
    if not isinstance(content, Mapping):
        return tuple(content)
    used = set(taken)
    free = (index for index in range(1, 1 << 31) if index not in used)
    return tuple(
        Value(index, kind, _octets(data))
        for (kind, data), index in zip(content.items(), free, strict=False)
    )


def changed_values(
    content: Mapping[str, str | bytes], existing: Sequence[Value], identifier: str
) -> tuple[Value, ...]:
    """Put new data into the first existing value of each type.

    Raises:
        ValuesNotFoundError: The record has no value of a type.
    """
    changed = []
    for kind, data in content.items():
        old = next((v for v in existing if v.type.upper() == kind.upper()), None)
        if old is None:
            code = ResponseCode.VALUES_NOT_FOUND
            raise answer_error(code, f"no value of type {kind} to update", identifier)
        changed.append(old._replace(data=_octets(data)))
    return tuple(changed)


def _octets(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data
