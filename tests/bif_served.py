"""A chain in memory that faces can serve, for tests."""

import asyncio
import contextlib
import json

from chain_anchor.bif.account_edits import PlacedEdit
from chain_anchor.bif.addresses import is_address
from chain_anchor.bif.admission import check_submission
from chain_anchor.bif.anchored_headers import Anchored
from chain_anchor.bif.api import developer, dialect
from chain_anchor.bif.api.asking import Asked, Request
from chain_anchor.bif.certificates import certify
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.genesis import seeded_genesis
from chain_anchor.bif.pool import Pool
from resolver.faces.bif import BifFace
from resolver.faces.sockets import bind
from tests.bif_chains import KEYS, SECOND, TestChain

HOST = "127.0.0.1"


class MemoryChain:
    """A chain that closes a block with each submission, unless told otherwise."""

    name, chain_code, network_id = "test", "0", 7
    snapshots, faults = (), {}

    def __init__(self, *, strict: bool = False, automine: bool = True, **chain) -> None:
        self.test = TestChain(genesis=seeded_genesis(KEYS), **chain)
        self.strict, self.automine = strict, automine
        self.pool = Pool()
        self.accounts = KEYS.funded
        self.address = KEYS.validators[0].address()
        self.first_account = KEYS.first.address()
        self.time = SECOND
        self.listeners = []
        self.asked = 0
        self.failure = None

    @property
    def ledger(self):
        return self.test.ledger

    @property
    def mining(self):
        return ("automine" if self.automine else "manual"), 1000

    def now(self) -> int:
        return self.time

    def leader(self, seq: int) -> str:
        return self.ledger.validators[seq % 4]

    def certificate(self, seq: int) -> bytes:
        return certify(self.ledger.header(seq).hash, KEYS.validators)

    def anchored(self, seq: int):
        return Anchored(seq + 1, bytes(32)) if seq < self.ledger.last.seq else None

    async def run(self, question):
        self.asked += 1
        return question(self.ledger)

    async def submit(self, transactions):
        if self.failure:
            raise self.failure
        answers = [self._add(transaction) for transaction in transactions]
        if self.automine:
            await self.mine()
        return answers

    def _add(self, transaction):
        try:
            check_submission(transaction, self.ledger)
            self.pool.add(transaction, self.now())
        except RefusedError as refusal:
            return refusal
        for listener in self.listeners:
            listener.accepted(transaction)
        return None

    def listen(self, listener) -> None:
        self.listeners.append(listener)

    def unlisten(self, listener) -> None:
        self.listeners.remove(listener)

    async def mine(self, n: int = 1):
        for _ in range(n):
            block = self.test.close(*self.pool.ready(self._nonce))
            for domain, address in self.pool.sources():
                self.pool.settle((domain, address), self._nonce(domain, address))
            for listener in self.listeners:
                listener.closed(block)
        return self.ledger.last

    def drop(self, transaction) -> None:
        self.pool.remove(transaction.hash)
        refusal = RefusedError(ErrorCode.TX_TIMEOUT, "Transaction timeout")
        for listener in self.listeners:
            listener.dropped(transaction, refusal)

    def _nonce(self, domain: int, address: str) -> int:
        account = self.ledger.state(domain).account(address)
        return account.nonce if account else 0

    async def snapshot(self) -> int:
        return 1

    async def revert(self, number: int):
        if number != 1:
            raise RefusedError(ErrorCode.NOT_EXIST, f"Snapshot({number}) is unknown")
        return self.ledger.last

    async def set_time(self, microseconds: int) -> None:
        self.time = microseconds

    async def advance(self, microseconds: int) -> None:
        self.time += microseconds

    async def set_mining(self, mode, interval_ms: int = 1000, *, empty=False) -> None:
        self.automine, self.empty = mode == "automine", empty

    async def set_account(self, address: str, edit, domain: int = 0):
        if not is_address(address):
            raise RefusedError(ErrorCode.INVALID_ADDRESS, "'address' is not valid")
        edit.check()
        edits = [PlacedEdit(domain, address, edit)]
        self.ledger.close([], self.ledger.last.close_time + 1, edits=edits)
        return self.ledger.last

    def set_fault(self, name: str, count: int = 1, **options: int) -> None:
        if name not in ("late_confirmation", "lost_transaction", "leader_crash"):
            raise RefusedError(ErrorCode.INVALID_PARAMETER, f"fault {name} is unknown")
        self.faults = self.faults | {name: count}

    def ask(self, target: str, body: object = b""):
        """Ask the dialect; give the document."""
        return asyncio.run(dialect.answer(self._asked(target, body)))

    def develop(self, method: str, target: str, body: object = b""):
        asked = self._asked(target, body)
        return asyncio.run(developer.answer(asked, self, method, lambda count: count))

    def _asked(self, target: str, body: object) -> Asked:
        path, _, query = target.partition("?")
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(path, query.encode(), octets)
        return Asked(self, request, 7053, lambda count: b"\7" * count)


def item(transaction) -> dict:
    """Make an item of /submitTransaction."""
    return {
        "transaction_blob": transaction.blob.hex(),
        "signatures": [
            {"public_key": one.public_key, "sign_data": one.sign_data.hex()}
            for one in transaction.signatures
        ],
    }


@contextlib.asynccontextmanager
async def serving(chain):
    """Serve a chain on free ports; give the face."""
    http, websocket = (bind((HOST,), 0, ("tcp",), "test") for _ in range(2))
    face = BifFace(chain, http, websocket)
    await face.start()
    face.http_port, face.websocket_port = http.port, websocket.port
    try:
        yield face
    finally:
        await face.close()
