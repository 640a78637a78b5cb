"""A chain's node, asked over one kept connection, and transactions made ready for it.

Bodies are made and signed before anything is timed, so that the time is the node's.
"""

import http.client
import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from chain_anchor.bif import addresses
from chain_anchor.bif.chain_pb2 import Operation, OperationPayCoin, Transaction
from chain_anchor.bif.keys import PrivateKey
from chain_anchor.bif.transactions import sign

_SECONDS = 120.0
_FEE_LIMIT = 10**9


class Node:
    """One connection to a node.

    Raises:
        RuntimeError: It refuses what it is asked.
    """

    def __init__(self, url: str) -> None:
        split = urlsplit(url)
        assert split.hostname is not None
        self._connection = http.client.HTTPConnection(
            split.hostname, split.port, timeout=_SECONDS
        )

    def submit(self, body: bytes) -> None:
        """Send transactions of which none may be refused."""
        answer = self._ask("POST", "/submitTransaction", body)
        if answer["success_count"] != len(answer["results"]):
            refused = [one for one in answer["results"] if one["error_code"]]
            raise RuntimeError(f"refused: {refused[0]}")

    def develop(self, path: str, **arguments: object) -> Any:
        """Ask for something below /_dev."""
        body = json.dumps(arguments).encode()
        return self._result(self._ask("POST", f"/_dev/{path}", body))

    def nonce(self, address: str) -> int:
        """Give the nonce of an account."""
        found = self._result(self._ask("GET", f"/getAccountBase?address={address}"))
        return int(found.get("nonce", 0))

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        self._connection.request(method, path, body)
        return json.loads(self._connection.getresponse().read())

    def _result(self, answer: Any) -> Any:
        if answer["error_code"]:
            raise RuntimeError(f"refused: {answer}")
        return answer["result"]


class Payer:
    """An account that pays, and the nonce of its last transaction."""

    def __init__(self, key: PrivateKey, nonce: int = 0) -> None:
        self.key = key
        self.nonce = nonce

    def body(self, payments: Sequence[Sequence[str]]) -> bytes:
        """Make a submission: of each transaction the addresses that get 1."""
        return json.dumps({"items": [self._item(to) for to in payments]}).encode()

    def _item(self, to: Sequence[str]) -> dict[str, object]:
        self.nonce += 1
        content = Transaction(
            source_address=self.key.address(),
            nonce=self.nonce,
            fee_limit=_FEE_LIMIT,
            operations=[
                Operation(
                    type=Operation.PAY_COIN,
                    pay_coin=OperationPayCoin(dest_address=address, amount=1),
                )
                for address in to
            ],
        )
        signed = sign(content.SerializeToString(), [self.key])
        signatures = [
            {"public_key": one.public_key, "sign_data": one.sign_data.hex()}
            for one in signed.signatures
        ]
        return {"transaction_blob": signed.blob.hex(), "signatures": signatures}


def address_of(number: int) -> str:
    """Give the address of an account whose key nobody has."""
    return addresses.of_hash(sha256(b"bench/%d" % number).digest(), "ef")
