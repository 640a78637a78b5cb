"""Records of other nodes that a node needs to decide something: users' keys, groups.

What is learnt is remembered briefly, so that a client that writes often does not make
its node ask the tree each time; a key that was withdrawn is refused after that at the
latest. Enough for tests of both; the real system's rule is not published.
"""

import time
from collections.abc import Callable

from registry.errors import GroupError
from registry.model.value import Value
from resolver.errors import ResolverError
from resolver.upstream import Upstream
from resolver.wire.request import Verify

REMEMBER_SECONDS = 10.0
MAX_REMEMBERED = 1024


class Elsewhere:
    """Asks the tree, and remembers for a short time."""

    def __init__(
        self,
        upstream: Upstream,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstream = upstream
        self._clock = clock
        self._known: dict[bytes, tuple[float, tuple[Value, ...]]] = {}

    async def values(self, name: bytes) -> tuple[Value, ...]:
        """Resolve the public values of a name; none when it is not registered.

        Raises:
            GroupError: The tree gives no answer.
        """
        now = self._clock()
        known = self._known.get(name)
        if known is not None and known[0] > now:
            return known[1]
        try:
            values = await self._upstream.values(name)
        except ResolverError as error:
            message = f"{name.decode(errors='replace')} cannot be resolved: {error}"
            raise GroupError(message) from error
        if len(self._known) >= MAX_REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[name] = (now + REMEMBER_SECONDS, values)
        return values

    async def verify(self, question: Verify) -> bool:
        """Ask the user's node whether a proof by secret is right.

        Raises:
            GroupError: The node gives no answer.
        """
        try:
            return await self._upstream.verify(question)
        except ResolverError as error:
            message = f"the user's node cannot verify the proof: {error}"
            raise GroupError(message) from error
