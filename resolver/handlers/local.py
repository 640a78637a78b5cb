"""RESOLUTION of identifiers whose prefix lives here (handle notes §1.9, §3).

Without indexes and types all values are meant, otherwise those that match either.
A type matches without regard to case, exactly; `URL.` also means `URL.ALT`.
Restricted values need an administrator with READ_VALUE: whoever asks for public
values only, or has no rights, gets the public ones among those that match.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from registry.model.codes import ResponseCode
from registry.model.identifier import CaseRule, home_of
from registry.model.octets import blob, pack_u32
from registry.model.record import Record
from registry.model.value import Permission, Span, spans
from resolver.chain import UNTIL_CHANGED, Answer, Query, Reply, failure
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.request import Resolution

if TYPE_CHECKING:
    from registry.access import Access
    from registry.store.interface import Store
    from resolver.telemetry import Telemetry

_PUBLIC = int(Permission.PUBLIC_READ)
_ADMIN = int(Permission.ADMIN_READ)
_NOT_FOUND = failure(ResponseCode.HANDLE_NOT_FOUND)._replace(expires=UNTIL_CHANGED)
_NO_VALUES = failure(ResponseCode.VALUES_NOT_FOUND)._replace(expires=UNTIL_CHANGED)
_UNREADABLE = failure(
    ResponseCode.INSUFFICIENT_PERMISSIONS, "no value asked for may be read"
)


class Local:
    """Answers from the registry of this node."""

    operations = frozenset({OpCode.RESOLUTION})

    def __init__(
        self, store: "Store", access: "Access", rule: CaseRule, telemetry: "Telemetry"
    ) -> None:
        self._store = store
        self._access = access
        self._rule = rule
        self._telemetry = telemetry

    def __call__(self, query: Query) -> Answer:
        """Answer resolutions of homed prefixes only."""
        name = query.name(self._rule)
        with self._store.snapshot() as snapshot:
            home = snapshot.home(home_of(name))
            record = snapshot.get(name) if home is not None else None
        if home is None:
            return None
        if not home.active:
            text = f"prefix {home.prefix.decode()} is stopped"
            return failure(ResponseCode.SERVER_NOT_RESP, text)
        if record is None:
            return _NOT_FOUND
        return self._answer(query, record)

    def _answer(self, query: Query, record: Record) -> Reply:
        request = query.request
        assert isinstance(request, Resolution)
        octets = record.values_octets
        if record.public and not request.indexes and not request.types:
            self._telemetry.resolutions += 1
            return _found(query, blob(request.handle) + octets)
        matching = [span for span in spans(octets) if matches(span, request)]
        if not matching:
            return _NO_VALUES
        readable = self._readable(query, record, matching)
        if not readable:
            public_only = query.flag(OpFlag.PUBLIC_ONLY) and query.identity is None
            return _NO_VALUES if public_only else _UNREADABLE
        self._telemetry.resolutions += 1
        return _found(query, answer_body(request, octets, readable))

    def _readable(
        self, query: Query, record: Record, matching: list[Span]
    ) -> list[Span]:
        public = [span for span in matching if span.permissions & _PUBLIC]
        if len(public) == len(matching):
            return public
        public_only = query.flag(OpFlag.PUBLIC_ONLY)
        if public_only and query.identity is None:
            return public
        # A client that logged in gets what it may read even though the official
        # SDK goes on asking for public values only (handle notes §2.4).
        if not self._access.may_read(query.identity, record):
            return public
        return [span for span in matching if span.permissions & (_PUBLIC | _ADMIN)]


def _found(query: Query, body: bytes) -> Reply:
    expires = UNTIL_CHANGED if query.identity is None else 0.0
    return Reply(ResponseCode.SUCCESS, body, expires=expires)


def matches(span: Span, request: Resolution) -> bool:
    """Tell whether a value is among those that a request asks for."""
    if not request.indexes and not request.types:
        return True
    if span.index in request.indexes:
        return True
    kind = span.type.upper()
    return any(_type_matches(kind, wanted.upper()) for wanted in request.types)


def answer_body(request: Resolution, octets: bytes, chosen: Iterable[Span]) -> bytes:
    """Build the body of an answer by copying the chosen values."""
    parts = [octets[span.start : span.stop] for span in chosen]
    return b"".join((blob(request.handle), pack_u32(len(parts)), *parts))


def _type_matches(kind: bytes, wanted: bytes) -> bool:
    if kind == wanted:
        return True
    return wanted[-1:] == b"." and (kind == wanted[:-1] or kind.startswith(wanted))
