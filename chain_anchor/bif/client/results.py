"""What a node answers, read into types (bif notes §1.3, §1.4); no I/O.

What is not an answer of a node raises `BadAnswerError`, an error of the node
`AnsweredError`; neither leaves anything else.
"""

import json
from collections.abc import Callable
from typing import NamedTuple, TypeVar

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
from chain_anchor.bif.client.members import (
    fill,
    integer,
    list_of,
    object_of,
    octets,
    string,
)
from chain_anchor.bif.errors import ErrorCode
from chain_anchor.bif.json_form import Json, JsonObject

T = TypeVar("T")


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
            string(object_of(entry, "error_desc"), "contract_address")
            for entry in list_of(created, "error_desc")
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
    content = object_of(reply, "hello")
    return NodeInfo(
        string(content, "chain_code"),
        string(content, "chain_version"),
        integer(content, "ledger_version"),
        integer(content, "network_id"),
        integer(content, "websocket_port"),
    )


def account(reply: Json) -> Account:
    """Read the answer to `requests.account`."""
    return fill(object_of(_result(reply), "result"), Account())


def metadata(reply: Json) -> dict[str, KeyPair]:
    """Read the answer to `requests.metadata`: by key, empty if there is none."""
    found = _result(reply)
    if found is None:
        return {}
    entries = object_of(found, "result").values()
    read = [fill(object_of(entry, "metadata"), KeyPair()) for entry in entries]
    return {entry.key: entry for entry in read}


def block(reply: Json) -> BlockInfo:
    """Read the answer to `requests.block`."""
    content = object_of(_result(reply), "result")
    header = fill(object_of(content.get("header"), "header"), LedgerHeader())
    return BlockInfo(
        header,
        string(content, "leader"),
        tuple(
            _address(entry)
            for entry in list_of(content.get("validators"), "validators")
        ),
    )


def block_proof(reply: Json) -> BlockProof:
    """Read the answer to `requests.block_proof`."""
    content = object_of(_result(reply), "result")
    shown = content.get("consensus_value") or {}
    value = fill(object_of(shown, "consensus_value"), ConsensusValue())
    return BlockProof(
        fill(object_of(content.get("header"), "header"), LedgerHeader()),
        value.consensus_header.SerializeToString(),
        octets(content, "proof"),
    )


def anchored(reply: Json) -> Anchored | None:
    """Read the answer to `requests.anchored`."""
    found = object_of(_result(reply), "result").get("anchored")
    if found is None:
        return None
    shown = object_of(found, "anchored")
    return Anchored(integer(shown, "ledger_seq"), octets(shown, "hash"))


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
    content = object_of(reply, "getTxCacheSize")
    _raise_error(content)
    return integer(content, "queue_size")


def submissions(reply: Json, count: int) -> tuple[Submission, ...]:
    """Read the answer to `requests.submit` of that many transactions, in their order.

    Raises:
        AnsweredError: the node refused the request as a whole.
        BadAnswerError: not every transaction is answered.
    """
    content = object_of(reply, "submitTransaction")
    if "results" not in content:
        _raise_error(content)
    found = tuple(
        _submission(object_of(entry, "results"))
        for entry in list_of(content.get("results"), "results")
    )
    if len(found) != count:
        raise BadAnswerError(f"results: {count} expected, got {len(found)}")
    return found


def fee(reply: Json) -> Fee:
    """Read the answer to `requests.evaluate`."""
    entries = list_of(object_of(_result(reply), "result").get("txs"), "txs")
    if not entries:
        raise BadAnswerError("txs: one evaluation expected, none came")
    envelope = object_of(object_of(entries[0], "txs").get("transaction_env"), "env")
    content = object_of(envelope.get("transaction"), "transaction")
    return Fee(integer(content, "fee_limit"), integer(content, "gas_price"))


def returned(reply: Json) -> Json:
    """Read the answer to `requests.query`: what the contract returned.

    Raises:
        AnsweredError: the contract failed (151), or there is none.
    """
    entries = list_of(
        object_of(_result(reply), "result").get("query_rets"), "query_rets"
    )
    if not entries:
        raise BadAnswerError("query_rets: one value expected, none came")
    entry = object_of(entries[0], "query_rets")
    if "error" in entry:
        text = json.dumps(entry["error"], ensure_ascii=False)
        raise AnsweredError(ErrorCode.CONTRACT_EXECUTE_FAIL, text)
    value = entry.get("result")
    return value["value"] if isinstance(value, dict) and "value" in value else value


def _record(entry: JsonObject) -> TransactionRecord:
    trigger = fill(object_of(entry.get("trigger") or {}, "trigger"), Trigger())
    return TransactionRecord(
        hash=string(entry, "hash"),
        code=integer(entry, "error_code"),
        text=string(entry, "error_desc"),
        ledger_seq=integer(entry, "ledger_seq"),
        close_time=integer(entry, "close_time"),
        actual_fee=integer(entry, "actual_fee"),
        size=integer(entry, "tx_size"),
        content=_content(entry),
        signatures=tuple(
            fill(object_of(signature, "signatures"), Signature())
            for signature in list_of(entry.get("signatures"), "signatures")
        ),
        triggered=tuple(
            str(digest)
            for digest in list_of(entry.get("contract_tx_hashes"), "contract_tx_hashes")
        ),
        trigger=trigger.transaction.hash.hex(),
    )


def _waiting(entry: JsonObject) -> WaitingTransaction:
    time = integer(entry, "incoming_time")
    return WaitingTransaction(string(entry, "hash"), time, _content(entry))


def _submission(entry: JsonObject) -> Submission:
    code = integer(entry, "error_code")
    if code == ErrorCode.ALREADY_EXIST:
        code = 0  # it waits already, which is what was wanted
    text, hint = string(entry, "error_desc"), string(entry, "hint")
    return Submission(string(entry, "hash"), code, text, hint)


def _content(entry: JsonObject) -> Transaction:
    return fill(object_of(entry.get("transaction"), "transaction"), Transaction())


def _listed(reply: Json, read: Callable[[JsonObject], T]) -> tuple[T, ...]:
    try:
        found = _result(reply)
    except MissingError:
        return ()
    entries = list_of(object_of(found, "result").get("transactions"), "transactions")
    return tuple(read(object_of(entry, "transactions")) for entry in entries)


def _result(reply: Json) -> Json:
    content = object_of(reply, "answer")
    _raise_error(content)
    return content.get("result")


def _raise_error(content: JsonObject) -> None:
    code = integer(content, "error_code")
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


def _parsed(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadAnswerError(f"error_desc: JSON expected, got {text[:80]!r}") from None


def _address(entry: Json) -> str:
    """Take a validator: its address, or as the older chain shows it, an object."""
    return (
        entry
        if isinstance(entry, str)
        else string(object_of(entry, "validators"), "address")
    )
