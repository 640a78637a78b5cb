"""What a node keeps beside its chain: clock, leaders, snapshots (emulator convention).

One JSON object, written whole in the transaction that it belongs to.
"""

import json
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from chain_anchor.bif.errors import CorruptChainError, ErrorCode, RefusedError

KEY: Final = b"Nrecord"
MAX_SNAPSHOTS: Final = 1000


class Snapshot(NamedTuple):
    """A state that a developer can go back to."""

    number: int
    seq: int
    """Last block."""

    clock: int
    """What the clock gave to keep."""


@dataclass(slots=True)
class NodeRecord:
    """What a node keeps beside its chain."""

    clock: int = 0
    views: list[tuple[int, int]] = field(default_factory=lambda: [(1, 0)])
    """From which block on which view; its remainder says which validator leads."""

    snapshots: list[Snapshot] = field(default_factory=list)
    next_snapshot: int = 1

    @classmethod
    def decode(cls, octets: bytes | None) -> "NodeRecord":
        """Read it; a chain that has none begins with a new one.

        Raises:
            CorruptChainError: it is none.
        """
        if octets is None:
            return cls()
        try:
            found = json.loads(octets)
            return cls(
                found["clock"],
                [(seq, view) for seq, view in found["views"]],
                [Snapshot(*entry) for entry in found["snapshots"]],
                found["next_snapshot"],
            )
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptChainError(f"record of a node: {error}") from None

    def encode(self) -> bytes:
        """Write it."""
        return json.dumps(
            {
                "clock": self.clock,
                "views": self.views,
                "snapshots": self.snapshots,
                "next_snapshot": self.next_snapshot,
            }
        ).encode()

    def view(self, seq: int) -> int:
        """Give the view in which a block is proposed."""
        return next(view for first, view in reversed(self.views) if first <= seq)

    def change_view(self, seq: int) -> None:
        """Let the next validator lead from a block on."""
        self.views = [*self.views, (seq, self.view(seq) + 1)]

    def take_snapshot(self, seq: int) -> int:
        """Remember a state; give its number.

        Raises:
            RefusedError: there are too many (2).
        """
        if len(self.snapshots) >= MAX_SNAPSHOTS:
            raise RefusedError(
                ErrorCode.INVALID_PARAMETER,
                f"at most {MAX_SNAPSHOTS} snapshots: revert to one of them",
            )
        number = self.next_snapshot
        self.next_snapshot += 1
        self.snapshots.append(Snapshot(number, seq, self.clock))
        return number

    def go_back(self, number: int) -> Snapshot:
        """Forget a snapshot and all later ones; give it.

        Raises:
            RefusedError: there is no such snapshot (4).
        """
        for place, snapshot in enumerate(self.snapshots):
            if snapshot.number == number:
                del self.snapshots[place:]
                self.clock = snapshot.clock
                self.views = [item for item in self.views if item[0] <= snapshot.seq]
                return snapshot
        raise RefusedError(ErrorCode.NOT_EXIST, f"snapshot({number}) does not exist")
