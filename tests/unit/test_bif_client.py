"""The client's parts that do no I/O, and what it does when a node behaves badly."""

import contextlib
import socket
import threading

import pytest
from hypothesis import given, strategies as st

from chain_anchor.bif.client import (
    BadAnswerError,
    ChainClient,
    ChainError,
    ChainSettings,
    MissingError,
    PrivateKey,
    Terms,
    TimedOutError,
    UnreachableError,
    Wanted,
    operation,
    requests,
    results,
    signing,
)
from chain_anchor.bif.client.exchange import Exchange
from chain_anchor.bif.client.node_url import NodeUrl, websocket_url
from chain_anchor.bif.client.subscription import MAX_SILENT_PINGS, Subscription
from chain_anchor.bif.client.wanted import MAX_ADDRESSES
from tests.answering_node import answering_node
from tests.bif_chains import ALICE, BOB
from tests.bif_vectors import load

NODE = NodeUrl.parse("http://127.0.0.1:1", "http")
SIGNER = PrivateKey.parse("priSPKkWVk418PKAS66q4bsiE2c4dKuSSafZvNWyGGp2sJVtXL")
DESTINATION = "did:bid:efYhALrHoHiaVnoZgRgJbCghZZdzkQUh"
QUICK = ChainSettings(timeout_seconds=0.2)


def call(name: str) -> dict:
    return next(blob for blob in load("blobs") if blob["call"].startswith(name))


@pytest.mark.parametrize(
    ("name", "made", "remark"),
    [
        ("gasSend 1e8", operation.pay(DESTINATION, 10**8), "gasSend"),
        (
            "createAccount",
            operation.create_account(
                "did:bid:efQMuPahc3zm7abBUBfj22xZokhZ7rED", 10**11
            ),
            "create account",
        ),
        (
            "setMetadatas",
            operation.set_metadata("20211217", "metadata-20211210", 1),
            "m",
        ),
        (
            "setPrivilege",
            operation.set_privilege(
                master_weight=10,
                threshold=8,
                signers={"did:bid:ef284xXpJLySqXnMcaLVkFWTJyJ6VhpxG": 55},
                type_thresholds={5: 51},
            ),
            "p",
        ),
        (
            "contractInvoke",
            operation.pay(
                "did:bid:efL7d2Ak1gyUpU4eiM3C9oxvbkhXr4Mu", 0, '{"method":"x"}'
            ),
            "contractInvoke",
        ),
    ],
)
def test_transactions_have_the_octets_of_the_official_sdk(name, made, remark):
    expected = call(name)
    content = signing.transaction(
        SIGNER.address(), [made], Terms(nonce=5, fee_limit=10**6, remark=remark)
    )
    if name == "setPrivilege":
        # The address was shortened when it was written down; the blob has it whole.
        signers = content.operations[0].set_privilege.signers
        signers[0].address = whole_signer(expected["blob"])
    signed = signing.sign(content, SIGNER)
    assert signed.blob.hex() == expected["blob"]
    assert signed.hash == expected["hash"]


def whole_signer(blob: str) -> str:
    octets = bytes.fromhex(blob)
    start = octets.index(b"did:bid:ef284")
    return octets[start : start + octets[start - 1]].decode()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://test.bifcore.bitfactory.cn", ("test.bifcore.bitfactory.cn", 80, "")),
        ("http://127.0.0.1:27002/", ("127.0.0.1", 27002, "")),
        ("https://[::1]:1/base/key/", ("::1", 1, "/base/key")),
    ],
)
def test_urls_may_have_a_path(url, expected):
    node = NodeUrl.parse(url, "http", "https")
    assert (node.host, node.port, node.prefix) == expected
    assert NodeUrl.parse(node.text, "http", "https") == node


@pytest.mark.parametrize(
    "url",
    ["", "ftp://a", "http://", "http://a/?b", "http://u@a", "http://a b", "http://a:x"],
)
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ValueError, match="a URL of http or https expected"):
        NodeUrl.parse(url, "http", "https")


def test_the_websocket_is_on_the_port_that_the_node_names():
    assert websocket_url(NODE, 7053) == "ws://127.0.0.1:7053"
    with pytest.raises(UnreachableError, match="names no WebSocket port"):
        websocket_url(NODE, 0)


def test_requests_are_those_of_the_notes():
    asked = requests.account("did:bid:ef", 20)
    assert asked.target == "getAccountBase?address=did%3Abid%3Aef&domainid=20"
    asked = requests.transaction("00", 0)
    assert (asked.method, asked.target) == ("GET", "getTransactionHistory?hash=00")
    assert requests.submit([]).body == b'{"items":[]}'


def test_nothing_of_a_key_is_sent():
    content = signing.transaction(ALICE.address(), [operation.pay(BOB.address(), 1)])
    signed = signing.sign(content, ALICE)
    for request in (requests.submit([signed]), requests.evaluate(content, 1)):
        assert ALICE.text.encode() not in request.body
        assert ALICE.octets.hex().encode() not in request.body


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("error_code", "error_desc", "result", "results", "header", "seq"),
                    *("transactions", "transaction", "hash", "signatures", "txs"),
                    *("query_rets", "queue_size", "validators", "nonce", "trigger"),
                    *("anchored", "ledger_seq", "consensus_value", "proof"),
                    *("transaction_env", "contract_tx_hashes", "operations", "priv"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(reply=JSON)
@pytest.mark.parametrize(
    "read",
    [
        results.hello,
        results.account,
        results.metadata,
        results.block,
        results.block_proof,
        results.anchored,
        results.transactions,
        results.waiting,
        results.pool_size,
        results.fee,
        results.returned,
        lambda reply: results.submissions(reply, 1),
    ],
)
def test_any_json_is_an_answer_or_an_error_of_the_client(read, reply):
    with contextlib.suppress(ChainError):
        read(reply)


@given(octets=st.binary(max_size=300))
def test_any_octets_are_an_answer_or_an_error(octets):
    for head in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"):
        exchange = Exchange(NODE, requests.hello(), 100)
        with contextlib.suppress(ChainError):
            exchange.receive(head + octets)


@given(octets=st.binary(max_size=300))
def test_any_octets_on_a_websocket_are_events_or_an_error(octets):
    subscription = opened(Wanted())
    with contextlib.suppress(ChainError):
        subscription.receive(octets)


def opened(wanted: Wanted) -> Subscription:
    """Make a subscription whose WebSocket is open."""
    from wsproto import ConnectionType, WSConnection
    from wsproto.events import AcceptConnection, Request

    subscription = Subscription(NODE, wanted, 1000)
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(subscription.outgoing())
    [request] = server.events()
    assert isinstance(request, Request)
    subscription.receive(server.send(AcceptConnection()))
    return subscription


def test_a_silent_node_is_given_up():
    subscription = opened(Wanted())
    for _ in range(MAX_SILENT_PINGS):
        subscription.ping()
    with pytest.raises(UnreachableError, match="no sign of life"):
        subscription.ping()


def test_a_subscription_has_at_most_a_hundred_addresses():
    with pytest.raises(ValueError, match="at most 100"):
        Wanted(addresses=("a",) * (MAX_ADDRESSES + 1))


def test_a_private_key_is_not_shown():
    assert ALICE.text not in repr(Terms(more_keys=(ALICE,)))


@pytest.mark.parametrize("answer", [b"", b"File not found", b"[1", b"[" * 10**5])
def test_what_is_no_json_is_a_bad_answer(answer):
    with (
        answering_node(lambda asked: answer) as url,
        ChainClient(url, QUICK) as chain,
        pytest.raises(BadAnswerError, match=r"hello: JSON expected"),
    ):
        chain.hello()


def test_an_answer_is_bounded():
    settings = ChainSettings(max_answer_octets=1000)
    with (
        answering_node(lambda asked: b"1" * 100_000) as url,
        ChainClient(url, settings) as chain,
        pytest.raises(BadAnswerError, match="an answer of over"),
    ):
        chain.hello()


def test_a_connection_is_kept():
    peers = []

    def answer(asked):
        peers.append(threading.get_ident())
        return {"error_code": 4}

    with answering_node(answer) as url, ChainClient(url) as chain:
        for _ in range(3):
            with pytest.raises(MissingError):
                chain.balance(ALICE.address())
    assert len(set(peers)) == 1


def test_a_kept_connection_that_ended_is_replaced():
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"queue_size":3}'
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            for _ in range(2):
                connection, _address = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        with ChainClient(f"http://127.0.0.1:{port}") as chain:
            assert [chain.pool_size(), chain.pool_size()] == [3, 3]
        thread.join()


def test_a_node_that_is_silent_times_out():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with ChainClient(url, QUICK) as chain, pytest.raises(TimedOutError):
            chain.hello()


def test_nobody_there_is_unreachable(unused_tcp_port):
    with (
        ChainClient(f"http://127.0.0.1:{unused_tcp_port}") as chain,
        pytest.raises(UnreachableError),
    ):
        chain.hello()
