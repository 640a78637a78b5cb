"""The asynchronous client of the chain, twin of `chain_anchor.bif.client.blocking`."""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from chain_anchor.bif.anchored_headers import Anchored
from chain_anchor.bif.chain_pb2 import Account, KeyPair, Operation
from chain_anchor.bif.client.calls import Calls, Pause, Steps
from chain_anchor.bif.client.errors import UnreachableError
from chain_anchor.bif.client.exchange import (
    READ_OCTETS,
    Exchange,
    LostError,
    NodeAnswer,
)
from chain_anchor.bif.client.node_url import NodeUrl, timed_out, websocket_url
from chain_anchor.bif.client.requests import Request
from chain_anchor.bif.client.results import (
    BlockInfo,
    BlockProof,
    Fee,
    NodeInfo,
    Submission,
    TransactionRecord,
    WaitingTransaction,
)
from chain_anchor.bif.client.settings import ChainSettings
from chain_anchor.bif.client.signing import PLAIN, SignedBlob, Terms
from chain_anchor.bif.client.subscription import Event, Subscription
from chain_anchor.bif.client.wanted import EVERYTHING, Wanted
from chain_anchor.bif.json_form import Json
from chain_anchor.bif.keys import PrivateKey

T = TypeVar("T")


class _Streams(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class AsyncChainClient:
    """Asks one node, and sends transactions to it; belongs to one event loop.

    Every call may raise `UnreachableError`, `TimedOutError` and `BadAnswerError`, and
    `AnsweredError` with the node's code; `MissingError` is its "not exist". A call can
    be cancelled; a transaction that was submitted may then be on the chain all the same.
    """

    def __init__(self, url: str, settings: ChainSettings | None = None) -> None:
        """Take the node's URL; connecting waits for the first call.

        Raises:
            ValueError: It is not a URL of http or https.
        """
        self._node = NodeUrl.parse(url, "http", "https")
        self._settings = settings or ChainSettings()
        self._calls = Calls(self._settings)
        self._kept: deque[_Streams] = deque()
        self._using = asyncio.Semaphore(self._settings.max_connections)

    async def __aenter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.close()

    async def close(self) -> None:
        """End the connections that are kept."""
        while self._kept:
            await _closed(self._kept.pop())

    async def hello(self) -> NodeInfo:
        """Say what the node is."""
        return await self._hold(self._calls.hello())

    async def account(self, address: str) -> Account:
        """Give an account: balance, nonce, privilege, contract, hash of its metadata.

        Raises:
            MissingError: it does not exist.
        """
        return await self._hold(self._calls.account(address))

    async def balance(self, address: str) -> int:
        """Give the balance of an account."""
        return await self._hold(self._calls.balance(address))

    async def nonce(self, address: str) -> int:
        """Give the nonce of an account: that of its last transaction."""
        return await self._hold(self._calls.nonce(address))

    async def metadata(
        self, address: str, key: str | None = None
    ) -> dict[str, KeyPair]:
        """Give the metadata of an account by key: all, or that of one key."""
        return await self._hold(self._calls.metadata(address, key))

    async def block(self, seq: int | None = None) -> BlockInfo:
        """Give a block, or the last one.

        Raises:
            MissingError: it does not exist.
        """
        return await self._hold(self._calls.block(seq))

    async def height(self) -> int:
        """Give the number of the last block."""
        return await self._hold(self._calls.height())

    async def block_proof(self, seq: int) -> BlockProof:
        """Give what proves a block offline; real nodes show no certificate.

        Raises:
            MissingError: it does not exist.
        """
        return await self._hold(self._calls.block_proof(seq))

    async def anchored(self, seq: int) -> Anchored | None:
        """Give the first header from a block on that was sent to the main chain.

        Only sub-chains of the emulator say so. Whether it arrived, the main chain
        knows: ask it for the transaction.
        """
        return await self._hold(self._calls.anchored(seq))

    async def block_transactions(self, seq: int) -> tuple[TransactionRecord, ...]:
        """Give all transactions of a block, those of contracts too."""
        return await self._hold(self._calls.block_transactions(seq))

    async def transaction(self, digest: str) -> TransactionRecord | None:
        """Give a transaction by its hash, or None if it is in no block."""
        return await self._hold(self._calls.transaction(digest))

    async def pool(
        self, digest: str | None = None, limit: int | None = None
    ) -> tuple[WaitingTransaction, ...]:
        """List the transactions that wait for a block, or the one with the hash."""
        return await self._hold(self._calls.pool(digest, limit))

    async def pool_size(self) -> int:
        """Count the transactions that wait for a block."""
        return await self._hold(self._calls.pool_size())

    async def query(self, contract: str, text: str = "", source: str = "") -> Json:
        """Call the `query` of a contract; give what it returned.

        Raises:
            AnsweredError: the contract failed (151), with its error as JSON.
        """
        return await self._hold(self._calls.query(contract, text, source))

    async def evaluate(
        self, key: PrivateKey, *operations: Operation, terms: Terms = PLAIN
    ) -> Fee:
        """Say what a transaction would cost; nothing of the key is sent."""
        return await self._hold(self._calls.evaluate(key, operations, terms))

    async def prepare(
        self, key: PrivateKey, *operations: Operation, terms: Terms = PLAIN
    ) -> SignedBlob:
        """Build and sign a transaction; asks the node for what the terms leave open."""
        return await self._hold(self._calls.prepare(key, operations, terms))

    async def submit(
        self, transactions: Iterable[SignedBlob]
    ) -> tuple[Submission, ...]:
        """Submit transactions in one request; each is taken or refused alone."""
        return await self._hold(self._calls.submit(tuple(transactions)))

    async def wait(self, digest: str) -> TransactionRecord:
        """Wait until a transaction is in a block, and give it, failed or not.

        Raises:
            TimedOutError: it is in none after `confirm_seconds`.
        """
        return await self._hold(self._calls.wait(digest))

    async def send(
        self, key: PrivateKey, *operations: Operation, terms: Terms = PLAIN
    ) -> TransactionRecord:
        """Send a transaction and wait until it is done.

        Raises:
            AnsweredError: the node refuses it; it is not on the chain.
            FailedError: it is on the chain and failed; its fee is paid.
            TimedOutError: it is in no block in time; it still may be later.
        """
        return await self._hold(self._calls.send(key, operations, terms))

    def subscribe(
        self, wanted: Wanted = EVERYTHING, url: str | None = None
    ) -> "AsyncChainEvents":
        """Subscribe to what happens; use it in an `async with` statement.

        Args:
            wanted: what to be told.
            url: of the WebSocket, ws or wss; without, the node is asked for its port.
        """
        return AsyncChainEvents(self, wanted, url)

    async def subscription(self, wanted: Wanted, url: str | None) -> Subscription:
        """Make the subscription that `subscribe` carries, asking where it goes."""
        if url is None:
            url = websocket_url(self._node, (await self.hello()).websocket_port)
        node = NodeUrl.parse(url, "ws", "wss")
        return Subscription(node, wanted, self._settings.max_answer_octets)

    @property
    def settings(self) -> ChainSettings:
        """How it behaves."""
        return self._settings

    async def _hold(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = steps.send(None)
                else:
                    step = steps.send(await self._ask(step))
        except StopIteration as end:
            result: T = end.value
            return result

    async def _ask(self, request: Request) -> Json:
        try:
            async with asyncio.timeout(self._settings.timeout_seconds), self._using:
                if self._kept:
                    with contextlib.suppress(LostError):
                        return await self._exchange(self._kept.pop(), request)
                return await self._exchange(await _connected(self._node), request)
        except TimeoutError:
            raise timed_out(self._node) from None

    async def _exchange(self, streams: _Streams, request: Request) -> Json:
        exchange = Exchange(self._node, request, self._settings.max_answer_octets)
        keep = False
        try:
            answer = await _carried(exchange, streams)
            keep = answer.keep
        except TimeoutError:
            raise
        except ConnectionError as error:
            raise LostError(f"{self._node.text}: {error}") from None
        except OSError as error:
            raise UnreachableError(f"{self._node.text}: {error}") from None
        else:
            return answer.content
        finally:
            # Also when cancelled: an answer still under way is nobody's.
            if keep:
                self._kept.append(streams)
            else:
                streams.writer.close()


class AsyncChainEvents:
    """What a node pushes, one event after the other; for one task."""

    def __init__(
        self, client: AsyncChainClient, wanted: Wanted, url: str | None
    ) -> None:
        self._client = client
        self._wanted = wanted
        self._url = url
        self._waiting: deque[Event] = deque()
        self._subscription: Subscription | None = None
        self._streams: _Streams | None = None

    async def __aenter__(self) -> Self:
        """Connect, and wait until the node has taken the subscription."""
        made = await self._client.subscription(self._wanted, self._url)
        self._subscription = made
        try:
            async with asyncio.timeout(self._client.settings.timeout_seconds):
                self._streams = await _connected(made.node)
                while not made.ready:
                    await self._receive()
        except BaseException as error:
            if self._streams is not None:
                self._streams.writer.close()
            if isinstance(error, TimeoutError):
                raise timed_out(made.node) from None
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the subscription."""
        if self._subscription is not None and self._streams is not None:
            self._subscription.close()
            with contextlib.suppress(OSError):
                self._streams.writer.write(self._subscription.outgoing())
            await _closed(self._streams)

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Go through events for ever; a connection that ends raises."""
        while True:
            yield await self.next()

    async def next(self, seconds: float | None = None) -> Event:
        """Wait for the next event.

        Raises:
            TimedOutError: none came within so many seconds.
            UnreachableError: the connection ended.
        """
        try:
            async with asyncio.timeout(seconds):
                while not self._waiting:
                    await self._receive_or_ping()
        except TimeoutError:
            assert self._subscription is not None
            raise timed_out(self._subscription.node) from None
        return self._waiting.popleft()

    async def _receive_or_ping(self) -> None:
        assert self._subscription is not None, "use it in an async with statement"
        silence = asyncio.timeout(self._client.settings.ping_seconds)
        try:
            async with silence:
                await self._receive()
        except TimeoutError:
            if not silence.expired():
                raise
            self._subscription.ping()

    async def _receive(self) -> None:
        assert self._subscription is not None
        assert self._streams is not None
        subscription, streams = self._subscription, self._streams
        try:
            streams.writer.write(subscription.outgoing())
            await streams.writer.drain()
            octets = await streams.reader.read(READ_OCTETS)
            self._waiting += subscription.receive(octets)
            streams.writer.write(subscription.outgoing())
        except TimeoutError:
            raise
        except OSError as error:
            raise UnreachableError(f"{subscription.node.text}: {error}") from None


async def _carried(exchange: Exchange, streams: _Streams) -> NodeAnswer:
    streams.writer.write(exchange.octets)
    await streams.writer.drain()
    while True:
        answer = exchange.receive(await streams.reader.read(READ_OCTETS))
        if answer is not None:
            return answer


async def _connected(node: NodeUrl) -> _Streams:
    context = ssl.create_default_context() if node.secure else None
    try:
        return _Streams(
            *await asyncio.open_connection(node.host, node.port, ssl=context)
        )
    except TimeoutError:
        raise
    except OSError as error:
        raise UnreachableError(f"{node.text}: {error}") from None


async def _closed(streams: _Streams) -> None:
    streams.writer.close()
    with contextlib.suppress(OSError):
        await streams.writer.wait_closed()
