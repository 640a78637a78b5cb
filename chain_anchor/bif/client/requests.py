"""What a node is asked: methods, paths and bodies (bif notes §1.2 to §1.4), no I/O.

Every request may be sent again when its answer was lost: reading changes nothing, and a
transaction that a node already has is not taken a second time.
"""

import json
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, urlencode

from chain_anchor.bif import chain_pb2
from chain_anchor.bif.client.signing import SignedBlob
from chain_anchor.bif.json_form import JsonObject, to_json
from chain_anchor.bif.rules import MAIN_DOMAIN

QUERY_ENTRY = 2
"""`opt_type` of a contract's `query`."""


class Request(NamedTuple):
    """A request to a node."""

    endpoint: str
    query: str = ""
    """Percent-encoded."""

    body: bytes = b""
    """JSON, if it is a POST."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        return "POST" if self.body else "GET"

    @property
    def target(self) -> str:
        """Path and query below the node's URL."""
        return f"{self.endpoint}?{self.query}" if self.query else self.endpoint


def hello() -> Request:
    """Ask what the node is."""
    return Request("hello")


def account(address: str, domain: int) -> Request:
    """Ask for an account without its metadata."""
    return _get("getAccountBase", domain, address=address)


def metadata(address: str, key: str | None, domain: int) -> Request:
    """Ask for one metadata of an account, or for all."""
    return _get("getAccountMetaData", domain, address=address, key=key)


def block(seq: int | None, domain: int) -> Request:
    """Ask for a block, or for the last one, with its leader and the validators."""
    return _get("getLedger", domain, seq=seq, with_leader="true", with_validator="true")


def block_proof(seq: int, domain: int) -> Request:
    """Ask for what proves a block offline; only the emulator has the certificate."""
    wanted = {"with_consvalue": "true", "with_proof": "true"}
    return _get("getLedger", domain, seq=seq, **wanted)


def anchored(seq: int, domain: int) -> Request:
    """Ask which header was sent to the main chain; only the emulator says so."""
    return _get("getLedger", domain, seq=seq, with_anchored="true")


def transaction(digest: str, domain: int) -> Request:
    """Ask for a transaction that is in a block."""
    return _get("getTransactionHistory", domain, hash=digest)


def block_transactions(seq: int, start: int, limit: int, domain: int) -> Request:
    """Ask for the transactions of a block."""
    return _get(
        "getTransactionHistory", domain, ledger_seq=seq, start=start, limit=limit
    )


def pool(digest: str | None, limit: int | None, domain: int) -> Request:
    """Ask for the transactions that wait, or for one of them."""
    return _get("getTransactionCache", domain, hash=digest, limit=limit)


def pool_size(domain: int) -> Request:
    """Ask how many transactions wait."""
    return _get("getTxCacheSize", domain)


def submit(transactions: Iterable[SignedBlob]) -> Request:
    """Submit transactions; each is taken or refused alone."""
    return _post("submitTransaction", {"items": [_item(each) for each in transactions]})


def evaluate(content: chain_pb2.Transaction, signatures: int) -> Request:
    """Ask what a transaction will cost."""
    item = {"transaction_json": to_json(content), "signature_number": signatures}
    return _post("testTransaction", {"items": [item]})


def query(contract: str, text: str, source: str, domain: int) -> Request:
    """Call the `query` of a contract, which changes nothing."""
    body: JsonObject = {
        "contract_address": contract,
        "input": text,
        "opt_type": QUERY_ENTRY,
        "domain_id": domain,
    }
    if source:
        body["source_address"] = source
    return _post("callContract", body)


def _item(transaction: SignedBlob) -> JsonObject:
    return {
        "transaction_blob": transaction.blob.hex(),
        "signatures": [
            {"public_key": public_key, "sign_data": sign_data.hex()}
            for public_key, sign_data in transaction.signatures
        ],
    }


def _get(endpoint: str, domain: int, **values: str | int | None) -> Request:
    present = {name: value for name, value in values.items() if value is not None}
    if domain != MAIN_DOMAIN:
        present["domainid"] = domain
    return Request(endpoint, urlencode(present, quote_via=quote))


def _post(endpoint: str, content: JsonObject) -> Request:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Request(endpoint, body=body.encode())
