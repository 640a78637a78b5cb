"""Writing by the Handle JSON API: PUT and DELETE of one record (handle notes §5.1).

PUT without `index` creates or replaces the record, with `index` it adds or replaces
the values with these indexes (`index=various`: those in the body). `overwrite` is true
unless the query says otherwise.

Emulator convention: a write with `If-Match` is done only if the record's tag, which is
its serial in the registry, still matches; one with `If-None-Match: *` only if there is
no record; else HTTP 412 (RFC 9110 §13.1).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from registry.change import Change
from registry.errors import GroupElsewhereError, SerialError
from registry.journal import Operation
from registry.model.codes import ResponseCode
from registry.model.identifier import CaseRule, canonical
from registry.model.value import Value
from resolver.faces.exchange import HttpError, Request, Response
from resolver.faces.handle_asking import (
    Asking,
    Call,
    not_supported,
    tell,
    tell_failure,
)
from resolver.faces.handle_json import read_values
from resolver.faces.json_path import LARGEST_U32, read_json
from resolver.handlers.writes import MAX_GROUPS_ELSEWHERE
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.request import OnHandle, RemoveValues, WithValues
from resolver.wire.response import Named

if TYPE_CHECKING:
    from registry.service import Registry
    from resolver.elsewhere import Elsewhere
    from resolver.node import Node

_TAG = re.compile(r'\s*"([0-9]{1,20})"\s*')
_OPERATIONS = {
    OpCode.CREATE_HANDLE: Operation.CREATE,
    OpCode.ADD_VALUE: Operation.ADD,
    OpCode.DELETE_HANDLE: Operation.DELETE,
    OpCode.REMOVE_VALUE: Operation.REMOVE,
}


@dataclass(frozen=True, slots=True)
class _Write:
    """What a call wants done to its record."""

    opcode: OpCode
    values: tuple[Value, ...] = ()
    indexes: tuple[int, ...] = ()
    overwrite: bool = False
    mint: bool = False

    @property
    def flags(self) -> OpFlag:
        """As the binary protocol says it."""
        flags = OpFlag.OVERWRITE_WHEN_EXISTS if self.overwrite else OpFlag(0)
        return flags | (OpFlag.MINT_NEW_SUFFIX if self.mint else OpFlag(0))

    @property
    def status(self) -> HTTPStatus:
        """201 where something was made that cannot have been there before."""
        made = self.values and (self.mint or not self.overwrite)
        return HTTPStatus.CREATED if made else HTTPStatus.OK

    def asked(self, handle: bytes) -> WithValues | RemoveValues | OnHandle:
        """As the binary protocol says it."""
        if self.values:
            return WithValues(handle, self.values)
        if self.indexes:
            return RemoveValues(handle, self.indexes)
        return OnHandle(handle)


class Writing:
    """Writes records of one node."""

    def __init__(self, node: "Node", asking: Asking, elsewhere: "Elsewhere") -> None:
        self._node = node
        self._asking = asking
        self._elsewhere = elsewhere

    async def put(self, call: Call) -> Response:
        """Create, replace or add to a record."""
        parameters = call.parameters
        some = bool(parameters.all("index"))
        write = _Write(
            OpCode.ADD_VALUE if some else OpCode.CREATE_HANDLE,
            _check_not_empty(_values_to_put(call)),
            overwrite=parameters.flag("overwrite", default=True),
            mint=parameters.flag("mintNewSuffix") and not some,
        )
        return await self._write(call, write)

    async def delete(self, call: Call) -> Response:
        """Delete a record, or values of it."""
        indexes = call.parameters.numbers("index", LARGEST_U32)
        opcode = OpCode.REMOVE_VALUE if indexes else OpCode.DELETE_HANDLE
        return await self._write(call, _Write(opcode, indexes=indexes))

    async def _write(self, call: Call, write: _Write) -> Response:
        headers = call.request.headers
        if b"if-match" in headers or b"if-none-match" in headers:
            return await self._write_if(call, write)
        asked = write.asked(call.subject)
        outcome = await self._asking.ask(write.opcode, asked, write.flags, call)
        if outcome.code != ResponseCode.SUCCESS:
            return tell_failure(call, outcome)
        told = outcome.told
        name = told.handle.decode() if isinstance(told, Named) else call.handle
        return tell(call, {"handle": name}, write.status)

    async def _write_if(self, call: Call, write: _Write) -> Response:
        """Write on a condition, for which the binary protocol has no word."""
        node = self._node
        if node.registry is None or node.access is None or write.mint:
            message = "a conditional write needs the node that keeps the record"
            raise not_supported(message)
        rule = node.settings.case_rule
        change = Change(
            _OPERATIONS[write.opcode],
            canonical(call.subject, rule),
            values=write.values,
            indexes=write.indexes,
            overwrite=write.overwrite,
            actor=call.identity,
            trusted=node.access.trusts(call.identity),
            expected_serial=_expected(
                call.request, serial_of(node.registry, call.subject, rule)
            ),
        )
        self._asking.count(write.opcode)
        serial = await self._submit(node.registry, change)
        node.telemetry.answers[ResponseCode.SUCCESS] += 1
        kept = write.opcode is not OpCode.DELETE_HANDLE
        headers = (tag_header(serial),) if kept else ()
        return tell(call, {"handle": call.handle}, write.status, headers)

    async def _submit(self, registry: "Registry", change: Change) -> int:
        """Make a change, fetching the administrator groups that live elsewhere."""
        known: dict[tuple[bytes, int], Value | None] = {}
        while True:
            try:
                receipt = await registry.submit(replace(change, elsewhere=known))
            except GroupElsewhereError as needed:
                if len(known) >= MAX_GROUPS_ELSEWHERE:
                    raise
                values = await self._elsewhere.values(needed.name)
                known[needed.name, needed.index] = next(
                    (value for value in values if value.index == needed.index), None
                )
            except SerialError as error:
                raise _precondition(str(error)) from None
            else:
                return receipt.serial


def serial_of(registry: "Registry | None", handle: bytes, rule: CaseRule) -> int:
    """Give the serial of the record here, which is its tag; 0 when there is none.

    Raises:
        InvalidIdentifierError: The handle is no identifier.
    """
    record = registry.get(canonical(handle, rule)) if registry else None
    return record.serial if record else 0


def tag_header(serial: int) -> tuple[bytes, bytes]:
    """Write a record's tag."""
    return b"etag", b'"%d"' % serial


def _values_to_put(call: Call) -> tuple[Value, ...]:
    """Read the values of a PUT, and check that they are those the query names."""
    place = read_json(call.request.body)
    if call.parameters.all("index") in ([], ["various"]):
        return read_values(place)
    indexes = call.parameters.numbers("index", LARGEST_U32)
    values = read_values(place, indexes[0] if len(indexes) == 1 else None)
    for value in values:
        if value.index not in indexes:
            message = f"value {value.index} is not among the index parameters"
            raise _bad_value(message)
    return values


def _check_not_empty(values: Sequence[Value]) -> tuple[Value, ...]:
    if not values:
        raise _bad_value("Value list was empty")
    return tuple(values)


def _bad_value(message: str) -> HttpError:
    code = ResponseCode.INVALID_VALUE
    return HttpError(HTTPStatus.BAD_REQUEST, message, code=code)


def _expected(request: Request, current: int) -> int:
    """Give the serial a conditional write goes by; 0 means no record.

    Raises:
        HttpError: The condition does not hold as it is.
    """
    if b"if-none-match" in request.headers:
        if request.header(b"if-none-match").strip() != "*" or current:
            raise _precondition("If-None-Match: * expected, and no record")
        return 0
    tags = request.header(b"if-match")
    if tags.strip() == "*" and current:
        return current
    matches = (_TAG.fullmatch(tag) for tag in tags.split(","))
    if current and current in (int(match[1]) for match in matches if match):
        return current
    state = f'the tag is "{current}" now' if current else "there is no record"
    raise _precondition(f"If-Match: {state}")


def _precondition(message: str) -> HttpError:
    code = ResponseCode.HANDLE_ALREADY_EXISTS
    return HttpError(HTTPStatus.PRECONDITION_FAILED, message, code=code)
