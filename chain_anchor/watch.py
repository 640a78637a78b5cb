"""Watched prefixes: whose changes are expected there, and what is said of others.

The log has the prefix of each change in clear, and who made it (`entries`), so that the
owner of a prefix can see every change under it without knowing the identifiers.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from chain_anchor.changes import Change
from chain_anchor.errors import FormatError
from chain_anchor.readable import readable_text

NOBODY: Final = "-"
"""Stands in a watch for changes without an actor: made by the node's operator."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """What somebody should look at."""

    kind: str
    """`watch`, `time`, `restart`; of what breaks a rule, `monitor.kind_of` gives it."""

    message: str
    index: int | None = None
    """Of the entry, if it is about one."""


class Watch(NamedTuple):
    """A prefix, and who may change what is under it."""

    prefix: str
    actors: frozenset[str]
    """`HANDLE`, `INDEX:HANDLE` or `NOBODY`, in capitals."""

    @classmethod
    def parse(cls, text: str) -> "Watch":
        """Read `PREFIX[=ACTOR,ACTOR]`; without actors, every change is an alarm.

        Raises:
            FormatError: There is no prefix, or an actor is empty.
        """
        prefix, equals, listed = text.upper().partition("=")
        actors = listed.split(",") if equals else []
        if not prefix or "" in actors:
            raise FormatError(
                f"watch: PREFIX[=ACTOR,ACTOR] expected, got {text!r:.199}"
            )
        return cls(prefix, frozenset(actors))

    def concerns(self, change: Change) -> bool:
        """Tell whether a change is under the prefix, or one derived from it."""
        scope = readable_text(change.scope).upper()
        return scope == self.prefix or scope.startswith(f"{self.prefix}.")

    def allows(self, change: Change) -> bool:
        """Tell whether one of the actors made a change; case does not matter."""
        if not change.actor:
            return NOBODY in self.actors
        actor = readable_text(change.actor).upper()
        return not self.actors.isdisjoint((actor, f"{change.actor_index}:{actor}"))

    def message(self, change: Change) -> str:
        """Say what a change was that is not allowed."""
        scope = readable_text(change.scope)
        return f"{self.prefix}: {actor_of(change)} changed something under {scope}"


def actor_of(change: Change) -> str:
    """Write who made a change: `INDEX:HANDLE`, or `NOBODY`."""
    if not change.actor:
        return NOBODY
    return f"{change.actor_index}:{readable_text(change.actor)}"
