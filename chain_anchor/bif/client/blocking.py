"""The blocking client of the chain, twin of `chain_anchor.bif.client.aio`.

Plain sockets, so gevent can patch it. Threads may share a client: each takes a
connection for itself and gives it back.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from chain_anchor.bif.anchored_headers import Anchored
from chain_anchor.bif.chain_pb2 import Account, KeyPair, Operation
from chain_anchor.bif.client.calls import Calls, Pause, Steps
from chain_anchor.bif.client.errors import TimedOutError, UnreachableError
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


class ChainClient:
    """Asks one node, and sends transactions to it.

    Every call may raise `UnreachableError`, `TimedOutError` and `BadAnswerError`, and
    `AnsweredError` with the node's code; `MissingError` is its "not exist".
    """

    def __init__(self, url: str, settings: ChainSettings | None = None) -> None:
        """Take the node's URL; connecting waits for the first call.

        Raises:
            ValueError: It is not a URL of http or https.
        """
        self._node = NodeUrl.parse(url, "http", "https")
        self._settings = settings or ChainSettings()
        self._calls = Calls(self._settings)
        self._kept: deque[socket.socket] = deque()
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """End the connections that are kept."""
        with self._guard:
            kept = list(self._kept)
            self._kept.clear()
        for sock in kept:
            sock.close()

    def hello(self) -> NodeInfo:
        """Say what the node is."""
        return self._hold(self._calls.hello())

    def account(self, address: str) -> Account:
        """Give an account: balance, nonce, privilege, contract, hash of its metadata.

        Raises:
            MissingError: it does not exist.
        """
        return self._hold(self._calls.account(address))

    def balance(self, address: str) -> int:
        """Give the balance of an account."""
        return self._hold(self._calls.balance(address))

    def nonce(self, address: str) -> int:
        """Give the nonce of an account: that of its last transaction."""
        return self._hold(self._calls.nonce(address))

    def metadata(self, address: str, key: str | None = None) -> dict[str, KeyPair]:
        """Give the metadata of an account by key: all, or that of one key."""
        return self._hold(self._calls.metadata(address, key))

    def block(self, seq: int | None = None) -> BlockInfo:
        """Give a block, or the last one.

        Raises:
            MissingError: it does not exist.
        """
        return self._hold(self._calls.block(seq))

    def height(self) -> int:
        """Give the number of the last block."""
        return self._hold(self._calls.height())

    def block_proof(self, seq: int) -> BlockProof:
        """Give what proves a block offline; real nodes show no certificate.

        Raises:
            MissingError: it does not exist.
        """
        return self._hold(self._calls.block_proof(seq))

    def anchored(self, seq: int) -> Anchored | None:
        """Give the first header from a block on that was sent to the main chain.

        Only sub-chains of the emulator say so. Whether it arrived, the main chain
        knows: ask it for the transaction.
        """
        return self._hold(self._calls.anchored(seq))

    def block_transactions(self, seq: int) -> tuple[TransactionRecord, ...]:
        """Give all transactions of a block, those of contracts too."""
        return self._hold(self._calls.block_transactions(seq))

    def transaction(self, digest: str) -> TransactionRecord | None:
        """Give a transaction by its hash, or None if it is in no block."""
        return self._hold(self._calls.transaction(digest))

    def pool(
        self, digest: str | None = None, limit: int | None = None
    ) -> tuple[WaitingTransaction, ...]:
        """List the transactions that wait for a block, or the one with the hash."""
        return self._hold(self._calls.pool(digest, limit))

    def pool_size(self) -> int:
        """Count the transactions that wait for a block."""
        return self._hold(self._calls.pool_size())

    def query(self, contract: str, text: str = "", source: str = "") -> Json:
        """Call the `query` of a contract; give what it returned.

        Raises:
            AnsweredError: the contract failed (151), with its error as JSON.
        """
        return self._hold(self._calls.query(contract, text, source))

    def evaluate(
        self, key: PrivateKey, *operations: Operation, terms: Terms = PLAIN
    ) -> Fee:
        """Say what a transaction would cost; nothing of the key is sent."""
        return self._hold(self._calls.evaluate(key, operations, terms))

    def prepare(
        self, key: PrivateKey, *operations: Operation, terms: Terms = PLAIN
    ) -> SignedBlob:
        """Build and sign a transaction; asks the node for what the terms leave open."""
        return self._hold(self._calls.prepare(key, operations, terms))

    def submit(self, transactions: Iterable[SignedBlob]) -> tuple[Submission, ...]:
        """Submit transactions in one request; each is taken or refused alone."""
        return self._hold(self._calls.submit(tuple(transactions)))

    def wait(self, digest: str) -> TransactionRecord:
        """Wait until a transaction is in a block, and give it, failed or not.

        Raises:
            TimedOutError: it is in none after `confirm_seconds`.
        """
        return self._hold(self._calls.wait(digest))

    def send(
        self, key: PrivateKey, *operations: Operation, terms: Terms = PLAIN
    ) -> TransactionRecord:
        """Send a transaction and wait until it is done.

        Raises:
            AnsweredError: the node refuses it; it is not on the chain.
            FailedError: it is on the chain and failed; its fee is paid.
            TimedOutError: it is in no block in time; it still may be later.
        """
        return self._hold(self._calls.send(key, operations, terms))

    def subscribe(
        self, wanted: Wanted = EVERYTHING, url: str | None = None
    ) -> "ChainEvents":
        """Subscribe to what happens; use it in a `with` statement.

        Args:
            wanted: what to be told.
            url: of the WebSocket, ws or wss; without, the node is asked for its port.
        """
        if url is None:
            url = websocket_url(self._node, self.hello().websocket_port)
        return ChainEvents(NodeUrl.parse(url, "ws", "wss"), wanted, self._settings)

    def _hold(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = steps.send(None)
                else:
                    step = steps.send(self._ask(step))
        except StopIteration as end:
            result: T = end.value
            return result

    def _ask(self, request: Request) -> Json:
        deadline = time.monotonic() + self._settings.timeout_seconds
        with self._guard:
            sock = self._kept.pop() if self._kept else None
        if sock is not None:
            with contextlib.suppress(LostError):
                return self._exchange(sock, request, deadline)
        return self._exchange(_connected(self._node, deadline), request, deadline)

    def _exchange(self, sock: socket.socket, request: Request, deadline: float) -> Json:
        exchange = Exchange(self._node, request, self._settings.max_answer_octets)
        keep = False
        try:
            answer = _carried(exchange, sock, deadline)
            keep = answer.keep and self._keep(sock)
        except TimeoutError:
            raise timed_out(self._node) from None
        except ConnectionError as error:
            raise LostError(f"{self._node.text}: {error}") from None
        except OSError as error:
            raise UnreachableError(f"{self._node.text}: {error}") from None
        else:
            return answer.content
        finally:
            if not keep:
                sock.close()

    def _keep(self, sock: socket.socket) -> bool:
        with self._guard:
            if len(self._kept) >= self._settings.max_connections:
                return False
            self._kept.append(sock)
            return True


class ChainEvents:
    """What a node pushes, one event after the other; for one thread."""

    def __init__(self, node: NodeUrl, wanted: Wanted, settings: ChainSettings) -> None:
        self._node = node
        self._settings = settings
        self._subscription = Subscription(node, wanted, settings.max_answer_octets)
        self._waiting: deque[Event] = deque()
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        """Connect, and wait until the node has taken the subscription."""
        deadline = time.monotonic() + self._settings.timeout_seconds
        self._socket = _connected(self._node, deadline)
        try:
            while not self._subscription.ready:
                self._receive(deadline)
        except BaseException:
            self._socket.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the subscription."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._subscription.close()
                self._socket.sendall(self._subscription.outgoing())
            self._socket.close()

    def __iter__(self) -> Iterator[Event]:
        """Go through events for ever; a connection that ends raises."""
        while True:
            yield self.next()

    def next(self, seconds: float | None = None) -> Event:
        """Wait for the next event.

        Raises:
            TimedOutError: none came within so many seconds.
            UnreachableError: the connection ended.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while not self._waiting:
            silence = time.monotonic() + self._settings.ping_seconds
            try:
                self._receive(silence if deadline is None else min(silence, deadline))
            except TimedOutError:
                if deadline is not None and time.monotonic() >= deadline:
                    raise
                self._subscription.ping()
        return self._waiting.popleft()

    def _receive(self, deadline: float) -> None:
        assert self._socket is not None, "use it in a with statement"
        try:
            self._socket.settimeout(_left(deadline))
            self._socket.sendall(self._subscription.outgoing())
            self._waiting += self._subscription.receive(self._socket.recv(READ_OCTETS))
            self._socket.sendall(self._subscription.outgoing())
        except TimeoutError:
            raise timed_out(self._node) from None
        except OSError as error:
            raise UnreachableError(f"{self._node.text}: {error}") from None


def _carried(exchange: Exchange, sock: socket.socket, deadline: float) -> NodeAnswer:
    sock.settimeout(_left(deadline))
    sock.sendall(exchange.octets)
    while True:
        sock.settimeout(_left(deadline))
        answer = exchange.receive(sock.recv(READ_OCTETS))
        if answer is not None:
            return answer


def _connected(node: NodeUrl, deadline: float) -> socket.socket:
    try:
        sock = socket.create_connection((node.host, node.port), _left(deadline))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except TimeoutError:
        raise timed_out(node) from None
    except OSError as error:
        raise UnreachableError(f"{node.text}: {error}") from None
    if not node.secure:
        return sock
    try:
        context = ssl.create_default_context()
        return context.wrap_socket(sock, server_hostname=node.host)
    except OSError as error:
        sock.close()
        raise UnreachableError(f"{node.text}: {error}") from None


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
