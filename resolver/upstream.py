"""How a node asks the rest of the tree: walks, and the delegations they learn.

Drives `resolver.session.walk` over a transport. What is learnt on the way (the sites
of a prefix) is kept for its TTL, in bounded number, so that the next walk starts
further down: cold three questions, with a known prefix one (idis notes §3).
"""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from registry.model.codes import ResponseCode
from registry.model.identifier import PREFIX_AUTHORITY, canonical, home_of
from registry.model.typed import Site
from registry.model.value import Value
from resolver.client.settings import ClientSettings
from resolver.client.transport import AsyncTransport
from resolver.errors import ResolverError, UnreachableError
from resolver.session.draft import REQUEST_ID_BITS, Draft
from resolver.session.exchange import RetryPolicy
from resolver.session.reading import successful
from resolver.session.walk import Ask, Outcome, Question, Sites, Walk, addresses
from resolver.telemetry import Telemetry
from resolver.wire.codes import OpCode
from resolver.wire.message import Message
from resolver.wire.request import Verify
from resolver.wire.response import Values, Verified

SETTINGS = ClientSettings(retry=RetryPolicy((0.5, 1.0), lifetime_seconds=3.0))
"""For one node; a client waits longer than for the whole walk."""

WALK_SECONDS = 9.0
MAX_DELEGATIONS = 10_000
MAX_DELEGATION_SECONDS = 172_800


class Upstream:
    """The tree as one node sees it."""

    def __init__(
        self,
        root_prefix: bytes,
        root_sites: Sequence[bytes],
        telemetry: Telemetry,
        clock: Callable[[], float] = time.time,  # noqa: TID251 (injected, not called)
    ) -> None:
        roots = tuple(Site.decode(octets) for octets in root_sites)
        # The top-level node is known for its prefix and, as the root of this network,
        # for those of one label that it may or may not have allocated.
        self._hints: dict[bytes, Sites] = {root_prefix: roots, PREFIX_AUTHORITY: roots}
        self._telemetry = telemetry
        self._clock = clock
        self._transport = AsyncTransport(SETTINGS)
        self._walking: set[asyncio.Task[object]] = set()
        self._closed = False
        self._delegations: OrderedDict[bytes, tuple[float, Sites]] = OrderedDict()

    async def walk(self, question: Question) -> Outcome:
        """Find the node that has the answer, and ask it.

        Raises:
            UnreachableError: Nobody who could know answers.
            ReferralLoopError: The tree goes round.
            BadAnswerError: A node broke the protocol.
        """
        task = asyncio.current_task()
        assert task is not None
        if self._closed:
            message = "this node stops"
            raise UnreachableError(message)
        self._walking.add(task)
        try:
            outcome = await self._walk(Walk(question, self._hints, self._known))
        finally:
            self._walking.discard(task)
        self._learn(outcome)
        return outcome

    async def values(self, name: bytes) -> tuple[Value, ...]:
        """Resolve the public values of a name; none when it is not registered.

        Raises:
            ResolverError: The tree gives no answer.
        """
        outcome = await self.walk(Question(name))
        missing = (ResponseCode.HANDLE_NOT_FOUND, ResponseCode.VALUES_NOT_FOUND)
        if outcome.code in missing:
            return ()
        if outcome.response is None:
            raise UnreachableError(outcome.text)
        body = successful(outcome.response)
        return body.values if isinstance(body, Values) else ()

    async def verify(self, question: Verify) -> bool:
        """Ask the user's node whether a proof by secret is right.

        Raises:
            ResolverError: The node gives no answer.
        """
        name = canonical(question.user)
        # The walk to any name of the prefix learns where the prefix is served.
        await self.walk(Question(name))
        prefix = home_of(name)
        sites = self._known(prefix) or self._hints.get(prefix, ())
        draft = Draft(OpCode.VERIFY_CHALLENGE, question.encode())
        end = time.monotonic() + WALK_SECONDS
        lost = UnreachableError(f"nobody serves {prefix.decode()}")
        for server in addresses(sites, name):
            ask = Ask(server, draft, prefix.decode(), name.decode())
            try:
                body = successful(await self._exchange(ask, end))
            except UnreachableError as error:
                lost = error
            else:
                return isinstance(body, Verified) and body.right
        raise lost

    def forget(self) -> None:
        """Forget all delegations."""
        self._delegations.clear()

    async def close(self) -> None:
        """Give up the walks under way and close all sockets."""
        self._closed = True
        walking = tuple(self._walking)
        for task in walking:
            task.cancel()
        await asyncio.gather(*walking, return_exceptions=True)
        await self._transport.close()

    async def _walk(self, walk: Walk) -> Outcome:
        end = time.monotonic() + WALK_SECONDS
        step = walk.start(time.monotonic())
        while isinstance(step, Ask):
            if time.monotonic() >= end:
                message = f"{step.about}: no answer after {WALK_SECONDS:.0f} s"
                raise UnreachableError(message)
            try:
                response = await self._exchange(step, end)
            except ResolverError as error:
                step = walk.failed(error, time.monotonic())
            else:
                step = walk.receive(response, time.monotonic())
        return step

    async def _exchange(self, ask: Ask, end: float) -> Message:
        """Ask one server, for as long as its try and the whole walk may take."""
        self._telemetry.upstream_requests += 1
        request_id = secrets.randbits(REQUEST_ID_BITS) | 1
        message = ask.draft.message(request_id, self._clock())
        left = min(end - time.monotonic(), SETTINGS.retry.lifetime_seconds)
        deadline = asyncio.get_running_loop().time() + left
        try:
            return await self._transport.exchange(ask.server, message, deadline)
        except ResolverError:
            self._telemetry.upstream_failures += 1
            raise

    def _known(self, prefix: bytes) -> Sites | None:
        entry = self._delegations.get(prefix)
        if entry is None:
            return None
        if entry[0] <= time.monotonic():
            del self._delegations[prefix]
            return None
        return entry[1]

    def _learn(self, outcome: Outcome) -> None:
        now = time.monotonic()
        for delegation in outcome.delegations:
            while len(self._delegations) >= MAX_DELEGATIONS:
                self._delegations.popitem(last=False)
            seconds = min(delegation.ttl_seconds, MAX_DELEGATION_SECONDS)
            self._delegations[delegation.prefix] = (now + seconds, delegation.sites)
