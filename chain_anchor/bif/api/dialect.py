"""The node's HTTP API: a request in, the octets of an answer out (bif notes §1).

    path            decides; the method does not
    status          200 for everything
    JSON            errors are `error_code` and `error_desc`
    unknown paths   the text "File not found"

Nothing here waits but for the chain.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from chain_anchor.bif import answers
from chain_anchor.bif.api import execution, queries, submission, tools
from chain_anchor.bif.api.asking import Asked, Fields, Request, invalid, listed
from chain_anchor.bif.errors import RefusedError
from chain_anchor.bif.json_form import Json, JsonObject

MAX_QUERIES: Final = 64
"""Most requests inside one /multiQuery."""

NOT_FOUND: Final = b"File not found"

Handler = Callable[[Asked], Awaitable[JsonObject]]


async def answer(asked: Asked) -> JsonObject | None:
    """Answer a request; None if there is no such path."""
    handler = ENDPOINTS.get(asked.request.path.lstrip("/"))
    if handler is None:
        return None
    try:
        return await handler(asked)
    except RefusedError as refusal:
        return refused(refusal)


def refused(refusal: RefusedError) -> JsonObject:
    """Answer a request as a whole that is refused."""
    return answers.refusal(refusal) | {"result": None}


async def multi_query(asked: Asked) -> JsonObject:
    """Answer several requests, one after the other."""
    items = listed(asked.document.get("items"), "items", MAX_QUERIES)
    return {"results": [await _one_of_many(asked, item) for item in items]}


async def _one_of_many(asked: Asked, item: Json) -> JsonObject:
    try:
        one = replace(asked, request=_inner(item))
    except RefusedError as refusal:
        return refused(refusal)
    found = await answer(one)
    return refused(invalid(NOT_FOUND.decode())) if found is None else found


def _inner(item: Json) -> Request:
    """Make the request that an item of /multiQuery describes."""
    if not isinstance(item, dict):
        raise invalid("'items' must be an array of objects")
    path, _, query = Fields(item).text("url").partition("?")
    if path.lstrip("/") == _MULTI_QUERY:
        raise invalid(f"{_MULTI_QUERY} inside {_MULTI_QUERY} is not taken")
    data = item.get("jsonData")
    body = data if isinstance(data, str) else json.dumps(data)
    query_octets, body_octets = (
        part.encode(errors="replace") for part in (query, body)
    )
    return Request(unquote(path), query_octets, body_octets)


_MULTI_QUERY: Final = "multiQuery"

ENDPOINTS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "callContract": execution.call_contract,
        "createKeyPair": tools.create_key_pair,
        "getAccount": queries.account,
        "getAccountAssets": queries.account_assets,
        "getAccountBase": queries.account_base,
        "getAccountMetaData": queries.account_metadata,
        "getAddress": tools.address,
        "getConsensusInfo": queries.consensus_info,
        "getGenesisAccount": queries.genesis_account,
        "getLedger": queries.ledger,
        "getLedgerValidators": queries.ledger_validators,
        "getModulesStatus": queries.modules_status,
        "getPeerAddresses": queries.peer_addresses,
        "getStatus": queries.status,
        "getTransactionBlob": tools.transaction_blob,
        "getTransactionCache": queries.transaction_cache,
        "getTransactionFromBlob": tools.transaction_from_blob,
        "getTransactionHistory": queries.transaction_history,
        "getTxCacheSize": queries.cache_size,
        "hello": queries.hello,
        _MULTI_QUERY: multi_query,
        "submitTransaction": submission.submit_transaction,
        "testTransaction": execution.test_transaction,
        "updateLogLevel": tools.update_log_level,
    }
)
