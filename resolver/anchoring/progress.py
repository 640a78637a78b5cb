"""How far anchoring is, for people and for Prometheus."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from resolver.anchoring.records import Confirmed


class Progress(NamedTuple):
    """What anchoring has done since the process started, and where it stands."""

    url: str
    account: str
    origin: str
    submitted: int
    """Transactions sent, those sent again not counted."""

    confirmed: int
    abandoned: int
    """Transactions that were signed anew: refused, failed, or no longer there."""

    retries: int
    """Attempts that did not succeed."""

    size: int
    """Entries that the newest checkpoint on the chain covers."""

    seq: int
    """Block with it; 0 if there is none."""

    behind: int
    """Entries of the log that no checkpoint on the chain covers."""

    behind_seconds: float
    """For how long the first of them has waited."""

    problem: str
    """Why it does not go on; empty while it does."""

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        return self._asdict()


@dataclass(slots=True)
class Counts:
    """What is counted while it happens."""

    submitted: int = 0
    confirmed: int = 0
    abandoned: int = 0
    retries: int = 0
    failures: int = 0
    """In a row; 0 while it goes well."""

    problem: str = ""


def size_of(newest: Confirmed | None) -> int:
    """Give the entries that the newest confirmed checkpoint covers."""
    return newest.queued.size if newest is not None else 0
