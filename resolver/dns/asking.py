"""What a lookup asks of the node, and is told; how it fails.

A lookup is a generator: it yields an `Ask` and is sent what was `Found`, as often as
it needs, and returns its answer. So it knows no loop and waits for nobody itself.
"""

from collections.abc import Generator
from typing import NamedTuple, TypeVar

from dns.edns import EDECode
from dns.rcode import Rcode

from registry.model.codes import ResponseCode
from registry.model.value import Value
from resolver.dns.message import Answer, Explanation

T = TypeVar("T")


class Ask(NamedTuple):
    """A resolution: public values of an identifier, all of them or of some types."""

    identifier: bytes
    types: tuple[bytes, ...] = ()


class Found(NamedTuple):
    """What the node answered."""

    code: int
    values: tuple[Value, ...] = ()
    text: str = ""
    expires: float = 0.0

    @property
    def exists(self) -> bool:
        """Whether the identifier is registered, with values to be seen or without."""
        return self.code not in _ABSENT


class Step(NamedTuple):
    """The answer for one name, and where an alias in it leads."""

    answer: Answer
    alias: bytes | None = None


Lookup = Generator[Ask, Found, T]


class LookupFailedError(Exception):
    """Nobody can tell: the text says why, `code` is of RFC 8914 §4."""

    def __init__(self, code: EDECode, text: str) -> None:
        super().__init__(text)
        self.code = code

    @property
    def answer(self) -> Answer:
        """What is answered then; never from a copy."""
        explanation = Explanation(self.code, str(self))
        return Answer(Rcode.SERVFAIL, explanation=explanation)


def ask(identifier: bytes, types: tuple[bytes, ...] = ()) -> Lookup[Found]:
    """Ask, and make sure that the answer says whether the identifier exists.

    Raises:
        LookupFailedError: It does not.
    """
    found = yield Ask(identifier, types)
    if found.code in _CLEAR:
        return found
    code = EDECode.OTHER
    if found.code in _UNREACHABLE:
        code = EDECode.NO_REACHABLE_AUTHORITY
    name = identifier.decode(errors="replace")
    raise LookupFailedError(code, f"{name}: {found.text or f'code {found.code}'}")


_ABSENT = frozenset({ResponseCode.HANDLE_NOT_FOUND, ResponseCode.INVALID_HANDLE})
_HIDDEN = frozenset(
    {
        ResponseCode.VALUES_NOT_FOUND,
        ResponseCode.INSUFFICIENT_PERMISSIONS,
        ResponseCode.AUTHENTICATION_NEEDED,
    }
)
_CLEAR = _ABSENT | _HIDDEN | {ResponseCode.SUCCESS}
_UNREACHABLE = frozenset({ResponseCode.ERROR, ResponseCode.SERVER_NOT_RESP})
