"""The node's answers, as JSON objects (bif notes §1.3, §1.4).

Made from what the ledger has; a face only has to write them. Where the notes show a
field always, it is there even if it is its default; the rest follows `json_form`.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Set as AbstractSet
from typing import Final

from google.protobuf.message import Message

from chain_anchor.bif import blocks
from chain_anchor.bif.account import Account, Metadata
from chain_anchor.bif.anchored_headers import Anchored
from chain_anchor.bif.chain_pb2 import (
    FeeConfig,
    LedgerHeader,
    TransactionEnv,
)
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.json_form import Json, JsonObject, to_json
from chain_anchor.bif.ledger import Ledger
from chain_anchor.bif.pool import Waiting
from chain_anchor.bif.recording import Recorded
from chain_anchor.bif.trial import Answer, Trial

QUERY_NOT_EXIST: Final = "query result not exist"
_MAX_BLOCKS: Final = 1000
_VERSION_WITH_TREE_HASH: Final = 1006
"""From this version on, a header is shown with the tree of the domain asked for."""


def success(result: Json) -> JsonObject:
    """Answer a question that has an answer."""
    return {"error_code": ErrorCode.SUCCESS.value, "result": result}


def not_exist() -> JsonObject:
    """Answer for an account or a block that is not there."""
    return {"error_code": ErrorCode.NOT_EXIST.value, "result": None}


def refusal(refused: RefusedError) -> JsonObject:
    """Answer what the node will not do."""
    return {"error_code": refused.code.value, "error_desc": refused.text}


def account_base(account: Account) -> JsonObject:
    """Show an account: `result` of /getAccountBase."""
    shown = to_json(account.message())
    shown.setdefault("balance", 0)
    shown.setdefault("contract", None)
    return shown


def account_full(
    account: Account, metadatas: Iterable[tuple[str, Metadata]]
) -> JsonObject:
    """Show an account with metadata: `result` of /getAccount."""
    listed = [metadata_pair(key, metadata) for key, metadata in metadatas]
    return account_base(account) | {"assets": None, "metadatas": listed or None}


def metadata_pair(key: str, metadata: Metadata) -> JsonObject:
    """Show a metadata."""
    return {"key": key, "value": metadata.value, "version": metadata.version}


def account_metadata(metadatas: Iterable[tuple[str, Metadata]]) -> JsonObject | None:
    """Show metadata by their keys: `result` of /getAccountMetaData."""
    return {key: metadata_pair(key, metadata) for key, metadata in metadatas} or None


def header(shown: LedgerHeader, domain: int) -> JsonObject:
    """Show a header as it is asked for in a domain."""
    found = to_json(shown)
    if shown.version >= _VERSION_WITH_TREE_HASH:
        found["account_tree_hash"] = blocks.tree_hash(shown, domain).hex()
    return found


def ledger(
    chain: Ledger,
    shown: LedgerHeader,
    domain: int,
    wanted: AbstractSet[str] = frozenset(),
    leader: str = "",
) -> JsonObject:
    """Show a block: `result` of /getLedger.

    Args:
        chain: the chain.
        shown: header of the block.
        domain: the domain that is asked for.
        wanted: of "validator", "fee" and "consvalue", what to show too.
        leader: who led the block, if that is to be shown.
    """
    found: JsonObject = {
        "header": header(shown, domain),
        "ledger_length": blocks.ledger_length(shown),
    }
    if leader:
        found["leader"] = leader
    if "validator" in wanted:
        found["validators"] = list(chain.validators)
    if "fee" in wanted:
        rules = chain.chain.rules
        fees = FeeConfig(gas_price=rules.gas_price, base_reserve=rules.base_reserve)
        found["fees"] = to_json(fees)
    if "consvalue" in wanted:
        found["consensus_value"] = to_json(chain.consensus_message(shown.seq))
    return found


def anchored(found: Anchored | None) -> JsonObject | None:
    """Show a header that was sent to the main chain."""
    if found is None:
        return None
    return {"ledger_seq": found.seq, "hash": found.transaction.hex()}


def transaction(recorded: Recorded) -> JsonObject:
    """Show a transaction that is on the chain, as /getTransactionHistory does."""
    stored = recorded.message
    shown = {
        "actual_fee": stored.actual_fee,
        "close_time": stored.close_time,
        "error_code": stored.error_code,
        "error_desc": stored.error_desc,
        "hash": stored.hash.hex(),
        "ledger_seq": stored.ledger_seq,
        "tx_size": len(recorded.envelope),
    }
    if stored.contract_tx_hashes:
        shown["contract_tx_hashes"] = [h.hex() for h in stored.contract_tx_hashes]
    return shown | _envelope(stored.transaction_env)


def history(listed: list[JsonObject]) -> JsonObject:
    """Answer /getTransactionHistory with what was found."""
    result = {"total_count": len(listed), "transactions": listed}
    if listed:
        return success(result)
    return {
        "error_code": ErrorCode.NOT_EXIST.value,
        "error_desc": QUERY_NOT_EXIST,
        "result": result,
    }


def waiting(entry: Waiting) -> JsonObject:
    """Show a transaction that waits, as /getTransactionCache does."""
    environment = TransactionEnv.FromString(entry.transaction.envelope)
    return _envelope(environment) | {
        "hash": entry.transaction.hash.hex(),
        "incoming_time": entry.incoming_time,
        "status": "processing",
    }


def cache(listed: list[JsonObject]) -> JsonObject:
    """Answer /getTransactionCache with what was found."""
    return history(listed) | {"error_desc": "" if listed else QUERY_NOT_EXIST}


def submitted(results: list[tuple[bytes, RefusedError | None]]) -> JsonObject:
    """Answer /submitTransaction.

    Args:
        results: hash of each transaction, empty if it could not be read, and why it
            was refused; one that already waits counts as done.
    """
    shown = [_submitted(digest, refused) for digest, refused in results]
    done = [entry for entry in shown if not entry["error_code"]]
    return {"results": shown, "success_count": len(done)}


def evaluated(trial: Trial) -> JsonObject:
    """Answer /testTransaction."""
    environment = {"transaction": to_json(trial.content)}
    shown = {
        "actual_fee": trial.actual_fee,
        "gas": trial.gas,
        "transaction_env": environment,
    }
    result = {
        "hash": trial.hash.hex(),
        "logs": dict(trial.meter.logs) or None,
        "query_rets": None,
        "stat": trial.meter.stat() if trial.meter.steps else None,
        "txs": [shown],
    }
    return success(result) | {"error_desc": ""}


def called(answer: Answer) -> JsonObject:
    """Answer /callContract."""
    meter = answer.meter
    logs: JsonObject = {f"0-{answer.address}": None} | dict(meter.logs)
    result = {
        "logs": logs,
        "query_rets": [_returned(answer)],
        "stat": meter.stat(),
        "txs": None,
    }
    return success(result) | {"error_desc": ""}


def _returned(answer: Answer) -> JsonObject:
    if answer.refusal is None:
        return {"result": typed(answer.outcome.value if answer.outcome else None)}
    details = getattr(answer.refusal, "details", None)
    return {"error": {"data": details or {"exception": answer.refusal.text}}}


def typed(value: object) -> JsonObject:
    """Show what a contract returned, with its type."""
    if isinstance(value, bool):
        return {"type": "bool", "value": value}
    if isinstance(value, int | float):
        return {"type": "number", "value": value}
    if isinstance(value, str):
        return {"type": "string", "value": value}
    return {"type": "undefined", "value": None}


def latest(chain: Ledger, domain: int, most: int) -> Iterator[bytes]:
    """List the hashes of the latest transactions of a domain, newest block first.

    Blocks without transactions are skipped by the count that headers have; of the
    others, at most 1000 are looked at.
    """
    left, end = most, chain.last.seq + 1
    for _ in range(_MAX_BLOCKS):
        seq = _last_with_transactions(chain, end)
        if not seq:
            return
        for digest in chain.hashes(domain, seq):
            if not left:
                return
            left -= 1
            yield digest
        end = seq


def _last_with_transactions(chain: Ledger, end: int) -> int:
    """Find the last block before `end` that has transactions, or give 0."""
    count = _count(chain, end - 1)
    if not count:
        return 0
    return bisect_left(range(end), count, key=lambda seq: _count(chain, seq))


def _count(chain: Ledger, seq: int) -> int:
    found = chain.header(seq)
    return found.tx_count if found else 0


def _submitted(digest: bytes, refused: RefusedError | None) -> JsonObject:
    if refused is None or refused.code is ErrorCode.ALREADY_EXIST:
        code, text = ErrorCode.SUCCESS, ""
    else:
        code, text = refused.code, refused.text
    return {"error_code": code.value, "error_desc": text, "hash": digest.hex()}


def _envelope(environment: Message) -> JsonObject:
    """Show transaction, signatures and trigger, each under its name."""
    shown = to_json(environment)
    shown.setdefault("transaction", {})
    return shown
