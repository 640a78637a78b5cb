"""Errors of the chain's client; each says what was asked and what came.

AnchorError
└── ChainError
    ├── AnsweredError      the node's own error: its code and its text
    │   ├── MissingError   4: there is no such account, block or transaction
    │   └── FailedError    a transaction is on the chain, and failed there
    ├── UnreachableError   nobody answers there
    │   └── TimedOutError  not in time
    └── BadAnswerError     what came is not an answer of a node
"""

from typing import TYPE_CHECKING

from chain_anchor.errors import AnchorError

if TYPE_CHECKING:
    from chain_anchor.bif.client.results import TransactionRecord


class ChainError(AnchorError):
    """The chain could not be asked, or it refused."""


class AnsweredError(ChainError):
    """The node answered with an error.

    Args:
        code: the node's error code (bif notes §1.6); `ErrorCode` names those known.
        text: its `error_desc`, as it came.
        hint: what the emulator says for people; real nodes say nothing.
    """

    def __init__(self, code: int, text: str, hint: str = "") -> None:
        said = f"{text or 'no text'} (error {code})"
        super().__init__(f"{said}; {hint}" if hint else said)
        self.code = code
        self.text = text
        self.hint = hint


class MissingError(AnsweredError):
    """There is no such account, block or transaction (4)."""


class FailedError(AnsweredError):
    """A transaction is on the chain, but it failed: nothing but its fee happened.

    Args:
        record: the transaction as the chain has it.
    """

    def __init__(self, record: "TransactionRecord") -> None:
        super().__init__(record.code, record.text)
        self.record = record


class UnreachableError(ChainError):
    """Nobody answers there."""


class TimedOutError(UnreachableError):
    """No answer came in time."""


class BadAnswerError(ChainError):
    """What came is not what a node answers."""
