"""Who is told what happens on a chain, at once and on the thread of who tells it."""

from collections.abc import Callable
from typing import Protocol

from chain_anchor.bif.chain_pb2 import LedgerHeader
from chain_anchor.bif.errors import RefusedError
from chain_anchor.bif.ledger import ClosedBlock
from chain_anchor.bif.transactions import SignedTransaction


class Listener(Protocol):
    """Is told on the loop's thread, after what happened is durable; it never waits."""

    def closed(self, block: ClosedBlock) -> None:
        """Take a block that was closed."""

    def accepted(self, transaction: SignedTransaction) -> None:
        """Take a transaction that waits from now on."""

    def dropped(self, transaction: SignedTransaction, refusal: RefusedError) -> None:
        """Take a transaction that waited, and will be in no block."""

    def reverted(self, header: LedgerHeader) -> None:
        """Take what is the last block after a developer went back."""


class Listeners:
    """Those who are told; one that fails does not keep it from the others."""

    def __init__(self, report: Callable[[str, Exception], None]) -> None:
        """Begin with nobody; `report` takes what fails, in words, and its error."""
        self._report = report
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> None:
        """Tell a listener from now on."""
        self._listeners.append(listener)

    def remove(self, listener: Listener) -> None:
        """Tell a listener no more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def tell(self, tell: Callable[[Listener], None]) -> None:
        """Tell everybody."""
        for listener in tuple(self._listeners):
            try:
                tell(listener)
            except Exception as error:  # noqa: BLE001 (handed to whom failures go)
                # What happened is durable, whatever a listener makes of it.
                self._report(f"{listener!r} has failed", error)

    def tell_dropped(self, dropped: SignedTransaction, refusal: RefusedError) -> None:
        """Tell everybody that a transaction will be in no block."""
        self.tell(lambda listener: listener.dropped(dropped, refusal))
