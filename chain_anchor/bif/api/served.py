"""What the faces ask of a running chain.

The ledger may be read at any time: it shows the state after the last block. What can
take long, or must be alone, goes through `run` and `submit`, which wait.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from chain_anchor.bif.account_edits import AccountEdit
from chain_anchor.bif.anchored_headers import Anchored
from chain_anchor.bif.chain_pb2 import LedgerHeader
from chain_anchor.bif.errors import RefusedError
from chain_anchor.bif.keys import PrivateKey
from chain_anchor.bif.ledger import Ledger
from chain_anchor.bif.listeners import Listener
from chain_anchor.bif.pool import Pool
from chain_anchor.bif.transactions import SignedTransaction

T = TypeVar("T")


class ServedChain(Protocol):
    """A chain that runs."""

    @property
    def name(self) -> str:
        """Name of the chain, for people."""

    @property
    def chain_code(self) -> str:
        """Code of the sub-chain, "0" on the main chain."""

    @property
    def network_id(self) -> int:
        """Number of the network, which nodes of another do not talk to."""

    @property
    def address(self) -> str:
        """The node's own address."""

    @property
    def first_account(self) -> str:
        """Address of the account that the first block gave most."""

    @property
    def ledger(self) -> Ledger:
        """The chain after its last durable block, the same until somebody waits."""

    @property
    def pool(self) -> Pool:
        """The transactions that wait; not to be changed."""

    @property
    def strict(self) -> bool:
        """Whether the node does only what a real one does."""

    def now(self) -> int:
        """Give the chain's time: microseconds since 1970."""

    def leader(self, seq: int) -> str:
        """Give the address of the validator that proposes a block."""

    def certificate(self, seq: int) -> bytes:
        """Give the certificate of a block that is there."""

    def anchored(self, seq: int) -> Anchored | None:
        """Give the first header from a block on that was sent to the main chain."""

    async def run(self, question: Callable[[Ledger], T]) -> T:
        """Ask what takes long, in a thread; the ledger it is given does not change.

        Raises:
            RefusedError: too many wait.
        """

    async def submit(
        self, transactions: Sequence[SignedTransaction]
    ) -> list[RefusedError | None]:
        """Check transactions and let them wait, or close a block with them at once.

        Args:
            transactions: at most 10 000.

        Returns:
            For each one why it was refused, or None.

        Raises:
            AnchorError: the chain has stopped.
        """

    def listen(self, listener: Listener) -> None:
        """Tell a listener from now on."""

    def unlisten(self, listener: Listener) -> None:
        """Tell a listener no more."""


class DevelopedChain(ServedChain, Protocol):
    """A chain to which one does what nobody does to a real one (emulator convention).

    What cannot be done raises RefusedError.
    """

    @property
    def accounts(self) -> Sequence[PrivateKey]:
        """The keys of funded accounts."""

    @property
    def faults(self) -> Mapping[str, int]:
        """What will go wrong, and how many times more."""

    @property
    def mining(self) -> tuple[str, int]:
        """How blocks are closed: mode, and milliseconds of the interval."""

    @property
    def snapshots(self) -> Sequence[int]:
        """Numbers of the states that are remembered."""

    async def mine(self, n: int = 1) -> LedgerHeader:
        """Close blocks, empty ones too; give the last."""

    async def snapshot(self) -> int:
        """Remember the state; give its number."""

    async def revert(self, number: int, /) -> LedgerHeader:
        """Go back to a state, which is forgotten with all later ones."""

    async def set_time(self, microseconds: int, /) -> None:
        """Set the chain's clock, which only goes forward."""

    async def advance(self, microseconds: int, /) -> None:
        """Put the chain's clock forward."""

    async def set_mining(
        self, mode: str, interval_ms: int = 1000, *, empty: bool = False
    ) -> None:
        """Close blocks with each submission, at intervals, or only when told to.

        Args:
            mode: automine, interval or manual.
            interval_ms: of the second.
            empty: whether it closes blocks without transactions too.
        """

    async def set_account(
        self, address: str, edit: AccountEdit, domain: int = 0
    ) -> LedgerHeader:
        """Set an account in a block, and make it if it is missing."""

    def set_fault(self, name: str, count: int = 1, **options: int) -> None:
        """Let something go wrong the next times."""
