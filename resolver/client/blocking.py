"""The blocking client, twin of `resolver.client.aio`.

Threads may share one; nothing here or below imports asyncio, so that greenlets can
too, where sockets are patched.
"""

import contextlib
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from registry.model.codes import ResponseCode
from registry.model.typed import Site
from resolver.client import request
from resolver.client.answer import Answer, Result, answer_from
from resolver.client.conversation import (
    Conversation,
    Conversations,
    Heard,
    Route,
    Say,
    remember_no_login,
)
from resolver.client.settings import (
    ClientSettings,
    check_concurrency,
    required_logs,
)
from resolver.client.sockets import BlockingConnection, SocketTransport
from resolver.client.window import Window
from resolver.errors import ResolverError
from resolver.session.draft import REQUEST_ID_BITS, Draft
from resolver.session.exchange import ServerAddress
from resolver.session.login import Spoken, log_in
from resolver.session.signature import SALT_OCTETS, Credential
from resolver.wire.codes import OpCode
from resolver.wire.message import Message

if TYPE_CHECKING:
    from chain_anchor.verified import Verified

T = TypeVar("T")

_REFERRALS = (ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL)


class Client:
    """Asks one server, usually a recursive node, and writes at the nodes it names.

    `server` is `HOST:PORT`, an IPv6 address in brackets. A transport that is handed
    in may be shared, and whoever made it closes it.
    """

    def __init__(
        self,
        server: str,
        settings: ClientSettings | None = None,
        *,
        credential: Credential | None = None,
        transport: SocketTransport | None = None,
    ) -> None:
        self._settings = settings or ClientSettings()
        self._owns_transport = transport is None
        self._transport = transport or SocketTransport(self._settings)
        self._conversations = Conversations(
            ServerAddress.parse(server),
            credential,
            self._settings.clock,
            time.monotonic,
        )
        self._without_login: set[ServerAddress] = set()

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
        """Close all sockets, except those of a transport that was handed in."""
        if self._owns_transport:
            self._transport.close()

    def resolve(
        self,
        identifier: str,
        *,
        types: Sequence[str] = (),
        indexes: Sequence[int] = (),
        public_only: bool = True,
        fresh: bool = False,
    ) -> Answer:
        """Give the values of an identifier: all, or of these types or indexes.

        `fresh` asks the node itself, past the recursive node's cache.
        Without `public_only`, restricted values are asked for too, of the node itself
        when the client has a credential.

        Raises:
            AnswerError: The server's error; its class and `.code` say which.
            UnreachableError: Nobody answered in time.
            BadAnswerError: The answer breaks the protocol.
        """
        asked = request.question(
            identifier, types, indexes, public_only=public_only, fresh=fresh
        )
        return self._hold(self._conversations.resolve(asked))

    def resolve_many(
        self,
        identifiers: Iterable[str],
        *,
        concurrency: int = 64,
        ordered: bool = True,
    ) -> Iterator[Result]:
        """Resolve a stream of identifiers; errors are results and do not end it.

        At most `concurrency` are asked for, or waiting to be taken, at once, all on
        one UDP socket.
        """
        concurrency = check_concurrency(concurrency, self._settings)
        server = self._conversations.server
        if not self._settings.use_udp or server.udp_port is None:
            return map(self._result, identifiers)
        window = Window(self._transport, server, concurrency, ordered=ordered)
        return self._through(window, identifiers)

    def trace(
        self,
        identifier: str,
        *,
        types: Sequence[str] = (),
        indexes: Sequence[int] = (),
    ) -> Answer:
        """Resolve, then ask every node on the way; see the answer's `hops`.

        An error that a node answers is in the answer's `code` and does not raise.
        """
        asked = request.question(identifier, types, indexes)
        return self._hold(self._conversations.trace(asked))

    def register(
        self, identifier: str, values: request.Content, *, overwrite: bool = False
    ) -> None:
        """Create a record; a mapping of types to data gets indexes from 1 on.

        Raises:
            AlreadyExistsError: It exists, and `overwrite` is not set.
            AccessError: The credential is missing, wrong or not enough.
            NotResponsibleError: The prefix is not homed where it should be.
        """
        create = self._conversations.create
        self._hold(create(identifier, values, overwrite=overwrite))

    def update(self, identifier: str, values: request.Content) -> None:
        """Replace existing values: by index, or in a mapping the first of a type."""
        self._hold(self._conversations.update(identifier, values))

    def add(self, identifier: str, values: request.Content) -> None:
        """Add values; those of a mapping get the lowest free indexes."""
        self._hold(self._conversations.add(identifier, values))

    def remove(self, identifier: str, indexes: Iterable[int]) -> None:
        """Remove the values that have these indexes."""
        self._hold(self._conversations.remove(identifier, tuple(indexes)))

    def delete(self, identifier: str) -> None:
        """Delete a record."""
        self._hold(self._conversations.delete(identifier))

    def list(self, prefix: str) -> tuple[str, ...]:
        """List the identifiers of a prefix, as its node spells them."""
        return self._hold(self._conversations.listing(prefix))

    def home(self, prefix: str) -> None:
        """Make the node that a prefix's HS_SITE names serve it."""
        self._hold(self._conversations.on_prefix(OpCode.HOME_PREFIX, prefix))

    def unhome(self, prefix: str) -> None:
        """Make that node stop serving it."""
        self._hold(self._conversations.on_prefix(OpCode.UNHOME_PREFIX, prefix))

    def login(self, credential: Credential) -> None:
        """Use a credential from now on, and try it at the node that keeps its key.

        Raises:
            AccessError: The node does not accept it.
        """
        self._hold(self._conversations.log_in(credential))

    def site(self) -> Site:
        """Ask the server where it answers, and with which key."""
        return self._hold(self._conversations.site())

    def prove(
        self, identifier: str, *, history: bool = False, anchors: bool = False
    ) -> "Verified":
        """Prove what is registered under an identifier, or that nothing is.

        Asks the log of the node whose identifier it is and verifies what comes against
        the keys in the settings' `known_logs`; nothing else has to be believed.

        Args:
            identifier: As a person writes it.
            history: Whether its earlier changes are proved, too.
            anchors: Whether it is proved up to a block of a chain, as far as it is
                anchored: `.is_anchored` of what comes tells.

        Raises:
            AnchorError: The proof does not hold (`chain_anchor.errors`).
            AnswerError: The node refuses.
            UnreachableError: Nobody answered in time.
            SetupError: The settings name no log for it.
        """
        from resolver.client.proofs import prove

        logs = required_logs(self._settings)
        seconds = self._settings.retry.lifetime_seconds
        return prove(
            logs,
            identifier,
            history=history,
            anchors=anchors,
            timeout_seconds=seconds,
        )

    def _through(self, window: Window, identifiers: Iterable[str]) -> Iterator[Result]:
        """Send identifiers through a window; keep only those that are in it."""
        names: dict[int, str] = {}

        def requests() -> Iterator[Message | ResolverError]:
            for number, identifier in enumerate(identifiers):
                names[number] = identifier
                yield self._request(identifier)

        for number, outcome in window.run(requests()):
            yield self._read(names.pop(number), outcome)

    def _request(self, identifier: str) -> Message | ResolverError:
        try:
            return self._message(request.resolution(request.question(identifier)))
        except ResolverError as error:
            return error

    def _read(self, identifier: str, outcome: Message | ResolverError) -> Result:
        if isinstance(outcome, ResolverError):
            return Result(identifier, outcome)
        if outcome.header.response_code in _REFERRALS:
            return self._result(identifier)
        try:
            now = self._settings.clock()
            return Result(identifier, answer_from(identifier, outcome, now))
        except ResolverError as error:
            return Result(identifier, error)

    def _result(self, identifier: str) -> Result:
        try:
            return Result(identifier, self.resolve(identifier))
        except ResolverError as error:
            return Result(identifier, error)

    def _hold(self, conversation: Conversation[T]) -> T:
        """Carry a conversation to its end."""
        deadline = self._settings.retry.deadline(time.monotonic())
        try:
            say = next(conversation)
            while True:
                try:
                    heard = self._say(say, deadline)
                except ResolverError as error:
                    say = conversation.throw(error)
                else:
                    say = conversation.send(heard)
        except StopIteration as end:
            result: T = end.value
            return result

    def _say(self, say: Say, deadline: float) -> Heard:
        message = self._message(say.draft)
        if say.route is Route.QUERY:
            parts = self._transport.exchange_all(say.server, message, deadline)
            return Heard(message, parts)
        credential = self._conversations.credential
        if say.server not in self._without_login:
            with self._transport.connection(say.server, credential, deadline) as one:
                if self._logged_in(one, deadline):
                    return Heard(message, one.exchange(message, deadline))
        # Servers without logins close after each answer, as CNRI's does, and nothing
        # here may be asked twice: so each message gets a connection of its own.
        with contextlib.closing(self._transport.dial(say.server, deadline)) as one:
            return Heard(message, one.exchange(message, deadline))

    def _logged_in(self, connection: BlockingConnection, deadline: float) -> bool:
        """Log in, once a connection; False where the server knows no logins."""
        if connection.logged_in:
            return True
        credential = self._conversations.credential
        assert credential is not None
        salt = secrets.token_bytes(SALT_OCTETS)
        steps = log_in(credential, secrets.randbits(REQUEST_ID_BITS), salt)
        try:
            draft = next(steps)
            while True:
                message = self._message(draft)
                response = connection.exchange(message, deadline)[0]
                draft = steps.send(Spoken(message, response))
        except StopIteration as end:
            connection.logged_in = bool(end.value)
        if not connection.logged_in:
            remember_no_login(self._without_login, connection.server)
            connection.close()  # CNRI's server would: it lost its place
        return connection.logged_in

    def _message(self, draft: Draft) -> Message:
        return draft.message(secrets.randbits(REQUEST_ID_BITS), self._settings.clock())
