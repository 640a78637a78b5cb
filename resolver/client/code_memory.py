"""What a client remembers between codes: where code prefixes are, and their rules.

Every code of an enterprise needs the same two answers before its own: that its code
prefix is delegated, and the declared rules. That a prefix is delegated is kept until the
room is needed, for asking below one that is gone only finds nothing. Rules, and that a
prefix is not delegated, are kept for a minute at most. Threads may share a memory: each
step is one operation on a dictionary.
"""

from typing import Any, NamedTuple

from registry.model.value import Value

MAX_REMEMBERED = 4096
MAX_SECONDS = 60.0

_SITE_TYPES = ("HS_SITE",)
_DELEGATION = "0.NA/"


class Reply(NamedTuple):
    """What the tree says of a name: its values, or the code of there being none."""

    code: int
    values: tuple[Value, ...] = ()
    authoritative: bool = False
    message: str = ""
    """The server's text where the code is an error."""


class CodeMemory:
    """Delegated code prefixes, and the latest answers about prefixes and rules."""

    __slots__ = ("_replies", "known")

    def __init__(self) -> None:
        self.known: dict[str, None] = {}
        """Code prefixes that are delegated."""

        self._replies: dict[str, tuple[float, Reply]] = {}

    def recall(self, name: str, now: float) -> Reply | None:
        """Give what was answered about a name, unless that is too long ago."""
        found = self._replies.get(name)
        return found[1] if found is not None and now < found[0] else None

    def remember(
        self, name: str, types: tuple[str, ...], reply: Reply, now: float
    ) -> None:
        """Keep an answer; `now` is of the clock that `recall` is asked with."""
        if types == _SITE_TYPES and reply.values:
            _bound(self.known)
            self.known[name.removeprefix(_DELEGATION)] = None
            return
        seconds = min((v.ttl for v in reply.values if not v.ttl_type), default=60)
        _bound(self._replies)
        self._replies[name] = now + min(seconds, MAX_SECONDS), reply


def _bound(kept: dict[str, Any]) -> None:
    """Forget everything when the room is used up: it is learned again in two answers."""
    if len(kept) >= MAX_REMEMBERED:
        kept.clear()
