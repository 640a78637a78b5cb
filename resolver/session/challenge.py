"""Challenges waiting for their answer: bounded, short-lived, good for one try.

A client may choose the session id of its challenge only on a connection of its own
(the official SDK does, with ids that are not unique across clients); such challenges
are kept with the connection. All others get a fresh id and are kept for the node,
because CNRI's client answers on a new connection (handle notes §1.12, §2.4).
"""

from collections import OrderedDict
from collections.abc import MutableMapping
from typing import NamedTuple

from resolver.wire.message import Message

CHALLENGE_LIFE_SECONDS = 60.0
MAX_PENDING = 10_000
MAX_PENDING_ON_CONNECTION = 16
NONCE_OCTETS = 16


class Pending(NamedTuple):
    """A request that waits for its client to prove who it is."""

    request: Message
    nonce: bytes
    digest: bytes
    """Digest of the request, without the algorithm octet."""

    expires: float


class Challenges:
    """The challenges of one node that are not bound to a connection."""

    def __init__(self) -> None:
        self._pending: OrderedDict[int, Pending] = OrderedDict()
        self.evicted = 0
        """Challenges given up for newer ones because `MAX_PENDING` waited."""

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, session_id: int, pending: Pending) -> None:
        """Keep a challenge under a fresh session id."""
        self._expire(pending.expires - CHALLENGE_LIFE_SECONDS)
        if len(self._pending) >= MAX_PENDING:
            self._pending.popitem(last=False)
            self.evicted += 1
        self._pending[session_id] = pending

    def take(self, session_id: int, now: float) -> Pending | None:
        """Remove a challenge and give it, unless it has expired: one try each."""
        return _fresh(self._pending.pop(session_id, None), now)

    def _expire(self, now: float) -> None:
        while self._pending:
            session_id, pending = next(iter(self._pending.items()))
            if pending.expires > now:
                return
            del self._pending[session_id]


def add_to_connection(
    kept: MutableMapping[int, Pending], session_id: int, pending: Pending
) -> None:
    """Keep a challenge with its connection; the oldest gives way."""
    kept.pop(session_id, None)
    if len(kept) >= MAX_PENDING_ON_CONNECTION:
        del kept[next(iter(kept))]
    kept[session_id] = pending


def take_from_connection(
    kept: MutableMapping[int, Pending], session_id: int, now: float
) -> Pending | None:
    """Remove a challenge from its connection and give it, unless it has expired."""
    return _fresh(kept.pop(session_id, None), now)


def _fresh(pending: Pending | None, now: float) -> Pending | None:
    return pending if pending is not None and pending.expires > now else None
