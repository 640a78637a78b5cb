"""Checkpoints of children in the logs of their parents, up to the national one.

A node's log holds the last checkpoint of each child's log, as a key of its state map
(kind 3) under the child's origin. So a signature at the top covers every log below it,
and a bundle can lead from an identifier through all levels. Reports between levels are
a call, as all of the emulator's are; none is published for the real system.
"""

from collections import OrderedDict
from dataclasses import replace

from chain_anchor.bundle import Bundle, Parents
from chain_anchor.changes import Change as ChangeEntry
from chain_anchor.entries import decode_entry
from chain_anchor.log import Head
from chain_anchor.statemap import KIND_CHILD
from chain_anchor.view import bundle_of
from registry.change import Change
from registry.journal import Operation
from registry.service import Registry
from resolver.sealing import Sealing

_NOTES_KEPT = 4
"""The parent may be a report behind, and another one be on its way."""


class ChildReport:
    """Keeps a parent's log told of a child's checkpoint."""

    def __init__(self, child: Sealing, parent: Sealing, registry: Registry) -> None:
        self.child = child
        self.parent = parent
        self._registry = registry
        self._told: str | None = None
        """What the parent's log has; None before anybody looked."""

        self._notes: OrderedDict[str, bytes] = OrderedDict()

    @property
    def origin(self) -> bytes:
        """The child's name in the parent's map."""
        return self.child.log.origin.encode()

    async def report(self) -> None:
        """Log the child's checkpoint, unless the parent's log has it.

        Raises:
            RegistryError: The parent does not take it.
        """
        head = self.child.log.head
        text = self._remember(head)
        if self._told is None:
            self._told = self._logged_text()
        if not head.size or text == self._told:
            return
        note = text.encode()
        change = Change(Operation.NOTE, self.origin, trusted=True, note=note)
        await self._registry.submit(change)
        self._told = text

    def extend(self, bundle: Bundle, further: tuple["ChildReport", ...]) -> Bundle:
        """Let a bundle of the child's published head reach into the parent's log.

        A child that has not been reported since it started gives the bundle back.

        Args:
            bundle: What the child's log proves.
            further: The parent's own report, its parent's, and so on.
        """
        above = bundle_of(
            self.parent.log, self.parent.view.tables, KIND_CHILD, self.origin
        )
        text = _text_in(above)
        note = self._notes.get(text)
        if note is None:
            return bundle
        above = replace(above, record=text.encode())
        if further:
            above = further[0].extend(above, further[1:])
        view = self.child.log_view
        logged_size = int(text.split("\n")[1])
        path = tuple(view.consistency(logged_size))
        return replace(bundle, parents=Parents(path, note, above))

    def _remember(self, head: Head) -> str:
        if not head.size:
            return ""
        text = head.checkpoint.text()
        self._notes[text] = head.note
        while len(self._notes) > _NOTES_KEPT:
            self._notes.popitem(last=False)
        return text

    def _logged_text(self) -> str:
        found = bundle_of(
            self.parent.log, self.parent.view.tables, KIND_CHILD, self.origin
        )
        return _text_in(found)


def _text_in(bundle: Bundle) -> str:
    if bundle.entry is None:
        return ""
    entry = decode_entry(bundle.entry)
    assert isinstance(entry, ChangeEntry)
    return entry.extra.decode()
