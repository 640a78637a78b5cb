"""Gives bundles what leads from their log to the chain, as section `anchors`.

    bundle ── consistency ── entry in the parent's log ── ... ── checkpoint on the chain

It reaches the main chain, if that covers what the bundle proves; else the chain of the
checkpoints, if that does; else it is what there is. A log that does not go on from what
is anchored of it, one put back to an older state, gets none; nor does one above which
another key signs now than signed the anchored checkpoint.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from chain_anchor.anchors import AnchoredTold, Anchors, Level
from chain_anchor.bundle import Bundle
from chain_anchor.checkpoint import Checkpoint, open_checkpoint
from chain_anchor.errors import AnchorError
from resolver.anchoring.chain_proofs import ChainProof, ChainProofs
from resolver.anchoring.levels import ChildEntries
from resolver.children import ChildReport
from resolver.sealing import Sealing


class _Log(NamedTuple):
    """A log, and the way down to it from the top."""

    sealing: Sealing
    way: tuple[ChildEntries, ...]


class _Reached(NamedTuple):
    """What is anchored of one log."""

    checkpoint: Checkpoint
    levels: tuple[Level, ...]
    """The log's own parent first."""


class AnchoredLogs:
    """What is anchored of the logs of a network; for the loop's thread."""

    def __init__(self, url: str, top: Sealing, proofs: ChainProofs) -> None:
        """Take the chain's URL, the log whose checkpoints go there, and their proofs."""
        self._url = url
        self._top = top
        self._proofs = proofs
        self._entries: dict[bytes, ChildEntries] = {}
        self._opened: tuple[bytes, Checkpoint | None] = (b"", None)

    def attach(self, sealing: Sealing, reports: Sequence[ChildReport]) -> None:
        """Let a log give anchors from now on.

        Args:
            sealing: The log.
            reports: Those from it upwards, the own one first; none for the top's. A
                log that is not below the top has no anchors.
        """
        above = reports[-1].parent if reports else sealing
        if above is not self._top:
            return
        way = tuple(self._entries_of(report) for report in reversed(reports))
        log = _Log(sealing, way)
        sealing.anchors = partial(self._extend, log)
        sealing.anchored = partial(self._tell, log)

    def _entries_of(self, report: ChildReport) -> ChildEntries:
        return self._entries.setdefault(report.origin, ChildEntries(report))

    def _extend(self, log: _Log, bundle: Bundle) -> Bundle:
        """Add the anchors of the published head to a bundle of it."""
        best: Bundle | None = None
        for proof in (self._proofs.complete, self._proofs.partial):
            reached = self._reach(log, proof) if proof and proof.hops else None
            if proof is None or reached is None:
                continue
            size = reached.checkpoint.size
            path = tuple(log.sealing.log_view.consistency(size))
            anchors = Anchors(path, reached.levels, proof.hops)
            made = replace(bundle, anchors=anchors)
            if _is_covered(bundle, size, log.sealing):
                return made
            best = best or made
        return best or bundle

    def _tell(self, log: _Log) -> AnchoredTold:
        """Say what is anchored, whether it can be proved or not."""
        proof = self._proofs.newest
        reached = self._reach(log, proof) if proof else None
        if proof is None or reached is None:
            return AnchoredTold(self._url)
        queued, seq = proof.confirmed
        size, digest = reached.checkpoint.size, queued.transaction.hash
        return AnchoredTold(self._url, size, digest, seq, len(proof.hops))

    def _reach(self, log: _Log, proof: ChainProof) -> _Reached | None:
        """Go down from an anchored checkpoint of the top to one of a log."""
        checkpoint = self._open(proof.confirmed.queued.note)
        levels: list[Level] = []
        current = self._top
        for entries in log.way:
            if checkpoint is None or not _goes_on(current, checkpoint):
                return None
            found = entries.newest_under(checkpoint.size)
            if found is None:
                return None
            levels.append(found.level)
            checkpoint, current = found.checkpoint, entries.child
        if checkpoint is None or not _goes_on(current, checkpoint):
            return None
        return _Reached(checkpoint, tuple(reversed(levels)))

    def _open(self, note: bytes) -> Checkpoint | None:
        """Read the anchored checkpoint, if the key of now signed it."""
        if self._opened[0] != note:
            log = self._top.log
            try:
                found = open_checkpoint(note, log.origin, (log.signer.key,))
            except AnchorError:
                found = None
            self._opened = (note, found)
        return self._opened[1]


def _goes_on(sealing: Sealing, checkpoint: Checkpoint) -> bool:
    """Tell whether a log's tree of now begins with that of a checkpoint."""
    view = sealing.log_view
    size = checkpoint.size
    return 0 < size <= view.head.size and view.root(size) == checkpoint.root


def _is_covered(bundle: Bundle, size: int, sealing: Sealing) -> bool:
    """Tell whether a tree has what a bundle proves.

    That a name is absent, the last header says; that one is present or was deleted, the
    change which made it so.
    """
    last = sealing.log.head.size - 1 if bundle.state is None else bundle.state.index
    return last < size
