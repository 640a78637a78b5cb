"""Errors of the chain, and the codes a node answers with (bif notes §1.6).

AnchorError
├── FormatError
│   ├── EncodingError  base58, a key or an address breaks its format
│   └── BlockError     a stored or shown block is not what its hashes say
├── StorageError       a chain cannot be read, written or opened
│   ├── CorruptChainError  what is stored is not what was written
│   └── StorageFullError   there was no room; nothing was written, and it may work again
├── ChainStoppedError  a chain takes no transactions any more
└── RefusedError       the node's answer to what it will not do: a code and a text

Texts are those of the real node where the notes have them, since its users search for
them; the rest is emulator convention.
"""

from enum import IntEnum
from typing import Self

from chain_anchor.errors import AnchorError, FormatError


class EncodingError(FormatError):
    """Base58 text, a key or an address breaks its format."""


class BlockError(FormatError):
    """A block, a certificate or a path in the state is not what its hashes say."""


class StorageError(AnchorError):
    """A chain cannot be read, written or opened."""


class CorruptChainError(StorageError):
    """What is stored of a chain is not what was written."""


class StorageFullError(StorageError):
    """There was no room for what was to be written; nothing of it was."""


class ChainStoppedError(AnchorError):
    """A chain takes no transactions any more: it failed, or it was closed."""


class ErrorCode(IntEnum):
    """Codes of a node's answers, `error_code` in JSON."""

    SUCCESS = 0
    INTERNAL = 1
    INVALID_PARAMETER = 2
    ALREADY_EXIST = 3
    NOT_EXIST = 4
    TX_TIMEOUT = 5
    ACCESS_DENIED = 6
    MATH_OVERFLOW = 7
    EXPRESSION_FALSE = 20
    EXPRESSION_SYNTAX = 21
    INVALID_PUBLIC_KEY = 90
    INVALID_PRIVATE_KEY = 91
    INVALID_SIGNATURE = 93
    INVALID_ADDRESS = 94
    MISSING_OPERATIONS = 97
    TOO_MANY_OPERATIONS = 98
    BAD_SEQUENCE = 99
    ACCOUNT_LOW_RESERVE = 100
    ACCOUNT_SOURCE_DEST_EQUAL = 101
    ACCOUNT_DEST_EXIST = 102
    ACCOUNT_NOT_EXIST = 103
    ACCOUNT_INIT_LOW_RESERVE = 106
    FEE_NOT_ENOUGH = 111
    FEE_INVALID = 112
    OUT_OF_TX_CACHE = 114
    WEIGHT_NOT_VALID = 120
    THRESHOLD_NOT_VALID = 121
    INVALID_DATA_VERSION = 144
    TX_SIZE_TOO_BIG = 146
    CONTRACT_EXECUTE_FAIL = 151
    CONTRACT_SYNTAX_ERROR = 152
    CONTRACT_TOO_MANY_RECURSION = 153
    CONTRACT_TOO_MANY_TRANSACTIONS = 154
    CONTRACT_EXECUTE_EXPIRED = 155
    INVALID_CONTRACT = 156
    INVALID_CONTRACT_VERSION = 157
    OUT_OF_GAS = 158
    STATIC_MODE = 159
    TX_INSERT_QUEUE_FAIL = 160
    TRANSFER_NOT_AUTHORISED = 161
    DOMAIN_NOT_EXIST = 170


class RefusedError(AnchorError):
    """What was asked is not done; a node answers with this code and text.

    Args:
        code: the node's error code.
        text: `error_desc`, to the letter.
    """

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    def alone(self) -> Self:
        """Give it to be kept: without the frames that it was raised in.

        They hold what they worked on, a body of megabytes for example, and whoever keeps
        the refusal is often held by them, so that neither would be freed for long.
        """
        self.__traceback__ = self.__context__ = None
        return self
