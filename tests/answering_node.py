"""HTTP servers that stand in for a node: one that answers as it is told, and a chain.

`AnsweringNode` answers from a function, so a test can have a node say anything.
`chain_answers` is such a function over a chain in memory that closes a block for each
submission: enough of a node for clients to go through their calls (bif notes §1).
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from chain_anchor.bif import answers, trial
from chain_anchor.bif.admission import check_submission
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.pool import Pool
from chain_anchor.bif.transactions import SignedTransaction, content_of_json, read_item
from tests.bif_chains import SECOND, TestChain


class Asked(NamedTuple):
    """A request that came."""

    endpoint: str
    values: dict[str, str]
    """What the query has, without what is empty or null."""

    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


Answers = Callable[[Asked], object]
"""Gives octets, or what is answered as JSON."""


@contextlib.contextmanager
def answering_node(answer: Answers) -> Iterator[str]:
    """Run a server on a free port of the loopback; give its URL."""

    class Handler(_Handler):
        answers = staticmethod(answer)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    answers: Answers

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        values = dict(parse_qsl(parts.query))
        present = {name: value for name, value in values.items() if value != "null"}
        length = int(self.headers.get("Content-Length") or 0)
        asked = Asked(parts.path.rpartition("/")[2], present, self.rfile.read(length))
        answer = self.answers(asked)
        octets = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    do_POST = do_GET

    def log_message(self, *arguments: object) -> None:
        pass


class ChainAnswers:
    """Answers of a node over a chain in memory."""

    def __init__(self, chain: TestChain, websocket_port: int = 0) -> None:
        self.chain = chain
        self.pool = Pool()
        self.paused = False
        """Whether submissions only wait."""

        self._websocket_port = websocket_port
        self._turn = threading.Lock()

    def __call__(self, asked: Asked) -> object:
        with self._turn:
            try:
                return getattr(self, f"_{asked.endpoint}")(asked)
            except RefusedError as refused:
                return answers.refusal(refused)

    @property
    def _ledger(self):
        return self.chain.ledger

    def _hello(self, asked: Asked) -> object:
        return {
            "address_prefix": "did:bid:",
            "chain_code": self._ledger.chain.ac,
            "ledger_version": self._ledger.last.version,
            "websocket_port": self._websocket_port,
        }

    def _getAccountBase(self, asked: Asked) -> object:
        account = self._account(asked)
        if account is None:
            return answers.not_exist()
        return answers.success(answers.account_base(account))

    def _getAccount(self, asked: Asked) -> object:
        account = self._account(asked)
        if account is None:
            return answers.not_exist()
        return answers.success(answers.account_full(account, self._metadata(asked)))

    def _getAccountMetaData(self, asked: Asked) -> object:
        if self._account(asked) is None:
            return answers.not_exist()
        return answers.success(answers.account_metadata(self._metadata(asked)))

    def _getLedger(self, asked: Asked) -> object:
        seq = int(asked.values.get("seq", self._ledger.last.seq))
        domain = _domain(asked)
        self._ledger.state(domain)
        header = self._ledger.header(seq)
        if header is None:
            return answers.not_exist()
        wanted = {"validator"} if "with_validator" in asked.values else set()
        leader = self._ledger.validators[0] if "with_leader" in asked.values else ""
        shown = answers.ledger(self._ledger, header, domain, wanted, leader)
        return answers.success(shown)

    def _getTransactionHistory(self, asked: Asked) -> object:
        domain = _domain(asked)
        self._ledger.state(domain)
        if "hash" in asked.values:
            hashes = [bytes.fromhex(asked.values["hash"])]
        else:
            hashes = self._ledger.hashes(domain, int(asked.values["ledger_seq"]))
        start, limit = (
            int(asked.values.get(name, default))
            for name, default in (("start", 0), ("limit", 1000))
        )
        found = [self._ledger.transaction(digest) for digest in hashes]
        listed = [answers.transaction(entry) for entry in found if entry]
        return answers.history(listed[start : start + limit])

    def _getTransactionCache(self, asked: Asked) -> object:
        digest = asked.values.get("hash")
        waiting = [
            entry
            for entry in self.pool
            if digest in (None, entry.transaction.hash.hex())
        ]
        return answers.cache([answers.waiting(entry) for entry in waiting])

    def _getTxCacheSize(self, asked: Asked) -> object:
        return {"queue_size": len(self.pool)}

    def _submitTransaction(self, asked: Asked) -> object:
        results = [self._submit(item) for item in asked.content["items"]]
        if not self.paused:
            self.close()
        return answers.submitted(results)

    def _testTransaction(self, asked: Asked) -> object:
        [item] = asked.content["items"]
        content = content_of_json(item["transaction_json"])
        signatures = int(item.get("signature_number", 1))
        return answers.evaluated(trial.evaluate(self._ledger, content, signatures))

    def _callContract(self, asked: Asked) -> object:
        content = asked.content
        domain, address = (
            int(content.get("domain_id") or 0),
            content["contract_address"],
        )
        code = trial.contract_at(self._ledger, domain, address)
        if code is None:
            return answers.not_exist()
        invoked = trial.Invocation(code, address, input=content.get("input", ""))
        return answers.called(trial.call(self._ledger, domain, invoked))

    def _submit(self, item: object) -> tuple[bytes, RefusedError | None]:
        digest = b""
        try:
            transaction = read_item(item)
            digest = transaction.hash
            if self.pool.get(digest) is None:
                check_submission(transaction, self._ledger)
            self.pool.add(transaction, self._ledger.last.close_time)
        except RefusedError as refused:
            return digest, refused
        return digest, None

    def close(self) -> None:
        """Put what is ready into blocks."""
        while ready := self._ready():
            self._ledger.close(ready, self._ledger.last.close_time + SECOND)
            for transaction in ready:
                self.pool.remove(transaction.hash)

    def _ready(self) -> list[SignedTransaction]:
        def nonce_of(domain: int, address: str) -> int:
            account = self._ledger.state(domain).account(address)
            return account.nonce if account else 0

        return self.pool.ready(nonce_of)

    def _account(self, asked: Asked):
        return self._ledger.state(_domain(asked)).account(_address(asked))

    def _metadata(self, asked: Asked):
        state, address = self._ledger.state(_domain(asked)), _address(asked)
        key = asked.values.get("key")
        if key is None:
            return list(state.metadatas(address))
        found = state.metadata(address, key)
        return [(key, found)] if found else []


def _domain(asked: Asked) -> int:
    return int(asked.values.get("domainid", 0))


def _address(asked: Asked) -> str:
    if "address" not in asked.values:
        raise RefusedError(ErrorCode.INVALID_ADDRESS, "Address is not valid")
    return asked.values["address"]
