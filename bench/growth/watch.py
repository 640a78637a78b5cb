"""A slow, steady look at single identifiers while a node is lost and regained.

Beside the load, a thread asks in turn for one identifier of the node that is lost and
for one of another node, and notes when each was answered how. So it shows who is hit,
with which codes, and how long regaining takes: things that a sum over a load hides.
"""

import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from registry.model.codes import ResponseCode
from resolver.session.draft import QUERY_FLAGS, Draft
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.request import Resolution

INTERVAL_SECONDS = 0.005
ANSWER_SECONDS = 2.0
NO_ANSWER = 0
"""Stands for a code where none came in time."""

FRESH = QUERY_FLAGS | int(OpFlag.AUTHORITATIVE)
"""Past the recursive node's cache: the node itself must answer."""


class Look(NamedTuple):
    """One question as it went."""

    asked: float
    """Seconds of the monotonic clock."""

    answered: float
    own: bool
    """Whether it was about the node that is lost."""

    code: int


class Watch:
    """Asks until told to stop; `own` and `others` are identifiers."""

    def __init__(
        self,
        server: tuple[str, int],
        own: Sequence[str],
        others: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.looks: list[Look] = []
        self._server = server
        self._own, self._others = own, others
        self._clock = clock
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Start asking."""
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        """Stop asking."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.connect(self._server)
            number = 0
            while not self._stopped.wait(INTERVAL_SECONDS):
                number += 1
                own = bool(number % 2)
                names = self._own if own else self._others
                self._look(asking, number, own, names[number // 2 % len(names)])

    def _look(self, asking: socket.socket, number: int, own: bool, name: str) -> None:
        body = Resolution(name.encode()).encode()
        message = Draft(OpCode.RESOLUTION, body, FRESH).message(number, time.time())  # noqa: TID251
        asked = self._clock()
        asking.send(message.encode())
        code = _code(asking, number, asked + ANSWER_SECONDS, self._clock)
        self.looks.append(Look(asked, self._clock(), own, code))


def _code(
    asking: socket.socket, number: int, deadline: float, clock: Callable[[], float]
) -> int:
    """Wait for the answer to a question; older ones are passed over."""
    while (left := deadline - clock()) > 0:
        asking.settimeout(left)
        try:
            octets = asking.recv(65536)
        except TimeoutError:
            break
        if int.from_bytes(octets[8:12], "big") == number:
            return int.from_bytes(octets[24:28], "big")
    return NO_ANSWER


class Seen(NamedTuple):
    """What a watch saw of a node lost and regained."""

    own_codes: dict[int, int]
    """Of identifiers of the lost node, while it was lost."""

    other_codes: dict[int, int]
    others_failed: int
    """Answers other than success about other nodes, all the time."""

    regained_seconds: float | None
    """From the order to start until the first good answer; None when none came."""

    own_failed_ms: float
    """Half of the failures took longer than this."""

    slowest_other_ms: float
    """Longest wait for an answer about another node while the node was lost."""


def judge(looks: Sequence[Look], lost: float, starting: float) -> Seen:
    """Sum up looks, given when the node was gone and when it was started again."""
    gone = [look for look in looks if lost <= look.asked and look.answered < starting]
    own = Counter(look.code for look in gone if look.own)
    others = [look for look in looks if not look.own]
    back = [
        look.answered
        for look in looks
        if look.own and look.asked >= starting and look.code == ResponseCode.SUCCESS
    ]
    while_lost = [look for look in gone if not look.own]
    waits = [_ms(look) for look in gone if look.own]
    return Seen(
        dict(own),
        dict(Counter(look.code for look in while_lost)),
        sum(look.code != ResponseCode.SUCCESS for look in others),
        min(back) - starting if back else None,
        statistics.median(waits) if waits else 0.0,
        max(map(_ms, while_lost), default=0.0),
    )


def _ms(look: Look) -> float:
    return 1000 * (look.answered - look.asked)
