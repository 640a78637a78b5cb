"""The recorded exchanges, replayed in order against a fresh node."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from registry.change import Change
from registry.journal import Operation
from resolver.node import Node, ServerKey
from resolver.settings import NodeSettings
from resolver.wire.message import decode_message
from resolver.wire.response import Values, decode_response
from tests.sockets import exchange_tcp, exchange_udp
from tests.vectors.read import golden_pairs

DIFFERENT = {
    "site info": "the node answers with its own address and key",
    "loginid 2001": "CNRI's server does not know the operation of the official SDK",
    "unknown session": "sessions are not supported, so their ids are not checked",
    "resolve all RRDG CERT": "signed with the node's own key",
}


@pytest.fixture
async def node(tmp_path):
    settings = NodeSettings(
        "golden", "enterprise", directory=tmp_path / "golden", authentication=False
    )
    node = Node(settings, ServerKey(b"", lambda octets: b"s" * 256))
    node.bind()
    with ThreadPoolExecutor(1) as executor:
        node.open(executor, "88", node.sites)
        await node.serve()
        await node.registry.submit(Change(Operation.HOME, b"88.888.1024", trusted=True))
        await node.registry.submit(
            Change(
                Operation.CREATE,
                b"88.888.1024/P1",
                values=seeded(),
                trusted=True,
            )
        )
        yield node
        await node.close()


def seeded():
    from registry.model.value import Value

    return (Value(1, "URL", b"https://example.com"),)


@pytest.mark.parametrize("exchange", [exchange_tcp, exchange_udp])
async def test_a_fresh_node_answers_as_the_recorded_server(node, exchange):
    for pair in golden_pairs():
        answer = await exchange(node.handle.port, pair.request)
        if pair.name in DIFFERENT:
            check_different(pair, answer)
        else:
            assert comparable(answer) == comparable(pair.response), pair.name


def check_different(pair, answer):
    recorded, message = decode_message(pair.response), decode_message(answer)
    match pair.name:
        case "site info":
            assert message.header.response_code == recorded.header.response_code == 1
        case "loginid 2001":
            assert message.header.opcode == 2001
            assert message.header.response_code in (402, 5)
        case "unknown session":
            assert message.header.response_code == 1
            assert message.envelope.session_id == recorded.envelope.session_id
        case _:
            assert without_time(message.header) == without_time(recorded.header)
            assert len(message.credential) == len(recorded.credential)


def without_time(header):
    """An expiration that has passed since the recording comes back renewed."""
    return header._replace(expiration=0)


def comparable(octets: bytes) -> object:
    """Take the time stamps out: of values, and of expirations made by the server."""
    message = decode_message(octets)
    body = decode_response(message)
    response = body.response
    if isinstance(response, Values):
        response = response._replace(
            values=tuple(value._replace(timestamp=0) for value in response.values)
        )
    header = without_time(message.header)
    return message.envelope, header, body.digest, response, message.credential
