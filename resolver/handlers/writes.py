"""Writes: create, delete, add, modify and remove values, home and unhome (notes §3).

The order in which refusals are found is CNRI's: a prefix that is not homed (301) and
a record that exists already (101) come before the challenge (402), everything else
comes after it, where the change is made.
"""

import asyncio
import secrets
from collections.abc import Awaitable
from typing import TYPE_CHECKING, NoReturn, Protocol, cast

from registry.change import (
    Change,
    Receipt,
    check_absent,
    check_homed,
    check_prefix,
)
from registry.errors import (
    ChallengeNeededError,
    GroupElsewhereError,
    PermissionsError,
    RegistryError,
)
from registry.journal import Operation
from registry.model.identifier import CaseRule, canonical, home_of, prefix_handle
from registry.model.octets import blob
from registry.model.value import Value
from resolver.chain import SUCCESS, Answer, Later, Query, Reply
from resolver.deferred import Deferred
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.request import OnHandle, RemoveValues, WithValues

if TYPE_CHECKING:
    from registry.access import Access
    from registry.service import Registry

MAX_GROUPS_ELSEWHERE = 8
"""Administrator groups of other nodes that are fetched for one change."""

_SDK_FLAGS = 0x1900_0000
_SDK_VARIED = OpFlag.OVERWRITE_WHEN_EXISTS | OpFlag.MINT_NEW_SUFFIX

# Members of enumerations are looked up by Python's own code: 0.1 µs each.
_HOME = int(Operation.HOME)
_CREATE = int(OpCode.CREATE_HANDLE)
_OVERWRITE = int(OpFlag.OVERWRITE_WHEN_EXISTS)
_MINT = int(OpFlag.MINT_NEW_SUFFIX)
_NOT_ON_THE_WIRE = Change(Operation.CREATE, b"")[7:]
_SUCCESS = SUCCESS.code
_new = tuple.__new__
"""Makes what each write needs, at half the price of calling its class."""

_OPERATIONS: dict[int, Operation] = {
    OpCode.CREATE_HANDLE: Operation.CREATE,
    OpCode.DELETE_HANDLE: Operation.DELETE,
    OpCode.ADD_VALUE: Operation.ADD,
    OpCode.REMOVE_VALUE: Operation.REMOVE,
    OpCode.MODIFY_VALUE: Operation.MODIFY,
    OpCode.HOME_PREFIX: Operation.HOME,
    OpCode.UNHOME_PREFIX: Operation.UNHOME,
}


class Elsewhere(Protocol):
    """Reads records that live at other nodes."""

    async def values(self, name: bytes) -> tuple[Value, ...]:
        """Resolve the public values of a name through the tree.

        Raises:
            GroupError: They cannot be had.
        """


class Writes:
    """Turns write requests into changes of the registry."""

    operations = frozenset(_OPERATIONS)

    def __init__(
        self,
        registry: "Registry",
        access: "Access",
        rule: CaseRule,
        elsewhere: Elsewhere,
    ) -> None:
        self._registry = registry
        self._access = access
        self._rule = rule
        self._elsewhere = elsewhere
        self._fetching: set[asyncio.Task[Receipt]] = set()

    def __call__(self, query: Query) -> Answer:
        """Take write operations only."""
        operation = _OPERATIONS[query.opcode]
        if operation >= _HOME:
            return self._home(query, operation)
        change = self._change(query, operation)
        if not change.trusted and query.identity is None:
            self._check_before_challenge(change)
            _ask_identity(query)
        write = _Write(self, query, change)
        self._registry.enqueue_calling(change, write)
        return write

    def _change(self, query: Query, operation: Operation) -> Change:
        request, flags = query.request, query.flags
        minting = flags & _MINT and operation is Operation.CREATE
        name = self._minted(query) if minting else query.name(self._rule)
        values = request.values if isinstance(request, WithValues) else ()
        indexes = request.indexes if isinstance(request, RemoveValues) else ()
        overwrite, actor = bool(flags & _OVERWRITE), query.identity
        trusted = self._access.trusts(actor)
        asked = operation, name, values, indexes, overwrite, actor, trusted
        return _new(Change, asked + _NOT_ON_THE_WIRE)

    def _minted(self, query: Query) -> bytes:
        # CNRI appends to whatever stands after the slash; 64 random bits make a
        # collision unthinkable, and it would be refused as existing.
        request = query.request
        assert isinstance(request, WithValues)
        start = request.handle if b"/" in request.handle else request.handle + b"/"
        return canonical(start + secrets.token_hex(8).encode(), self._rule)

    def _check_before_challenge(self, change: Change) -> None:
        if change.operation is Operation.DELETE:
            return  # allowed even where the prefix is not homed any more
        with self._registry.store.snapshot() as snapshot:
            check_homed(snapshot.home(home_of(change.name)))
            if change.operation is Operation.CREATE and not change.overwrite:
                check_absent(change.name, snapshot.get(change.name), overwrite=False)

    def fetch_and_retry(self, query: Query, change: Change, later: Later) -> None:
        """Make a change that needs administrator groups of other nodes."""
        task = asyncio.ensure_future(self._submit(change))
        self._fetching.add(task)

        def finished(task: "asyncio.Task[Receipt]") -> None:
            self._fetching.discard(task)
            if task.cancelled():
                return
            error = task.exception()
            if error is None:
                later.set_result(_made(query, task.result()))
            else:
                later.set_result(cast("Exception", error))

        task.add_done_callback(finished)

    async def _submit(self, change: Change) -> Receipt:
        """Make a change, fetching the administrator groups of other nodes it needs."""
        known: dict[tuple[bytes, int], Value | None] = {}
        for _ in range(MAX_GROUPS_ELSEWHERE):
            try:
                return await self._registry.enqueue(change._replace(elsewhere=known))
            except GroupElsewhereError as needed:
                values = await self._elsewhere.values(needed.name)
                known[needed.name, needed.index] = next(
                    (value for value in values if value.index == needed.index), None
                )
        return await self._registry.enqueue(change._replace(elsewhere=known))

    def _home(self, query: Query, operation: Operation) -> Awaitable[Reply]:
        request = query.request
        assert isinstance(request, OnHandle)
        prefix = check_prefix(canonical(request.handle, self._rule))
        change = Change(
            operation,
            prefix,
            actor=query.identity,
            trusted=self._access.trusts(query.identity),
        )
        if not change.trusted and query.identity is None:
            _ask_identity(query)
        return self._make_home(change)

    async def _make_home(self, change: Change) -> Reply:
        if change.operation is Operation.HOME and change.trusted:
            # Nobody else may home: no walk through the tree for who is refused.
            admins = await self._admins_of(change.name)
            change = change._replace(values=admins)
        await self._submit(change)
        return SUCCESS

    async def _admins_of(self, prefix: bytes) -> tuple[Value, ...]:
        """Copy the HS_ADMIN values of the prefix's record, where it has one.

        A copy, so that registering goes on when the parent node is down. A prefix
        that nobody has allocated is administered by this node's operators alone.
        """
        name = prefix_handle(prefix)
        with self._registry.store.snapshot() as snapshot:
            record = snapshot.get(name)
            is_here = snapshot.home(home_of(name)) is not None
        values = record.values if record else ()
        if record is None and not is_here:
            values = await self._elsewhere.values(name)
        return tuple(v for v in values if v.type.upper() == "HS_ADMIN")


class _Write(Deferred[Reply | Exception]):
    """The answer to a write, told by the registry when the disk has it.

    One object for what waits, since thousands wait at once.
    """

    __slots__ = ("_change", "_query", "_writes")

    def __init__(self, writes: Writes, query: Query, change: Change) -> None:
        Deferred.__init__(self)  # `super()` costs as much again
        self._writes = writes
        self._query = query
        self._change = change

    def __call__(self, receipt: Receipt | None, error: Exception | None) -> None:
        """Take what came of the change."""
        if receipt is not None:
            self.set_result(_made(self._query, receipt))
        elif isinstance(error, GroupElsewhereError):
            self._writes.fetch_and_retry(self._query, self._change, self)
        else:
            self.set_result(error or RegistryError())


def _made(query: Query, receipt: Receipt) -> Reply:
    """Answer a write that was made; the body of a creation is `Named`."""
    if query.opcode != _CREATE:
        return SUCCESS
    request = query.request
    assert isinstance(request, WithValues)
    minted = query.flags & _MINT
    body = blob(receipt.name if minted else request.handle)
    return _new(Reply, (_SUCCESS, body, None, True, None, (), 0.0))


def _ask_identity(query: Query) -> NoReturn:
    if _is_official_sdk(query):
        message = "log in first: this write has no authenticated client"
        raise PermissionsError(message)
    message = "writing needs an authenticated client"
    raise ChallengeNeededError(message)


def _is_official_sdk(query: Query) -> bool:
    """Tell a write of the official SDK from one of a client that takes challenges.

    The SDK takes a challenge to a write without login for success (handle notes
    §2.6), so it must get an error it shows. Its writes come over TCP with these very
    flags; a client of CNRI's library that sends the same over TCP gets the same.
    """
    flags = query.flags & ~_SDK_VARIED
    return query.origin.transport == "tcp" and flags == _SDK_FLAGS
