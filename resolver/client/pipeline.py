"""Many writes on one connection, without a task or a future for each.

For bulk registration: requests go out back to back, up to `WINDOW` without an answer,
and the server makes them durable in groups. Answers are matched by request id and may
come in any order. A connection that breaks leaves its unanswered requests in doubt:
they are given back, to be sent again and then found to exist.
"""

import asyncio
import secrets
import struct
import time
from collections.abc import Callable
from typing import Self, cast

from registry.errors import MalformedError
from registry.model.codes import ResponseCode
from resolver.errors import ResolverError, TimedOutError, UnreachableError
from resolver.session.draft import REQUEST_ID_BITS, Draft
from resolver.session.exchange import ServerAddress
from resolver.session.login import Spoken, log_in
from resolver.session.reading import text_of
from resolver.session.signature import SALT_OCTETS, Credential
from resolver.session.stream import Framer
from resolver.wire.message import Message, decode_message

WINDOW = 1024
"""Requests without an answer; the server groups 256 in one transaction."""

BATCH = 256
"""Requests written at once: what the server makes durable together."""

ANSWER_SECONDS = 30.0

_ID_AND_CODE = struct.Struct("!I12xI")

Answered = Callable[[int, int, str], None]
"""Called with the number given to `send`, the response code and the server's text."""


class Pipeline(asyncio.Protocol):
    """A connection that writes as fast as the server takes it."""

    def __init__(self, answered: Answered) -> None:
        self._answered = answered
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[int, int] = {}
        self._unsent: list[bytes] = []
        self._next_id = secrets.randbits(REQUEST_ID_BITS - 8)
        self._changed = asyncio.Event()
        self._replies: asyncio.Queue[Message] = asyncio.Queue()
        self._writable = True
        self._lost: ResolverError | None = None

    @classmethod
    async def connect(
        cls, server: ServerAddress, credential: Credential | None, answered: Answered
    ) -> Self:
        """Connect, and log in when there is a credential.

        Raises:
            UnreachableError: Nobody listens there.
            AccessError: The server does not accept the credential.
        """
        pipeline = cls(answered)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await pipeline._open(server, credential)
        except TimeoutError:
            pipeline.close()
            message = f"{server} did not answer in {ANSWER_SECONDS:.0f} s"
            raise TimedOutError(message) from None
        except BaseException:
            pipeline.close()
            raise
        return pipeline

    async def _open(self, server: ServerAddress, credential: Credential | None) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(
                lambda: self, server.host, server.tcp_port or 0
            )
        except OSError as error:
            message = f"{server}: {error.strerror or error}"
            raise UnreachableError(message) from error
        if credential is not None:
            await self._log_in(credential)

    @property
    def unanswered(self) -> tuple[int, ...]:
        """Numbers of the requests in doubt."""
        return tuple(self._waiting.values())

    async def send(self, draft: Draft, number: int) -> None:
        """Send a request once the window has room.

        Raises:
            UnreachableError: The connection is lost, or no answer comes.
        """
        while not self.offer(draft, number):
            await self._change()

    def offer(self, draft: Draft, number: int) -> bool:
        """Send a request if the window has room; False when it has none.

        Raises:
            UnreachableError: The connection is lost.
        """
        self._check()
        if len(self._waiting) >= WINDOW or not self._writable:
            return False
        self._next_id = request_id = self._next_id + 1
        self._waiting[request_id] = number
        octets = draft.encode(request_id, time.time())  # noqa: TID251
        self._unsent.append(octets)
        # Together, so that the server reads many at once and groups them.
        if len(self._unsent) >= BATCH:
            self.flush()
        return True

    def flush(self) -> None:
        """Send what was offered; `offer` waits for `BATCH` of them, `send` for room."""
        if self._unsent and self._transport is not None:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    async def finish(self) -> None:
        """Wait for all answers.

        Raises:
            UnreachableError: The connection is lost, or no answer comes.
        """
        while self._waiting:
            await self._change()

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    async def _change(self) -> None:
        self._check()
        self.flush()
        self._changed.clear()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._changed.wait()
        except TimeoutError:
            message = f"no answer to {len(self._waiting)} writes"
            raise TimedOutError(message) from None
        self._check()

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost

    async def _log_in(self, credential: Credential) -> None:
        salt = secrets.token_bytes(SALT_OCTETS)
        steps = log_in(credential, secrets.randbits(REQUEST_ID_BITS) | 1, salt)
        assert self._transport is not None
        try:
            draft = next(steps)
            while True:
                self._next_id += 1
                message = draft.message(self._next_id, time.time())  # noqa: TID251
                self._transport.write(message.encode())
                draft = steps.send(Spoken(message, await self._replies.get()))
        except StopIteration:
            return

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Match the answers that are complete now."""
        try:
            for octets in self._framer.receive(data):
                self._take(octets)
        except (MalformedError, struct.error) as error:
            self._lose(UnreachableError(f"an answer is malformed: {error}"))
        self._changed.set()

    def _take(self, octets: bytes) -> None:
        # Most answers say no more than their id and code, so no more is read.
        request_id, code = _ID_AND_CODE.unpack_from(octets, 8)
        number = self._waiting.pop(request_id, None)
        if number is None:
            self._replies.put_nowait(decode_message(octets))
        elif code == ResponseCode.SUCCESS:
            self._answered(number, code, "")
        else:
            self._answered(number, code, text_of(decode_message(octets)))

    def pause_writing(self) -> None:
        """Stop sending until the server has read."""
        self._writable = False

    def resume_writing(self) -> None:
        """Go on sending."""
        self._writable = True
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave what is unanswered in doubt."""
        reason = f": {exc}" if exc else ""
        self._lose(UnreachableError(f"the connection was closed{reason}"))

    def _lose(self, error: ResolverError) -> None:
        self._lost = self._lost or error
        self._changed.set()
