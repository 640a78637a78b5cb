"""A chain of `idis up` under clients that are broken, or mean it.

Whatever they do, it goes on answering others, keeps its state, and holds nothing of
theirs once they are gone.
"""

import contextlib
import http.client
import json
import random
import socket
import threading
import time
from urllib.parse import urlsplit

import psutil
import pytest

from chain_anchor.bif.client import AnsweredError, ChainClient, PrivateKey, operation
from chain_anchor.bif.client.signing import Terms
from resolver.faces.bif_bodies import MAX_BODY_OCTETS
from resolver.running import run_network

HOST = "127.0.0.1"
PATIENCE_SECONDS = 10
IDLE = 1000
HALF_OPEN = 400
CALLERS = 4
BODIES = 4
ROUNDS = 60
CONTRACT_FEE = 200_000_000
DESTINATION = PrivateKey.from_seed("1", "destination").address()
OPENING = (
    b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
ENTRIES = '"use strict";function init(){return;}function main(){return;}'
GREEDY = {
    "steps": "while(true){}",
    "objects": "let a=[];while(true){a.push({});}",
    "text": 'let s="x".repeat(1000);for(;;){s=s+s.slice(1);}',
    "one text": 'return "x".repeat(1000000000);',
    "numbers": "let x=3n;while(true){x=x*x;}",
    "stack": "return query(i);",
    "expression": 'return /^(a+)+$/.test("a".repeat(40)+"b");',
    "state": 'while(true){Chain.load("k");}',
    "hashes": "while(true){i=Utils.sha256(i,1);}",
    "logs": 'while(true){Utils.log("x".repeat(100000));}',
}


class Abused:
    """The chain, and the process that it is in."""

    def __init__(self, network) -> None:
        self.described = network.chain("wuhan")
        self.process = psutil.Process(network.ready["pid"])
        self.http = urlsplit(self.described["http"]).port
        self.websocket = urlsplit(self.described["ws"]).port
        self.key = PrivateKey.parse(self.described["accounts"][0]["private_key"])
        self.client = ChainClient(self.described["http"])

    def ask(self, target, body=None):
        connection = http.client.HTTPConnection(HOST, self.http, PATIENCE_SECONDS)
        with contextlib.closing(connection):
            connection.request("GET" if body is None else "POST", target, body)
            answer = connection.getresponse()
            assert answer.status == 200
            return json.loads(answer.read())

    def call(self, script):
        body = {"code": f"{ENTRIES}function query(i){{{script}}}", "input": "x"}
        return self.ask("/callContract", json.dumps(body | {"opt_type": 2}))

    def create(self, code):
        terms = Terms(fee_limit=CONTRACT_FEE)
        made = operation.create_contract(code)
        return self.client.send(self.key, made, terms=terms)

    def told(self, port, octets):
        """Send octets and no more; give what comes until the connection ends."""
        with self.open(port) as client:
            client.sendall(octets)
            client.shutdown(socket.SHUT_WR)
            return client.makefile("rb").read()

    def open(self, port=None):
        address = HOST, self.http if port is None else port
        return socket.create_connection(address, PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def abused():
    arguments = ("--secondaries", "1", "--port-base", "0", "--no-anchoring")
    with run_network(*arguments, "--fast-path", "off") as network:
        chain = Abused(network)
        with chain.client:
            # Loads the engines, whose files stay open.
            chain.call("return 1;")
            chain.create(f"{ENTRIES}function query(i){{return i;}}")
            yield chain


@pytest.fixture(autouse=True)
def unharmed(abused):
    """Check that a client that behaves notices nothing, and that nothing is left."""
    chain = abused
    chain.ask("/hello")
    files = chain.process.num_fds()
    yield
    assert chain.process.is_running()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while chain.process.num_fds() > files:
        assert time.monotonic() < deadline, "files of clients that are gone stay open"
        assert chain.ask("/hello")["chain_code"] == "0"
    sent = chain.client.send(chain.key, operation.pay(DESTINATION, 1))
    assert sent.code == 0


@pytest.mark.parametrize("what", GREEDY)
def test_a_greedy_call_is_ended(abused, what):
    found = abused.call(GREEDY[what])
    [returned] = found["result"]["query_rets"]
    assert returned["error"]["data"]["exception"]


@pytest.mark.parametrize("what", GREEDY)
def test_a_greedy_contract_is_not_created(abused, what):
    payload = GREEDY[what].replace("query(i)", "init(i)")
    code = f'"use strict";function init(i){{{payload}}}'
    code += "function main(){return;}function query(){return;}"
    nonce = abused.client.nonce(abused.key.address())
    with pytest.raises(AnsweredError) as refused:
        abused.create(code)
    assert refused.value.code in (151, 155)
    assert abused.client.nonce(abused.key.address()) == nonce + 1


def test_greedy_calls_hold_up_nobody_else(abused):
    scripts = [GREEDY[what] for what in ("expression", "state", "hashes", "logs")]
    chosen = [scripts[number % len(scripts)] for number in range(CALLERS)]
    threads = [threading.Thread(target=abused.call, args=(text,)) for text in chosen]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        begun = time.monotonic()
        abused.ask("/hello")
        assert time.monotonic() - begun < PATIENCE_SECONDS / 2
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_bound_is_answered_all_the_same(abused, chunked):
    octets = b" " * (MAX_BODY_OCTETS + 1)
    body = iter([octets]) if chunked else octets
    found = abused.ask("/submitTransaction", body)
    assert found["error_code"] == 2
    assert str(MAX_BODY_OCTETS) in found["error_desc"]


BLANKS = b" " * (MAX_BODY_OCTETS - 100)
BIG = {
    "no item": ("/submitTransaction", b'{"items":[' + BLANKS + b"1]}"),
    "no transaction": (
        "/submitTransaction",
        b'{"items":[{"transaction_blob":"' + BLANKS.replace(b" ", b"f") + b'"}]}',
    ),
    "a script": ("/callContract", b'{"code":"' + BLANKS + b'"}'),
}


@pytest.mark.parametrize("what", BIG)
def test_bodies_do_not_pile_up(abused, what):
    held = []
    for _ in range(2 * BODIES):
        abused.ask(*BIG[what])
        held.append(abused.process.memory_info().rss)
    # The allocator keeps what the first ones took.
    assert held[-1] < held[BODIES - 1] + (BODIES - 1) * MAX_BODY_OCTETS


def test_who_sends_half_a_request_holds_up_nobody(abused):
    head = b"POST /submitTransaction HTTP/1.1\r\nhost: x\r\ncontent-length: 16000000\r\n\r\n{"
    with contextlib.ExitStack() as stack:
        for _ in range(HALF_OPEN):
            stack.enter_context(abused.open()).sendall(head)
        assert abused.ask("/hello")["chain_code"] == "0"


def test_who_stops_sending_is_answered_or_cut(abused):
    for octets in (b"", b"GET /hello", b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n"):
        answer = abused.told(abused.http, octets)
        assert answer.startswith(b"HTTP/1.1 200") == octets.endswith(b"\r\n\r\n")


def test_a_thousand_idle_connections_cost_little(abused):
    before = abused.process.memory_info().rss
    with contextlib.ExitStack() as stack:
        for _ in range(IDLE):
            stack.enter_context(abused.open())
            stack.enter_context(abused.open(abused.websocket))
        assert abused.ask("/hello")["chain_code"] == "0"
        assert abused.process.num_fds() >= IDLE
        assert abused.process.memory_info().rss < before + (32 << 20)


def test_who_does_not_read_is_cut(abused):
    before = abused.process.memory_info().rss
    request = b"GET /getLedger?with_consvalue=true HTTP/1.1\r\nhost: x\r\n\r\n"
    with abused.open() as slow:
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                slow.sendall(request * 100)
        assert abused.ask("/hello")["chain_code"] == "0"
        assert abused.process.memory_info().rss < before + (32 << 20)


@pytest.mark.parametrize("face", ["http", "websocket"])
def test_any_octets_are_survived(abused, face):
    starts = [
        b"",
        b"GET /getLedger HTTP/1.1\r\nhost: x\r\n",
        b"POST /callContract HTTP/1.1\r\nhost: x\r\ncontent-length: 40\r\n\r\n",
        OPENING,
    ]
    for number in range(ROUNDS):
        chance = random.Random(number)
        octets = chance.choice(starts) + chance.randbytes(chance.randrange(400))
        with contextlib.suppress(ConnectionError):
            abused.told(getattr(abused, face), octets)
