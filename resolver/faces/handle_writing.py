"""Writing by the Handle JSON API: PUT and DELETE of one record (handle notes §5.1).

PUT without `index` creates or replaces the record, with `index` it adds or replaces
the values with these indexes (`index=various`: those in the body). `overwrite` is true
unless the query says otherwise.

Emulator convention: a write with `If-Match` is done only if the record's tag, which is
its serial in the registry, still matches; one with `If-None-Match: *` only if there is
no record; else HTTP 412 (RFC 9110 §13.1). One with `receipt=true` is answered with its
proof (`resolver.faces.log_receipts`).
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from registry.change import Change, Receipt
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
from resolver.faces.log_receipts import (
    JsonObject,
    Prover,
    record_receipt,
    submit_proving,
)
from resolver.handlers.writes import MAX_GROUPS_ELSEWHERE
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.request import OnHandle, RemoveValues, WithValues
from resolver.wire.response import Named

if TYPE_CHECKING:
    from registry.access import Access
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
        if _is_conditional(call) or call.parameters.flag("receipt"):
            return await self._write_here(call, write)
        asked = write.asked(call.subject)
        outcome = await self._asking.ask(write.opcode, asked, write.flags, call)
        if outcome.code != ResponseCode.SUCCESS:
            return tell_failure(call, outcome)
        told = outcome.told
        name = told.handle.decode() if isinstance(told, Named) else call.handle
        return tell(call, {"handle": name}, write.status)

    async def _write_here(self, call: Call, write: _Write) -> Response:
        """Write what the binary protocol has no words for: conditions and receipts."""
        node = self._node
        if node.registry is None or node.access is None:
            message = "a condition or a receipt needs the node that keeps the record"
            raise not_supported(message)
        prove = self._prover(call)
        change = self._change(call, write, node.registry, node.access)
        self._asking.count(write.opcode)
        made, receipt = await self._submit(node.registry, change, prove)
        node.telemetry.answers[ResponseCode.SUCCESS] += 1
        document: dict[str, Any] = {
            "handle": made.name.decode() if write.mint else call.handle
        }
        if receipt is not None:
            document["receipt"] = receipt
        kept = write.opcode is not OpCode.DELETE_HANDLE
        headers = (tag_header(made.serial),) if kept else ()
        return tell(call, document, write.status, headers)

    def _change(
        self, call: Call, write: _Write, registry: "Registry", access: "Access"
    ) -> Change:
        rule = self._node.settings.case_rule
        expected = None
        if _is_conditional(call):
            if write.mint:
                message = "a condition on a name that is yet to be made"
                raise not_supported(message)
            current = serial_of(registry, call.subject, rule)
            expected = _expected(call.request, current)
        return Change(
            _OPERATIONS[write.opcode],
            canonical(_minted(call.subject) if write.mint else call.subject, rule),
            values=write.values,
            indexes=write.indexes,
            overwrite=write.overwrite,
            actor=call.identity,
            trusted=access.trusts(call.identity),
            expected_serial=expected,
        )

    def _prover(self, call: Call) -> Prover | None:
        """Give what makes the receipt of a change; None where nobody wants one."""
        if not call.parameters.flag("receipt"):
            return None
        sealing, telemetry = self._node.sealing, self._node.telemetry
        if sealing is None:
            raise not_supported("this node keeps no log and gives no receipts")

        def prove(made: Receipt) -> JsonObject:
            receipt = record_receipt(sealing, made)
            telemetry.log_requests["receipt"] += 1
            return receipt

        return prove

    async def _submit(
        self, registry: "Registry", change: Change, prove: Prover | None
    ) -> tuple[Receipt, JsonObject | None]:
        """Make a change, fetching the administrator groups that live elsewhere."""
        known: dict[tuple[bytes, int], Value | None] = {}
        while True:
            try:
                asked = change._replace(elsewhere=known)
                return await submit_proving(registry, asked, prove)
            except GroupElsewhereError as needed:
                if len(known) >= MAX_GROUPS_ELSEWHERE:
                    raise
                values = await self._elsewhere.values(needed.name)
                known[needed.name, needed.index] = next(
                    (value for value in values if value.index == needed.index), None
                )
            except SerialError as error:
                raise _precondition(str(error)) from None


def _is_conditional(call: Call) -> bool:
    headers = call.request.headers
    return b"if-match" in headers or b"if-none-match" in headers


def _minted(handle: bytes) -> bytes:
    """Append what nobody can have registered, as `resolver.handlers.writes` does."""
    start = handle if b"/" in handle else handle + b"/"
    return start + secrets.token_hex(8).encode()


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
