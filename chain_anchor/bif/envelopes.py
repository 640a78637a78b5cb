"""A signed transaction as one message, as the WebSocket takes it (bif notes §3.2).

Hash and signatures are over the transaction's raw octets, which a parsed message does
not keep; so they are cut out.
"""

from google.protobuf.message import DecodeError

from chain_anchor.bif import transactions
from chain_anchor.bif.chain_pb2 import TransactionEnv
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.framing import read_varint
from chain_anchor.bif.transactions import Signature, SignedTransaction

_TRANSACTION = 1
_LENGTH_DELIMITED = 2
_VARINT, _FIXED64, _FIXED32 = 0, 1, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}


def read_envelope(octets: bytes) -> SignedTransaction:
    """Read a TransactionEnv and check its signatures.

    Raises:
        RefusedError: it is none, or has not exactly one transaction.
    """
    try:
        signatures = TransactionEnv.FromString(octets).signatures
    except DecodeError:
        raise _refusal() from None
    found = [
        octets[start:end]
        for number, start, end in _fields(octets)
        if number == _TRANSACTION
    ]
    if len(found) != 1:
        raise _refusal()
    return transactions.read(
        found[0], [Signature(one.public_key, one.sign_data) for one in signatures]
    )


def _fields(octets: bytes) -> list[tuple[int, int, int]]:
    """List field number, start and end of what stands in a message that was read."""
    found: list[tuple[int, int, int]] = []
    at = 0
    while at < len(octets):
        tag, start = read_varint(octets, at)
        number, kind = tag >> 3, tag & 7
        if kind == _LENGTH_DELIMITED:
            size, start = read_varint(octets, start)
            at = start + size
        elif kind == _VARINT:
            _, at = read_varint(octets, start)
        elif kind in _SIZES:
            at = start + _SIZES[kind]
        else:
            raise _refusal()  # groups: nothing here has any
        found.append((number, start, at))
    return found


def _refusal() -> RefusedError:
    return RefusedError(
        ErrorCode.INVALID_PARAMETER, "the message must hold one signed transaction"
    )
