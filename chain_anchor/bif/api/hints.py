"""What to do about an error: text for people, beside the node's own (convention).

A hint stands in an answer as one more member, `hint`, beside `error_code`: in the answer
itself, in each of its `results`, and in transactions that failed. Code and text stay as
they are. A strict node gives no hints.
"""

import re
from typing import Final, NamedTuple

from chain_anchor.bif.errors import ErrorCode
from chain_anchor.bif.json_form import Json, JsonObject


class _Hint(NamedTuple):
    code: int
    pattern: re.Pattern[str]
    """Of the node's text; the first that is found counts."""

    text: str


def hint_for(code: int, text: str) -> str:
    """Give the hint for an error of the node, empty if there is none."""
    for hint in _HINTS:
        if hint.code == code and hint.pattern.search(text):
            return hint.text
    return ""


def with_hints(document: JsonObject) -> JsonObject:
    """Add `hint` to an answer that is an error, and to each part of it that is one."""
    hint = _own_hint(document)
    shown = document | ({"hint": hint} if hint else {})
    for name in ("results", "transactions"):
        parts = document.get(name)
        if isinstance(parts, list):
            shown[name] = [
                with_hints(part) if isinstance(part, dict) else part for part in parts
            ]
    result = document.get("result")
    if isinstance(result, dict) and "transactions" in result:
        shown["result"] = with_hints(result)
    return shown


def _own_hint(part: Json) -> str:
    if not isinstance(part, dict):
        return ""
    code, text = part.get("error_code"), part.get("error_desc")
    if not isinstance(code, int) or code == ErrorCode.SUCCESS:
        return ""
    return hint_for(code, text if isinstance(text, str) else "")


def _hint(code: ErrorCode, pattern: str, text: str) -> _Hint:
    return _Hint(code.value, re.compile(pattern), text)


_HINTS: Final = (
    _hint(
        ErrorCode.INVALID_PARAMETER,
        "must be Hex",
        "write octets as hexadecimal digits, two for each, without 0x",
    ),
    _hint(
        ErrorCode.INVALID_PARAMETER,
        "must be a transaction",
        "the blob is the message protocol.Transaction, serialised",
    ),
    _hint(
        ErrorCode.INVALID_PARAMETER,
        "in json format",
        "send the JSON object itself as the body; its content type does not matter",
    ),
    _hint(
        ErrorCode.INVALID_PARAMETER,
        "check same chain",
        "leave chain_id out of the transaction, or set it to the node's",
    ),
    _hint(
        ErrorCode.INVALID_PARAMETER,
        "^Limit ledger sequence",
        "ceil_ledger_seq is a block number: add what you allow to the present one "
        "(/getLedger), or leave it 0",
    ),
    _hint(
        ErrorCode.INVALID_PARAMETER,
        "gas price",
        "raise gas_price to what /getLedger?with_fee=true shows",
    ),
    _hint(
        ErrorCode.NOT_EXIST,
        "query result",
        "a transaction is found once its block is closed: look again, in the domain it "
        "was sent to, or see /getTransactionCache",
    ),
    _hint(
        ErrorCode.NOT_EXIST,
        "^$",
        "there is no such account or block: an account is there once somebody has paid "
        "it, in that domain; funded ones are listed at /_dev/accounts",
    ),
    _hint(
        ErrorCode.INVALID_SIGNATURE,
        "",
        "sign the octets of the blob, not their hash nor their hexadecimal text, with "
        "keys that weigh enough (/getAccountBase, priv)",
    ),
    _hint(
        ErrorCode.INVALID_PUBLIC_KEY,
        "",
        "give the encoded public key: b06566 or b07a66 and the key, in hexadecimal",
    ),
    _hint(
        ErrorCode.INVALID_ADDRESS,
        "",
        "an address is did:bid:, on a sub-chain its code and a colon, then ef or zf "
        "and base58 of 22 octets",
    ),
    _hint(
        ErrorCode.BAD_SEQUENCE,
        "",
        "ask for the nonce again (/getAccountBase) and add 1; count on by yourself "
        "while your own transactions wait",
    ),
    _hint(
        ErrorCode.ACCOUNT_LOW_RESERVE,
        "",
        "the balance must cover the amount and all of fee_limit; fund the account "
        "with POST /_dev/account",
    ),
    _hint(
        ErrorCode.ACCOUNT_DEST_EXIST,
        "",
        "the account is there already: pay it instead of creating it",
    ),
    _hint(
        ErrorCode.ACCOUNT_NOT_EXIST,
        "",
        "pay the account first from a funded one (/_dev/accounts), in the same domain",
    ),
    _hint(
        ErrorCode.FEE_NOT_ENOUGH,
        "",
        "fee_limit must be gas times gas_price: the octets of the transaction, and "
        "1 000 000 more for each contract it creates; /testTransaction tells",
    ),
    _hint(
        ErrorCode.INVALID_DATA_VERSION,
        "",
        "version must be the stored one plus 1, or 0 to write whatever is there",
    ),
    _hint(
        ErrorCode.CONTRACT_EXECUTE_FAIL,
        "",
        "the contract threw this, or Utils.assert did; Utils.log in it shows in logs of "
        "/callContract",
    ),
    _hint(
        ErrorCode.CONTRACT_SYNTAX_ERROR,
        "",
        "a contract begins with 'use strict'; and has init, main and query; the node "
        "refuses ==, !=, ++, --, try, Date, Math, eval and the like",
    ),
    _hint(
        ErrorCode.CONTRACT_EXECUTE_EXPIRED,
        "",
        "a transaction's contracts have 10 240 steps, 30 MiB and one second together",
    ),
    _hint(
        ErrorCode.INVALID_CONTRACT,
        "^System contract",
        "BID documents, cross-chain transactions and permits are not emulated",
    ),
    _hint(
        ErrorCode.NOT_EXIST,
        "^System contract",
        "BID documents, cross-chain transactions and permits are not emulated",
    ),
    _hint(
        ErrorCode.NOT_EXIST,
        "^Contract account",
        "a contract's address is in error_desc of the transaction that created it "
        "(/getTransactionHistory), and it is only in that transaction's domain",
    ),
    _hint(
        ErrorCode.INVALID_CONTRACT,
        "",
        "only JavaScript contracts run here: type 0",
    ),
    _hint(
        ErrorCode.TX_INSERT_QUEUE_FAIL,
        "low fee",
        "a transaction with this nonce waits: offer a tenth more gas_price, or use the "
        "next nonce",
    ),
    _hint(
        ErrorCode.DOMAIN_NOT_EXIST,
        "",
        "domains are 0 and 20 to 24: domainid in a query, domain_id in a transaction",
    ),
)
