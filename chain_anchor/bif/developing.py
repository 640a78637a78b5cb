"""What nobody does to a real chain: developers' methods (emulator convention).

Blocks at will, states to go back to, a clock that is put forward, accounts out of
nothing, and faults. What changes the chain is a block or a record of the node's, so a
restart finds it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from chain_anchor.bif.account import Code
from chain_anchor.bif.account_edits import AccountEdit, PlacedEdit
from chain_anchor.bif.addresses import is_address
from chain_anchor.bif.chain_pb2 import Contract, LedgerHeader
from chain_anchor.bif.errors import ChainStoppedError, ErrorCode, RefusedError
from chain_anchor.bif.faults import Faults
from chain_anchor.bif.kept_chain import KeptChain
from chain_anchor.bif.kept_pool import KeptPool
from chain_anchor.bif.listeners import Listeners
from chain_anchor.bif.mining import Miner
from chain_anchor.bif.node_settings import ChainSettings
from chain_anchor.bif.pool import Pool
from chain_anchor.bif.producing import Producer
from chain_anchor.bif.reporting import report
from chain_anchor.bif.waiting_room import WaitingRoom

MAX_MINED: Final = 1000


class Developed:
    """A chain that a developer does something to; a `ChainNode` is one."""

    def __init__(self, settings: ChainSettings) -> None:
        """Put the parts of a chain together, none of them started."""
        self.follow: Callable[[], Awaitable[None]] = _nobody_follows
        """Waits for what must have happened before whoever closed blocks is told."""

        self._listeners = Listeners(report)
        self._faults = Faults()
        pool = Pool()
        self._kept = KeptChain(settings, self._tell_stopped)
        self._keeping = KeptPool(self._kept, pool)
        self._room = WaitingRoom(pool, self._listeners.tell_dropped, self._keeping.left)
        self._producer = Producer(
            self._kept, self._room, self._keeping, self._listeners, self._faults
        )
        self._miner = Miner(self._producer.close_due, self._producer.drop_expired)

    def _tell_stopped(self, error: ChainStoppedError) -> None:
        self._room.fail(error)

    @property
    def mining(self) -> tuple[str, int]:
        """How blocks are closed: mode, and milliseconds of the interval."""
        return self._miner.mode.value, self._miner.interval_ms

    @property
    def snapshots(self) -> Sequence[int]:
        """Numbers of the snapshots."""
        return [snapshot.number for snapshot in self._kept.record.snapshots]

    @property
    def faults(self) -> Mapping[str, int]:
        """What will go wrong, and how many times more."""
        return self._faults.left

    async def mine(self, n: int = 1) -> LedgerHeader:
        """Close blocks with what is ready, empty ones too; give the last header.

        Raises:
            RefusedError: there are too many (2).
        """
        if not 1 <= n <= MAX_MINED:
            raise RefusedError(
                ErrorCode.INVALID_PARAMETER, f"n({n}) must be between 1 and {MAX_MINED}"
            )
        for _ in range(n):
            await self._producer.close_next(empty=True)
            await self.follow()
        return self._kept.ledger.last

    async def snapshot(self) -> int:
        """Remember the state; give its number.

        Raises:
            RefusedError: there are too many (2).
        """
        kept = self._kept

        async def take() -> int:
            kept.record.clock = kept.clock.keep()
            number = kept.record.take_snapshot(kept.ledger.last.seq)
            await kept.write_record()
            return number

        return await kept.exclusively(take)

    async def revert(self, number: int, /) -> LedgerHeader:
        """Go back to a snapshot, which is forgotten with all later ones.

        Raises:
            RefusedError: there is none (4).
        """

        async def back() -> LedgerHeader:
            header = await self._kept.go_back(number)
            self._room.recount(self._kept.nonce_of)
            self._listeners.tell(lambda listener: listener.reverted(header))
            return header

        return await self._kept.exclusively(back)

    async def set_time(self, microseconds: int, /) -> None:
        """Set the chain's clock, which only goes forward.

        Raises:
            RefusedError: the last block is not before it (2).
        """

        async def put() -> None:
            self._kept.clock.set(microseconds)
            await self._kept.write_record()

        await self._kept.exclusively(put)

    async def advance(self, microseconds: int, /) -> None:
        """Put the chain's clock forward.

        Raises:
            RefusedError: it would go back (2).
        """
        if microseconds < 0:
            raise RefusedError(
                ErrorCode.INVALID_PARAMETER,
                f"time({microseconds}) must not be negative",
            )
        await self.set_time(self._kept.clock.now() + microseconds)

    async def set_mining(
        self, mode: str, interval_ms: int = 1000, *, empty: bool = False
    ) -> None:
        """Close blocks with each submission, at intervals, or only when told to.

        Raises:
            RefusedError: there is no such mode, or the interval is out of range (2).
        """
        self._miner.set(mode, interval_ms, empty=empty)
        self._room.release()

    async def set_account(
        self, address: str, edit: AccountEdit, domain: int = 0
    ) -> LedgerHeader:
        """Set an account in a block, and make it if it is missing.

        Raises:
            RefusedError: there is no such domain (170), it is no address (94), or
                something in the edit is wrong (2, 144, 152).
        """
        if not is_address(address):
            raise RefusedError(ErrorCode.INVALID_ADDRESS, "'address' is not valid")
        self._kept.ledger.state(domain)
        edit.check()
        if edit.code:
            code = Code(Contract.JAVASCRIPT, edit.code)
            # In a thread: the first contract of a process loads the engine.
            await asyncio.to_thread(self._kept.settings.reading.contracts.check, code)

        async def put() -> LedgerHeader:
            placed = PlacedEdit(domain, address, edit)
            block = await self._producer.close((), [placed])
            return block.header

        header = await self._kept.exclusively(put)
        await self.follow()
        return header

    def set_fault(self, name: str, count: int = 1, **options: int) -> None:
        """Let something go wrong the next times.

        Raises:
            RefusedError: there is no such fault, or option (2).
        """
        unknown = set(options) - {"delay_ms"}
        if unknown:
            raise RefusedError(
                ErrorCode.INVALID_PARAMETER, f"fault: no option {min(unknown)}"
            )
        self._faults.set(name, count, options.get("delay_ms"))


async def _nobody_follows() -> None:
    """Wait for nothing."""
