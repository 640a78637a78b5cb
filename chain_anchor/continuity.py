"""Does a log go on from a checkpoint that somebody has seen?

A log only grows. If it is smaller than it was, an older copy of its data has been
restored; if it has another root at the same size, two copies have gone on apart. Both
would let a signed checkpoint be contradicted, so a node asks this before it signs
(tlog notes §5.6).
"""

from chain_anchor.checkpoint import Checkpoint
from chain_anchor.errors import ForkError, RollbackError
from chain_anchor.view import LogView


def check_continuity(view: LogView, seen: Checkpoint, witness: str) -> None:
    """Make sure that a log has grown from a checkpoint.

    Args:
        view: The log.
        seen: What was seen of it; of size 0 nothing was.
        witness: Who saw it, for the message.

    Raises:
        RollbackError: The log is smaller than that.
        ForkError: It had another root at that size.
        CorruptLogError: A hash is damaged.
    """
    size = view.head.size
    if seen.size > size:
        raise RollbackError(
            f"{seen.origin}: {witness} has seen {seen.size} entries, "
            f"here are {size}: this is an older copy"
        )
    root = view.root(seen.size)
    if root != seen.root:
        raise ForkError(
            f"{seen.origin}: at {seen.size} entries {witness} has seen the root "
            f"{seen.root.hex()}, here it is {root.hex()}: two copies went on apart"
        )
