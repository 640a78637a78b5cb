"""Keep the fingerprints of products in a contract on the local 星火·链网.

    idis up                                  # in another terminal
    python examples/chain_contract.py        # or with the URL of another node

The contract runs on the chain, in JavaScript: whoever pays it a text writes it down, and
nobody can change what is written. Everything is undone at the end.
"""

import hashlib
import json
import sys
import urllib.request

from chain_anchor.bif.client import (
    AnsweredError,
    ChainClient,
    ContractLogs,
    Kind,
    PrivateKey,
    Wanted,
    operation,
)

CONTRACT = """
"use strict";
function init(input) { return; }
function main(input) {
  let entry = JSON.parse(input);
  Utils.assert(Chain.load(entry.product) === false, "already written down");
  Chain.store(entry.product, entry.fingerprint);
  Chain.tlog("written", entry.product);
}
function query(product) { return Chain.load(product); }
"""
# Of the first account that `idis up` prints.
KEY = "priSPKsxbmKcKwoNQaW4gFamnKLvaUKT2QicLqKVx7mXZCE5ED"


def develop(url: str, what: str) -> dict[str, int]:
    """Do what only a developer's chain can do."""
    request = urllib.request.Request(f"{url}/_dev/{what}", method="POST")
    with urllib.request.urlopen(request) as answer:
        found: dict[str, int] = json.load(answer)["result"]
    return found


def main(url: str) -> None:
    """Create the contract, use it, and go back to where the chain was."""
    key = PrivateKey.parse(KEY)
    snapshot = develop(url, "snapshot")["snapshot"]
    with ChainClient(url) as chain:
        created = chain.send(key, operation.create_contract(CONTRACT))
        [contract] = created.contracts
        print(f"block {created.ledger_seq}: contract {contract}")

        fingerprint = hashlib.sha256(b"what the product is").hexdigest()
        entry = {"product": "88.118.7/SN0001", "fingerprint": fingerprint}
        call = operation.pay(contract, 0, json.dumps(entry))
        logs = Wanted((Kind.CONTRACT_LOG,), contract=contract)
        with chain.subscribe(logs) as events:
            written = chain.send(key, call)
            print(f"block {written.ledger_seq}: cost {written.actual_fee}")
            event = events.next(seconds=10)
            assert isinstance(event, ContractLogs)
            [told] = event.logs.tlogs
            print(f"told of: {told.topic} {told.tlog[0]}")
        print(f"on the chain: {chain.query(contract, '88.118.7/SN0001')}")

        try:
            chain.send(key, call)
        except AnsweredError as error:
            print(f"once more: {error}")
    develop(url, f"revert?snapshot={snapshot}")
    print("undone")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:27002")
