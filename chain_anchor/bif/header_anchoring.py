"""Headers of a sub-chain, anchored in the main chain (bif notes §5.2, §6.1).

Every k-th header, and the last one after a while without another, becomes a metadata of
the backbone's account on the main chain (emulator convention; real gateways call the
system contract for it):

    key    AC/SEQ                 value  the header as JSON, its hash in hexadecimal

Which transaction has which header is written in the sub-chain's storage before the
transaction is sent. So after a kill it is known, or sent again.

Where the same submissions are to give the same blocks, who closed a k-th block waits
with `caught_up` until its header is sent; so it has its place among what comes later.
"""

import asyncio
import contextlib
import json
from typing import Final

from chain_anchor.bif.anchored_headers import ROW, Anchored, read_row, row_key
from chain_anchor.bif.chain_pb2 import (
    LedgerHeader,
    Operation,
    OperationSetMetadata,
    Transaction,
)
from chain_anchor.bif.errors import (
    ChainStoppedError,
    ErrorCode,
    RefusedError,
    StorageFullError,
)
from chain_anchor.bif.json_form import to_json
from chain_anchor.bif.keys import PrivateKey
from chain_anchor.bif.ledger import ClosedBlock
from chain_anchor.bif.node import ChainNode
from chain_anchor.bif.reporting import report
from chain_anchor.bif.rules import MAIN_DOMAIN
from chain_anchor.bif.transactions import SignedTransaction, sign

EVERY: Final = 8
"""Blocks between two anchored headers."""

STILL_SECONDS: Final = 0.5
"""After so long without a block, the last header is anchored too."""

_RETRY_SECONDS: Final = 1.0
_FEE_LIMIT: Final = 100_000_000


class HeaderAnchoring:
    """Follows a sub-chain and sends its headers to the main chain, one at a time."""

    def __init__(
        self,
        below: ChainNode,
        main: ChainNode,
        key: PrivateKey,
        *,
        every: int = EVERY,
        still_seconds: float | None = STILL_SECONDS,
    ) -> None:
        """Take both chains, started, and the key of the backbone's account on `main`.

        Args:
            below: the sub-chain.
            main: the main chain.
            key: of the account that sends, which is used for nothing else.
            every: blocks between two anchored headers.
            still_seconds: when to anchor the last header although it is not its turn;
                None for never.
        """
        self._below, self._main, self._key = below, main, key
        self._every, self._still_seconds = every, still_seconds
        self._came = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._last = 0
        self._told = ""
        """What was reported last, which is not repeated each second."""

        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Go on after the last header that is on the main chain."""
        found = self._newest()
        self._last = found.seq if found else 0
        self._note(self._below.ledger.last.seq)
        self._below.listen(self)
        self._task = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Stop; what is missing follows after the next start."""
        self._below.unlisten(self)
        self._caught_up.set()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def caught_up(self) -> None:
        """Return when the header of each k-th block is sent, or cannot be for now."""
        await self._caught_up.wait()

    def anchored(self, seq: int) -> Anchored | None:
        """Give the first anchored header that is not before a block, if there is one."""
        found = self._below.anchored(seq)
        while found and self._main.ledger.transaction(found.transaction) is None:
            found = self._below.anchored(found.seq + 1)
        return found

    def closed(self, block: ClosedBlock) -> None:
        """Take note of a block."""
        self._note(block.header.seq)
        self._came.set()

    def accepted(self, transaction: SignedTransaction) -> None:
        """Pass over a transaction."""

    def dropped(self, transaction: SignedTransaction, refusal: RefusedError) -> None:
        """Pass over a transaction."""

    def reverted(self, header: LedgerHeader) -> None:
        """Anchor again what follows."""
        self._last = min(self._last, header.seq)

    def _note(self, last: int) -> None:
        if last >= self._due:
            self._caught_up.clear()
        else:
            self._caught_up.set()

    @property
    def _due(self) -> int:
        """The next block whose header is anchored because of its number."""
        return (self._last // self._every + 1) * self._every

    def _newest(self) -> Anchored | None:
        """Give the newest header that is on the main chain, or waits there."""
        row = self._below.last_kept(ROW)
        while row is not None:
            found = read_row(row)
            digest = found.transaction
            if self._main.ledger.transaction(digest) or self._main.pool.get(digest):
                return found
            # Written, then killed before it was sent; or a main chain that went back.
            row = self._below.kept_before(ROW, row[0])
        return None

    async def _follow(self) -> None:
        while True:
            last = self._below.ledger.last.seq
            self._note(last)
            try:
                if last >= self._due:
                    await self._anchor(self._due)
                elif await self._is_still() and last > self._last:
                    await self._anchor(last)
            except ChainStoppedError:
                self._caught_up.set()
                return  # until a restart, as the chain itself
            except (RefusedError, StorageFullError) as error:
                if str(error) != self._told:
                    report("a header is not anchored", error)
                self._told = str(error)
                self._caught_up.set()
                await asyncio.sleep(_RETRY_SECONDS)

    async def _is_still(self) -> bool:
        """Wait for a block; tell whether none came for long enough."""
        self._came.clear()
        behind = self._below.ledger.last.seq > self._last
        try:
            async with asyncio.timeout(self._still_seconds if behind else None):
                await self._came.wait()
        except TimeoutError:
            return True
        return False

    async def _anchor(self, seq: int) -> None:
        header = self._below.ledger.header(seq)
        if header is None:
            return
        transaction = self._transaction(header)
        await self._below.keep({row_key(seq): transaction.hash})
        refusal = (await self._main.submit([transaction]))[0]
        if refusal is not None and refusal.code is not ErrorCode.ALREADY_EXIST:
            raise refusal
        self._last = seq
        self._told = ""

    def _transaction(self, header: LedgerHeader) -> SignedTransaction:
        address = self._key.address()
        account = self._main.ledger.state(MAIN_DOMAIN).account(address)
        nonce = account.nonce if account else 0
        value = json.dumps(to_json(header), separators=(",", ":"))
        data = OperationSetMetadata(
            key=f"{self._below.chain_code}/{header.seq}", value=value
        )
        content = Transaction(
            source_address=address,
            nonce=self._main.pool.free_nonce((MAIN_DOMAIN, address), nonce),
            fee_limit=_FEE_LIMIT,
            gas_price=self._main.ledger.chain.rules.gas_price,
            operations=[Operation(type=Operation.SET_METADATA, set_metadata=data)],
        )
        return sign(content.SerializeToString(), [self._key])
