"""What the official SDK was recorded to send, sent to a node.

Its decoder looks at code and operation alone, and hangs on what it cannot decode, so
every answer must decode and carry the operation that was asked for (handle notes §1.6,
§2.4).
"""

import struct

import pytest

from registry.journal import Operation
from registry.model.octets import blob
from registry.model.public_key import encode_public_key
from registry.model.typed import Site
from registry.model.value import Value
from resolver.identities import RSA_INDEX
from resolver.session.signature import PrivateKeyCredential, public_key_of
from resolver.session.token import make_token
from resolver.wire.codes import OpCode, OpFlag, ResponseCode
from resolver.wire.message import Message, build_message, decode_message
from resolver.wire.request import Resolution, decode_request
from resolver.wire.response import (
    Challenge,
    Done,
    Failure,
    Named,
    SiteInfo,
    Values,
    decode_response,
)
from tests.e2e.native import (
    ADMINISTRATOR,
    NOW,
    admin_of,
    code_of,
    login,
    proof,
    resolve,
    serve,
    talk,
    tcp_face,
    told,
    with_values,
    write,
)
from tests.vectors.read import sdk_requests

USER = "88.888.1024/admin"
CREDENTIAL = PrivateKeyCredential(USER, RSA_INDEX, ADMINISTRATOR.rsa)
IDENTITY = (USER.upper().encode(), RSA_INDEX)
KEY = Value(RSA_INDEX, "HS_PUBKEY", encode_public_key(public_key_of(ADMINISTRATOR.rsa)))
WEB = Value(1, "URL", b"https://www.teleinfo.cn")
OWE = int(OpFlag.OVERWRITE_WHEN_EXISTS)
LINES = sdk_requests()
HOMED = ("0.NA", "88", "88.111", "88.111.1", "88.111.421", "88.888", "88.888.1")
RESOLVED = ("88.888.1/sm2user", "88.888.1024/sm2user1", "88.111.1/teleinfo.cn")
OWN = "88.888.1024"


async def seed(node) -> None:
    for prefix in (*HOMED, OWN):
        await write(node, Operation.HOME, prefix, admin_of(USER))
    site = Value(1, "HS_SITE", node.sites[0])
    await write(node, Operation.CREATE, "0.NA/88.111.1", Value(9, "X", b""), site)
    await write(node, Operation.CREATE, USER, KEY)


@pytest.fixture(params=[True, False], ids=["secured", "open"])
async def any_node(request, tmp_path):
    async with serve(tmp_path, role="top", authentication=request.param) as node:
        await seed(node)
        for name in (*RESOLVED, "88.888.1024/test"):
            await write(node, Operation.CREATE, name, WEB, WEB._replace(index=2))
        yield node


TAKEN = ("88.888.1/sm2user", "88.888.1024/test")
"""Names among the recorded creates that are registered already."""


def expected_code(  # noqa: PLR0911 (a table)
    asked: Message, *, secured: bool
) -> int:
    opcode, body = asked.header.opcode, asked.body
    match opcode:
        case OpCode.RESOLUTION | OpCode.GET_SITE_INFO:
            # The recorded token's time is long past.
            return 403 if asked.header.flags & 4 else 1
        case OpCode.CHALLENGE_RESPONSE:
            return 405
        case OpCode.LOGIN_ID_SYSTEM:
            return 402
        case OpCode.CREATE_HANDLE if any(blob(n.encode()) in body for n in TAKEN):
            return 101
        case _ if secured:
            return 401
        case OpCode.ADD_VALUE:
            return 201
        case OpCode.UNHOME_PREFIX if b"2048" in body:
            return 301
        case _:
            return 1


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
async def test_every_recorded_request_is_answered_so_that_the_sdk_can_read_it(
    any_node, line
):
    async with talk(any_node.handle.port) as client:
        client.send(line.octets)
        answer = await client.receive()
        asked = decode_message(line.octets)
        check(asked, answer)
        secured = any_node.settings.authentication
        assert code_of(answer) == expected_code(asked, secured=secured)
        assert code_of(await client.ask(resolve("88.111.1"))) == 1


async def test_all_recorded_requests_are_answered_on_one_connection(any_node):
    async with talk(any_node.handle.port) as client:
        for line in LINES:
            client.send(line.octets)
            check(decode_message(line.octets), await client.receive())


def check(asked: Message, answer: Message) -> None:
    """Check what the SDK's decoder needs."""
    assert answer.envelope.request_id == asked.envelope.request_id
    assert answer.envelope.session_id == asked.envelope.session_id
    assert answer.header.opcode == asked.header.opcode
    kinds = {
        OpCode.RESOLUTION: Values,
        OpCode.GET_SITE_INFO: SiteInfo,
        OpCode.CREATE_HANDLE: Named,
    }
    match code_of(answer):
        case 1:
            assert isinstance(told(answer), kinds.get(asked.header.opcode, Done))
        case 402:
            assert isinstance(told(answer), Challenge)
        case code:
            assert isinstance(told(answer), Failure)
            assert code in set(ResponseCode)


async def test_anonymous_writes_get_an_error_and_never_a_challenge(tmp_path):
    async with serve(tmp_path, role="top") as node:
        await seed(node)
        async with talk(node.handle.port) as client:
            for line in LINES:
                opcode = decode_message(line.octets).header.opcode
                if 100 <= opcode < 200 or 300 <= opcode < 400:
                    client.send(line.octets)
                    assert code_of(await client.receive()) == 401, line.name


def lines_of(opcode: int) -> list[Message]:
    found = [decode_message(line.octets) for line in LINES]
    return [message for message in found if message.header.opcode == opcode]


def with_flags(message: Message, flags: int) -> Message:
    return message._replace(header=message.header._replace(flags=flags))


@pytest.fixture
async def node(tmp_path):
    """A node whose operator is the user of the recorded logins."""
    async with serve(tmp_path, role="top", operators=(IDENTITY,)) as node:
        await seed(node)
        yield node


@pytest.fixture
async def client(node):
    async with talk(node.handle.port) as client:
        yield client


@pytest.fixture
async def logged_in(client):
    """A connection on which the recorded login was made, and answered by our key."""
    (asked,) = [m for m in lines_of(OpCode.LOGIN_ID_SYSTEM) if USER.encode() in m.body]
    assert asked.encode()[44:] == blob(USER.encode()) + struct.pack("!I", RSA_INDEX)
    challenge = await client.ask(asked)
    answer = proof(asked, challenge, CREDENTIAL)
    (recorded, *_) = [
        m for m in lines_of(OpCode.CHALLENGE_RESPONSE) if USER.encode() in m.body
    ]
    # The same answer as recorded, but for the signature.
    assert answer.header.flags == recorded.header.flags
    assert answer.body[:-256] == recorded.body[:-256]
    outcome = await client.ask(answer)
    assert (outcome.header.opcode, code_of(outcome)) == (OpCode.LOGIN_ID_SYSTEM, 1)
    assert told(outcome) == Done()
    return client


async def test_logins_are_as_the_test_kit_writes_them():
    for message in lines_of(OpCode.LOGIN_ID_SYSTEM):
        asked = decode_request(OpCode.LOGIN_ID_SYSTEM, message.body)
        made = login(asked.user.decode(), asked.user_index)
        assert made.encode()[12:32] == message.encode()[12:32]
        assert made.encode()[44:] == message.encode()[44:]


async def test_a_site_question_gives_the_node_s_own_site(node, logged_in):
    (asked,) = lines_of(OpCode.GET_SITE_INFO)
    answer = await logged_in.ask(asked)
    assert Site.decode(told(answer).octets) == Site.decode(node.sites[0])


async def test_a_prefix_question_gives_the_site_of_its_node_first(node, client):
    (asked,) = [m for m in lines_of(OpCode.RESOLUTION) if b"HS_SITE" in m.body]
    found = told(await client.ask(asked))
    assert found.handle == b"88.111.1"
    assert [value.data for value in found.values] == [node.sites[0]]


async def test_records_are_created_resolved_overwritten_and_deleted(node, logged_in):
    for asked in lines_of(OpCode.CREATE_HANDLE):
        sent = decode_request(OpCode.CREATE_HANDLE, asked.body)
        created = await logged_in.ask(asked)
        assert told(created) == Named(sent.handle)
        found = told(await logged_in.ask(resolve(sent.handle, flags=0x1900_0000)))
        assert [v._replace(timestamp=0) for v in found.values] == list(sent.values)
        assert code_of(await logged_in.ask(asked)) == 101
        again = with_flags(asked, asked.header.flags | OWE)
        assert code_of(await logged_in.ask(again)) == 1
    for asked in lines_of(OpCode.DELETE_HANDLE):
        deleted = await logged_in.ask(asked)
        assert (code_of(deleted), told(deleted)) == (1, Done())
        name = decode_request(OpCode.DELETE_HANDLE, asked.body).handle
        assert node.registry.get(name.upper()) is None


async def test_values_are_added_modified_and_removed(node, logged_in):
    await write(node, Operation.CREATE, "88.888.1024/test", WEB)
    for opcode, data in (
        (OpCode.ADD_VALUE, b"quality@a.example"),
        (OpCode.MODIFY_VALUE, b"service@a.example"),
        (OpCode.REMOVE_VALUE, None),
    ):
        (asked,) = lines_of(opcode)
        outcome = await logged_in.ask(asked)
        assert (code_of(outcome), told(outcome)) == (1, Done())
        value = node.registry.get(b"88.888.1024/TEST").value(2)
        assert (value.data if value else None) == data


async def test_prefixes_are_homed_and_unhomed(node, logged_in):
    homing, leaving = lines_of(OpCode.HOME_PREFIX), lines_of(OpCode.UNHOME_PREFIX)
    prefix = b"88.888.2048"
    create = with_values(OpCode.CREATE_HANDLE, prefix + b"/1", WEB, flags=0x1900_0000)
    assert code_of(await logged_in.ask(create)) == 301
    for asked in homing:
        assert code_of(await logged_in.ask(asked)) == 1
    assert code_of(await logged_in.ask(create)) == 1
    for asked in leaving:
        assert code_of(await logged_in.ask(asked)) == 1
    with node.registry.store.snapshot() as snapshot:
        assert {home.prefix.decode() for home in snapshot.homes()} == set(HOMED)


async def test_a_token_question_shows_restricted_values(node):
    hidden = Value(5, "PIN", b"0000", permissions=0x0C)
    await write(node, Operation.ADD, USER, hidden)
    (recorded,) = [m for m in lines_of(OpCode.RESOLUTION) if m.header.flags & 4]
    question = decode_request(OpCode.RESOLUTION, recorded.body)
    async with tcp_face(node, lambda: NOW) as (_, port), talk(port) as client:
        assert code_of(await client.ask(recorded)) == 403
        fresh = question._replace(token=make_token(CREDENTIAL, NOW, 123456))
        asked = build_message(recorded.envelope, recorded.header, fresh.encode())
        found = told(await client.ask(asked))
        assert {value.index for value in found.values} == {RSA_INDEX, 5}
        plain = Resolution(question.handle, token=b"").encode()
        asked = build_message(recorded.envelope, recorded.header, plain)
        found = told(await client.ask(asked))
        assert {value.index for value in found.values} == {RSA_INDEX}


async def test_every_recorded_kind_of_request_is_served_above():
    served = {
        OpCode.RESOLUTION,
        OpCode.GET_SITE_INFO,
        OpCode.CREATE_HANDLE,
        OpCode.DELETE_HANDLE,
        OpCode.ADD_VALUE,
        OpCode.MODIFY_VALUE,
        OpCode.REMOVE_VALUE,
        OpCode.HOME_PREFIX,
        OpCode.UNHOME_PREFIX,
        OpCode.LOGIN_ID_SYSTEM,
        OpCode.CHALLENGE_RESPONSE,
    }
    assert {decode_message(line.octets).header.opcode for line in LINES} == served


async def test_answers_to_the_recorded_proofs_are_readable(client):
    for asked in lines_of(OpCode.CHALLENGE_RESPONSE):
        outcome = await client.ask(asked)
        body = decode_response(outcome)
        assert isinstance(body.response, Failure)
        assert body.digest is not None
