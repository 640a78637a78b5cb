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

from registry.model.typed import Site
from registry.schemes.decoding import decode
from registry.schemes.lookup import Wanted
from registry.schemes.reading import Decoded
from resolver.client import request
from resolver.client.answer import Answer, Result
from resolver.client.code_conversation import reply_to, talk_about
from resolver.client.code_memory import CodeMemory, Reply
from resolver.client.conversation import (
    Conversation,
    Conversations,
    Heard,
    Route,
    Say,
    remember_no_login,
)
from resolver.client.flow import Flow
from resolver.client.flow_blocking import FlowCarrier
from resolver.client.products import Asking, ProductAnswer, Steps, resolve_code
from resolver.client.settings import (
    ClientSettings,
    check_concurrency,
    required_logs,
)
from resolver.client.sockets import BlockingConnection, SocketTransport
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
        self._memory = CodeMemory()
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

    def decode(self, text: str) -> Decoded:
        """Say what a code may be: its readings, and why it is not something else.

        Asks nobody; raises nothing for what is no code.
        """
        return decode(text)

    def resolve_product(
        self,
        code: str,
        *,
        company: str = "",
        fresh: bool = False,
        trace: bool = False,
    ) -> ProductAnswer:
        """Give the record that a code means: any code of any scheme.

        Args:
            code: As it was typed or scanned; an identifier, too.
            company: Prefix of the enterprise whose own codes may come; they are read
                by the rules that it declares.
            fresh: Ask the nodes themselves, past the recursive node's cache.
            trace: Ask every node on the way to the record oneself, for its hops.

        Raises:
            UnreadableCodeError: It is no code of any scheme.
            CodeNotFoundError: Nothing is registered under it.
            AmbiguousCodeError: It means several identifiers.
            UnreachableError: Nobody answered in time.
        """
        steps = self._steps(code, Asking(self._memory, company, fresh))
        product = self._hold(talk_about(self._conversations, steps, fresh=fresh))
        if not trace:
            return product
        return product._replace(answer=self.trace(product.identifier))

    def resolve_many(
        self,
        lines: Iterable[str],
        *,
        concurrency: int = 64,
        ordered: bool = True,
        company: str = "",
        fresh: bool = False,
    ) -> Iterator[Result]:
        """Resolve a stream of identifiers and codes, in any mix; lines of a file will do.

        A line that fails is a result and does not end it. At most `concurrency` are
        looked up, or waiting to be taken, at once, all on one TCP connection; more of
        them cost less time each. `company` and `fresh` are as of `resolve_product`.
        """
        concurrency = check_concurrency(concurrency, self._settings)
        asking = Asking(self._memory, company, fresh)
        flow = Flow(
            iter(lines),
            lambda text: self._steps(text, asking),
            concurrency,
            secrets.randbits(REQUEST_ID_BITS),
            ordered=ordered,
            fresh=fresh,
        )

        def ask_alone(wanted: Wanted, deadline: float) -> Reply:
            conversation = reply_to(self._conversations, wanted, fresh=fresh)
            return self._hold(conversation, deadline)

        server = self._conversations.server
        carrier = FlowCarrier(flow, self._transport, server, ask_alone, self._settings)
        return carrier.run()

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

    def _steps(self, text: str, asking: Asking) -> Steps:
        return resolve_code(text, asking, time.monotonic(), self._settings.clock())

    def _hold(self, conversation: Conversation[T], deadline: float | None = None) -> T:
        """Carry a conversation to its end."""
        deadline = deadline or self._settings.retry.deadline(time.monotonic())
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
