"""What a proof bundle proves: the result of `chain_anchor.proof`, and how JSON has it.

Only verification makes one: all that it says follows from a checkpoint that a pinned
key signed. What a bundle left out is None, and so it is in JSON.
"""

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chain_anchor.changes import Change
from chain_anchor.cosignature import Cosignature
from chain_anchor.entries import Header
from chain_anchor.readable import entry_json, readable_text
from chain_anchor.statemap import ACTIVE, State

if TYPE_CHECKING:
    from chain_anchor.anchor_proof import VerifiedAnchors


@dataclass(frozen=True, slots=True)
class Verified:
    """What a bundle proves."""

    origin: str
    size: int
    """Entries of the log under the checkpoint."""

    root: bytes
    checkpoint: bytes
    """The signed note."""

    cosignatures: tuple[Cosignature, ...]
    """Those by known witnesses; all of them hold."""

    header: Header
    kind: int
    name: bytes
    state: State | None
    """None if the key was never in the map."""

    change: Change | None
    """The entry that made the state."""

    record: bytes | None
    """Public value list; None when deleted, absent or without record."""

    commitment: bytes | None
    """Stands for restricted values, if there are any."""

    history: tuple[Change, ...]
    """Earlier entries of the key, newest first, as far as the bundle has them."""

    parent: "Verified | None"
    """The parent log's state of this log, if the bundle has it and its key is pinned."""

    unpinned_parent: str | None
    """Origin of a parent that the bundle names and no pinned key speaks for."""

    anchors: "VerifiedAnchors | None" = None
    """On which chains the log is anchored, if the bundle says so."""

    @property
    def standing(self) -> str:
        """Whether the name is present, deleted or absent."""
        if self.state is None:
            return "absent"
        return "present" if self.state.state == ACTIVE else "deleted"

    @property
    def last_needed(self) -> int:
        """Index of the last entry that a tree needs to say the same.

        That a name is absent, the last header says; that one is present or was deleted,
        the change which made it so.
        """
        return self.size - 1 if self.state is None else self.state.index

    @property
    def is_anchored(self) -> bool:
        """Whether a pinned chain covers what is proved."""
        return self.anchors is not None and self.last_needed < self.anchors.size

    @property
    def history_is_complete(self) -> bool:
        """Whether every change since the first registration is here."""
        first = self.history[-1] if self.history else self.change
        return first is None or first.version == 1

    @property
    def origins(self) -> tuple[str, ...]:
        """The log, its parent, its parent's parent, as far as verified."""
        above = self.parent.origins if self.parent else ()
        return (self.origin, *above)


def describe(verified: Verified) -> dict[str, object]:
    """Give what was proved in a form for JSON.

    Hashes are hexadecimal, the record is base64; what is not there is None.
    """
    state = verified.state
    return {
        "standing": verified.standing,
        "kind": verified.kind,
        "name": readable_text(verified.name),
        "version": state and state.version,
        "index": state and state.index,
        "leaf_hash": state and state.leaf_hash.hex(),
        "change": verified.change and entry_json(verified.change),
        "record_base64": _base64(verified.record),
        "commitment": verified.commitment and verified.commitment.hex(),
        "history": [entry_json(change) for change in verified.history],
        "history_is_complete": verified.history_is_complete,
        "origin": verified.origin,
        "size": verified.size,
        "root": verified.root.hex(),
        "header": entry_json(verified.header),
        "cosignatures": [
            {"key": str(one.key), "time_seconds": one.time_seconds}
            for one in verified.cosignatures
        ],
        "parent": verified.parent and describe(verified.parent),
        "unpinned_parent": verified.unpinned_parent,
        "is_anchored": verified.is_anchored,
        "anchors": verified.anchors and _describe_anchors(verified.anchors),
    }


def _describe_anchors(anchors: "VerifiedAnchors") -> dict[str, object]:
    return {
        "origin": anchors.origin,
        "checkpoint_size": anchors.checkpoint_size,
        "size": anchors.size,
        "chains": [
            {
                name: value.hex() if isinstance(value, bytes) else value
                for name, value in found._asdict().items()
            }
            for found in anchors.chains
        ],
        "unpinned_chain": anchors.unpinned_chain and anchors.unpinned_chain.hex(),
        "unpinned_log": anchors.unpinned_log,
    }


def _base64(octets: bytes | None) -> str | None:
    return None if octets is None else b64encode(octets).decode()
