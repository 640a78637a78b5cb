"""What a node answers, read into types (bif notes §1.3, §1.4); no I/O.

A node leaves out what equals its default, and SDKs are used to numbers as text, so both
are read. What is not an answer of a node raises `BadAnswerError`, an error of the node
`AnsweredError`; neither leaves anything else.
"""

import json
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from google.protobuf.message import Message

from chain_anchor.bif.anchored_headers import Anchored
from chain_anchor.bif.chain_pb2 import (
    Account,
    ConsensusValue,
    KeyPair,
    LedgerHeader,
    Signature,
    Transaction,
    Trigger,
)
from chain_anchor.bif.client.errors import (
    AnsweredError,
    BadAnswerError,
    MissingError,
)
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.json_form import Json, JsonObject, from_json

M = TypeVar("M", bound=Message)
T = TypeVar("T")

MAX_DIGITS = 20
"""An int64 has 19 digits and a sign."""


class NodeInfo(NamedTuple):
    """What a node says of itself."""

    chain_code: str
    """Code of the sub-chain."""

    chain_version: str
    ledger_version: int
    network_id: int
    websocket_port: int
    """Where subscriptions are taken; 0 if it does not say."""


class BlockInfo(NamedTuple):
    """A block without its transactions."""

    header: LedgerHeader
    leader: str
    """Address of the validator that proposed it, empty if the node does not say."""

    validators: tuple[str, ...]


class BlockProof(NamedTuple):
    """What proves a block to who has pinned the chain; nothing of it is verified."""

    header: LedgerHeader
    consensus: bytes
    """Octets of the ConsensusValueHeader, empty if the node does not show it."""

    certificate: bytes
    """Of the block, empty if the node gives none, as real ones do."""


class TransactionRecord(NamedTuple):
    """A transaction in a block."""

    hash: str
    """Hexadecimal."""

    code: int
    """0, or why it failed."""

    text: str
    """Why it failed; of one that created contracts, JSON with their addresses."""

    ledger_seq: int
    close_time: int
    """When the block was closed: microseconds since 1970."""

    actual_fee: int
    size: int
    """Octets of the transaction with its signatures, which are paid for."""

    content: Transaction
    signatures: tuple[Signature, ...]
    triggered: tuple[str, ...]
    """Hashes of the transactions that its contracts made."""

    trigger: str
    """Hash of the transaction whose contract made this one, or empty."""

    @property
    def contracts(self) -> tuple[str, ...]:
        """Addresses of the contracts that it created, in the order of operations."""
        if self.code or not self.text:
            return ()
        created = _parsed(self.text)
        return tuple(
            _string(_object(entry, "error_desc"), "contract_address")
            for entry in _list(created, "error_desc")
        )


class WaitingTransaction(NamedTuple):
    """A transaction that waits for a block."""

    hash: str
    incoming_time: int
    """When the node got it: microseconds since 1970."""

    content: Transaction


class Submission(NamedTuple):
    """What a node says to one of the transactions that were submitted."""

    hash: str
    code: int
    """0: it is taken, or waits already; else why it is not."""

    text: str
    hint: str = ""
    """What the emulator says for people."""


class Fee(NamedTuple):
    """What a node thinks that a transaction will cost."""

    fee_limit: int
    gas_price: int


def hello(reply: Json) -> NodeInfo:
    """Read the answer to `requests.hello`."""
    content = _object(reply, "hello")
    return NodeInfo(
        _string(content, "chain_code"),
        _string(content, "chain_version"),
        _integer(content, "ledger_version"),
        _integer(content, "network_id"),
        _integer(content, "websocket_port"),
    )


def account(reply: Json) -> Account:
    """Read the answer to `requests.account`."""
    return _fill(_object(_result(reply), "result"), Account())


def metadata(reply: Json) -> dict[str, KeyPair]:
    """Read the answer to `requests.metadata`: by key, empty if there is none."""
    found = _result(reply)
    if found is None:
        return {}
    entries = _object(found, "result").values()
    read = [_fill(_object(entry, "metadata"), KeyPair()) for entry in entries]
    return {entry.key: entry for entry in read}


def block(reply: Json) -> BlockInfo:
    """Read the answer to `requests.block`."""
    content = _object(_result(reply), "result")
    header = _fill(_object(content.get("header"), "header"), LedgerHeader())
    return BlockInfo(
        header,
        _string(content, "leader"),
        tuple(
            _address(entry) for entry in _list(content.get("validators"), "validators")
        ),
    )


def block_proof(reply: Json) -> BlockProof:
    """Read the answer to `requests.block_proof`."""
    content = _object(_result(reply), "result")
    shown = content.get("consensus_value") or {}
    value = _fill(_object(shown, "consensus_value"), ConsensusValue())
    return BlockProof(
        _fill(_object(content.get("header"), "header"), LedgerHeader()),
        value.consensus_header.SerializeToString(),
        _octets(content, "proof"),
    )


def anchored(reply: Json) -> Anchored | None:
    """Read the answer to `requests.anchored`."""
    found = _object(_result(reply), "result").get("anchored")
    if found is None:
        return None
    shown = _object(found, "anchored")
    return Anchored(_integer(shown, "ledger_seq"), _octets(shown, "hash"))


def transactions(reply: Json) -> tuple[TransactionRecord, ...]:
    """Read the answer to `requests.transaction` or `requests.block_transactions`.

    Nothing found is an empty tuple, though the node has an error for it.
    """
    return _listed(reply, _record)


def waiting(reply: Json) -> tuple[WaitingTransaction, ...]:
    """Read the answer to `requests.pool`; empty if nothing waits."""
    return _listed(reply, _waiting)


def pool_size(reply: Json) -> int:
    """Read the answer to `requests.pool_size`."""
    content = _object(reply, "getTxCacheSize")
    _raise_error(content)
    return _integer(content, "queue_size")


def submissions(reply: Json, count: int) -> tuple[Submission, ...]:
    """Read the answer to `requests.submit` of that many transactions, in their order.

    Raises:
        AnsweredError: the node refused the request as a whole.
        BadAnswerError: not every transaction is answered.
    """
    content = _object(reply, "submitTransaction")
    if "results" not in content:
        _raise_error(content)
    found = tuple(
        _submission(_object(entry, "results"))
        for entry in _list(content.get("results"), "results")
    )
    if len(found) != count:
        raise BadAnswerError(f"results: {count} expected, got {len(found)}")
    return found


def fee(reply: Json) -> Fee:
    """Read the answer to `requests.evaluate`."""
    entries = _list(_object(_result(reply), "result").get("txs"), "txs")
    if not entries:
        raise BadAnswerError("txs: one evaluation expected, none came")
    envelope = _object(_object(entries[0], "txs").get("transaction_env"), "env")
    content = _object(envelope.get("transaction"), "transaction")
    return Fee(_integer(content, "fee_limit"), _integer(content, "gas_price"))


def returned(reply: Json) -> Json:
    """Read the answer to `requests.query`: what the contract returned.

    Raises:
        AnsweredError: the contract failed (151), or there is none.
    """
    entries = _list(_object(_result(reply), "result").get("query_rets"), "query_rets")
    if not entries:
        raise BadAnswerError("query_rets: one value expected, none came")
    entry = _object(entries[0], "query_rets")
    if "error" in entry:
        text = json.dumps(entry["error"], ensure_ascii=False)
        raise AnsweredError(ErrorCode.CONTRACT_EXECUTE_FAIL, text)
    value = entry.get("result")
    return value["value"] if isinstance(value, dict) and "value" in value else value


def _record(entry: JsonObject) -> TransactionRecord:
    trigger = _fill(_object(entry.get("trigger") or {}, "trigger"), Trigger())
    return TransactionRecord(
        hash=_string(entry, "hash"),
        code=_integer(entry, "error_code"),
        text=_string(entry, "error_desc"),
        ledger_seq=_integer(entry, "ledger_seq"),
        close_time=_integer(entry, "close_time"),
        actual_fee=_integer(entry, "actual_fee"),
        size=_integer(entry, "tx_size"),
        content=_content(entry),
        signatures=tuple(
            _fill(_object(signature, "signatures"), Signature())
            for signature in _list(entry.get("signatures"), "signatures")
        ),
        triggered=tuple(
            str(digest)
            for digest in _list(entry.get("contract_tx_hashes"), "contract_tx_hashes")
        ),
        trigger=trigger.transaction.hash.hex(),
    )


def _waiting(entry: JsonObject) -> WaitingTransaction:
    time = _integer(entry, "incoming_time")
    return WaitingTransaction(_string(entry, "hash"), time, _content(entry))


def _submission(entry: JsonObject) -> Submission:
    code = _integer(entry, "error_code")
    if code == ErrorCode.ALREADY_EXIST:
        code = 0  # it waits already, which is what was wanted
    text, hint = _string(entry, "error_desc"), _string(entry, "hint")
    return Submission(_string(entry, "hash"), code, text, hint)


def _content(entry: JsonObject) -> Transaction:
    return _fill(_object(entry.get("transaction"), "transaction"), Transaction())


def _listed(reply: Json, read: Callable[[JsonObject], T]) -> tuple[T, ...]:
    try:
        found = _result(reply)
    except MissingError:
        return ()
    entries = _list(_object(found, "result").get("transactions"), "transactions")
    return tuple(read(_object(entry, "transactions")) for entry in entries)


def _result(reply: Json) -> Json:
    content = _object(reply, "answer")
    _raise_error(content)
    return content.get("result")


def _raise_error(content: JsonObject) -> None:
    code = _integer(content, "error_code")
    if code == ErrorCode.SUCCESS:
        return
    text = content.get("error_desc")
    kind = MissingError if code == ErrorCode.NOT_EXIST else AnsweredError
    hint = content.get("hint")
    raise kind(
        code,
        text if isinstance(text, str) else "",
        hint if isinstance(hint, str) else "",
    )


def _fill(content: JsonObject, message: M) -> M:
    try:
        from_json(content, message)
    except RefusedError as error:
        raise BadAnswerError(f"{message.DESCRIPTOR.name}: {error.text}") from None
    return message


def _parsed(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadAnswerError(f"error_desc: JSON expected, got {text[:80]!r}") from None


def _object(value: Json, name: str) -> JsonObject:
    if not isinstance(value, dict):
        raise _unexpected(name, "an object", value)
    return value


def _list(value: Json, name: str) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _unexpected(name, "an array", value)
    return value


def _string(content: JsonObject, name: str) -> str:
    value = content.get(name)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**MAX_DIGITS else None
    if not isinstance(value, str):
        raise _unexpected(name, "text", value)
    return value


def _octets(content: JsonObject, name: str) -> bytes:
    try:
        return bytes.fromhex(_string(content, name))
    except ValueError:
        raise _unexpected(name, "hexadecimal digits", content[name]) from None


def _integer(content: JsonObject, name: str) -> int:
    value = content.get(name)
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= MAX_DIGITS:
        digits = value.removeprefix("-")
        if digits.isascii() and digits.isdigit():
            return int(value)
    raise _unexpected(name, "an integer", value)


def _address(entry: Json) -> str:
    """Take a validator: its address, or as the older chain shows it, an object."""
    return (
        entry
        if isinstance(entry, str)
        else _string(_object(entry, "validators"), "address")
    )


def _unexpected(name: str, expected: str, value: Json) -> BadAnswerError:
    return BadAnswerError(f"{name}: {expected} expected, got {type(value).__name__}")
