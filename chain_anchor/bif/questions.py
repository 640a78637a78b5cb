"""What takes long to read from a running chain: asked in a thread of its own.

Each question has its own view of the storage, so that blocks may be closed meanwhile.
At most `MAX_QUESTIONS` wait.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from chain_anchor.bif.errors import ChainStoppedError, ErrorCode, RefusedError
from chain_anchor.bif.kept_chain import KeptChain
from chain_anchor.bif.ledger import Ledger

MAX_QUESTIONS: Final = 64

T = TypeVar("T")


class Questions:
    """Asks a chain, one question at a time."""

    def __init__(self, kept: KeptChain) -> None:
        self._kept = kept
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="chain-read")
        self._waiting = 0

    async def ask(self, question: Callable[[Ledger], T]) -> T:
        """Ask in the thread; the ledger that the question is given does not change.

        Raises:
            RefusedError: too many wait (1).
            ChainStoppedError: the chain is closed.
        """
        if self._waiting >= MAX_QUESTIONS:
            raise RefusedError(
                ErrorCode.INTERNAL, f"{MAX_QUESTIONS} questions wait, try again"
            )
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._asking, self._ask, question)
        except RuntimeError as error:
            if self._kept.stopped is None:
                raise
            raise ChainStoppedError(str(self._kept.stopped)) from error
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Wait for the thread to end; nothing is answered any more."""
        self._asking.shutdown()

    def _ask(self, question: Callable[[Ledger], T]) -> T:
        view = self._kept.open_view()
        try:
            return question(Ledger.open(view, self._kept.settings.reading))
        finally:
            view.close()
