"""What a node answers to each operation, and in which order it refuses."""

import asyncio
import hashlib
from dataclasses import replace

import pytest

from registry.change import Change
from registry.errors import AuthenticationError, StoreError
from registry.journal import Operation
from registry.model.typed import AdminBit, Site
from registry.model.value import Value
from resolver.session.signature import SecretCredential, verify_message
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.credential import HS_SIGNED, decode_credential, signed_octets
from resolver.wire.envelope import MAX_MESSAGE_OCTETS
from resolver.wire.header import DEFAULT_LIFE_SECONDS
from resolver.wire.message import Message, decode_message
from resolver.wire.request import RemoveValues
from resolver.wire.response import (
    Done,
    Failure,
    Handles,
    Named,
    Values,
    decode_response,
)
from tests.e2e.native import (
    ADMIN,
    BY_SECRET,
    NOW,
    PREFIX,
    PRODUCT,
    PUBLIC,
    RESTRICTED,
    URL,
    admin_of,
    challenge_of,
    code_of,
    create,
    datagrams,
    on_handle,
    proof,
    request,
    resolve,
    serve_seeded,
    talk,
    tcp_face,
    told,
    udp_face,
    with_values,
    write,
)
from tests.vectors.read import golden_pairs

NEW = f"{PREFIX}/new".encode()
MISSING = f"{PREFIX}/missing"
AWAY = "99.9.9/x"
OWE = int(OpFlag.OVERWRITE_WHEN_EXISTS)
MNS = int(OpFlag.MINT_NEW_SUFFIX)
RD = int(OpFlag.RETURN_REQUEST_DIGEST)
CT = int(OpFlag.CERTIFIED)
CN = int(OpFlag.CONTINUOUS)
USER = f"{PREFIX}/user"
USER_SECRET = SecretCredential(USER, 300, b"a secret of the user")
NOT_HERE = "That prefix doesn't live here"
NOT_A_PREFIX = "Handle is not a prefix handle"


@pytest.fixture
async def node(tmp_path):
    async with serve_seeded(tmp_path) as node:
        yield node


@pytest.fixture
async def client(node):
    async with talk(node.handle.port) as client:
        yield client


@pytest.fixture
async def open_node(tmp_path):
    """A node at which everybody may do everything."""
    async with serve_seeded(tmp_path, authentication=False, name="open") as node:
        yield node


@pytest.fixture
async def writer(open_node):
    async with talk(open_node.handle.port) as client:
        yield client


def remove(handle, *indexes: int) -> Message:
    octets = handle if isinstance(handle, bytes) else handle.encode()
    return request(OpCode.REMOVE_VALUE, RemoveValues(octets, indexes).encode(), 0)


def writes_on(handle) -> dict[str, Message]:
    return {
        "create": create(handle, URL),
        "add": with_values(OpCode.ADD_VALUE, handle, URL),
        "modify": with_values(OpCode.MODIFY_VALUE, handle, URL),
        "remove": remove(handle, 1),
        "delete": on_handle(OpCode.DELETE_HANDLE, handle),
    }


@pytest.mark.parametrize("kind", ["create", "add", "modify", "remove"])
async def test_a_prefix_that_is_not_here_is_refused_before_the_challenge(client, kind):
    outcome = await client.ask(writes_on(AWAY)[kind])
    assert (code_of(outcome), told(outcome)) == (301, Failure(NOT_HERE))


async def test_a_delete_is_challenged_whether_the_prefix_is_here_or_not(client):
    assert code_of(await client.ask(writes_on(AWAY)["delete"])) == 402


async def test_a_create_of_what_exists_is_refused_before_the_challenge(client):
    outcome = await client.ask(create(PRODUCT, URL))
    assert (code_of(outcome), told(outcome)) == (101, Failure(""))
    assert code_of(await client.ask(create(PRODUCT, URL, flags=OWE))) == 402


@pytest.mark.parametrize("kind", ["add", "modify", "remove", "delete"])
async def test_a_record_that_is_missing_is_missed_after_the_challenge(client, kind):
    asked = writes_on(MISSING)[kind]
    challenge = await client.ask(asked)
    assert code_of(challenge) == 402
    outcome = await client.ask(proof(asked, challenge, BY_SECRET))
    assert (code_of(outcome), told(outcome)) == (100, Failure(""))


@pytest.mark.parametrize("values", [(), (URL._replace(index=0),), (URL, URL)])
async def test_wrong_values_are_told_to_administrators_only(client, values):
    asked = create(NEW, *values)
    challenge = await client.ask(asked)
    assert code_of(challenge) == 402
    outcome = await client.ask(proof(asked, challenge, BY_SECRET))
    assert code_of(outcome) in (201, 202)


@pytest.mark.parametrize(
    ("values", "code", "text"),
    [
        ((), 202, "Value list was empty"),
        ((URL._replace(index=0),), 202, "Value indexes must be positive"),
        ((URL._replace(index=0x8000_0000),), 202, "Value indexes must be positive"),
        ((URL, URL._replace(type="EMAIL")), 201, "Index conflict for 1"),
    ],
)
async def test_wrong_value_lists_are_refused_with_the_recorded_server_s_words(
    open_node, writer, values, code, text
):
    for asked in (
        create(NEW, *values),
        with_values(OpCode.ADD_VALUE, PRODUCT, *values),
    ):
        outcome = await writer.ask(asked)
        assert (code_of(outcome), told(outcome)) == (code, Failure(text))
    assert open_node.registry.get(NEW.upper()) is None


async def test_a_created_handle_is_echoed_as_it_was_asked(writer):
    handle = f"{PREFIX}/MixedCase".encode()
    outcome = await writer.ask(create(handle, URL))
    assert told(outcome) == Named(handle)
    found = told(await writer.ask(resolve(handle.lower())))
    assert found.handle == handle.lower()
    assert [v._replace(timestamp=0) for v in found.values] == [URL]


async def test_values_are_stamped_with_the_time_of_writing(writer):
    await writer.ask(create(NEW, URL._replace(timestamp=7)))
    (value,) = told(await writer.ask(resolve(NEW))).values
    assert value.timestamp > NOW - 1e9


async def test_overwriting_replaces_the_whole_record(writer):
    mail = Value(5, "EMAIL", b"a@example.com")
    assert code_of(await writer.ask(create(PRODUCT, mail))) == 101
    assert code_of(await writer.ask(create(PRODUCT, mail, flags=OWE))) == 1
    assert await indexes_of(writer, PRODUCT) == [5]


async def test_overwriting_creates_what_is_missing(writer):
    assert code_of(await writer.ask(create(NEW, URL, flags=OWE))) == 1
    assert await indexes_of(writer, NEW) == [1]


async def test_adding_with_overwrite_replaces_values_of_the_same_index(writer):
    values = (URL._replace(data=b"new"), URL._replace(index=2))
    plain = with_values(OpCode.ADD_VALUE, PRODUCT, *values)
    assert code_of(await writer.ask(plain)) == 201
    over = with_values(OpCode.ADD_VALUE, PRODUCT, *values, flags=OWE)
    assert code_of(await writer.ask(over)) == 1
    found = told(await writer.ask(resolve(PRODUCT))).values
    assert {v.index: v.data for v in found} == {1: b"new", 2: URL.data}


async def test_modifying_or_removing_a_missing_value_changes_nothing(open_node, writer):
    before = open_node.registry.get(PRODUCT.upper())
    partly = (URL._replace(data=b"new"), URL._replace(index=9))
    for asked in (
        with_values(OpCode.MODIFY_VALUE, PRODUCT, *partly),
        remove(PRODUCT, 1, 9),
        remove(PRODUCT),
    ):
        assert code_of(await writer.ask(asked)) == 200
    assert open_node.registry.get(PRODUCT.upper()) == before


async def test_removed_values_are_gone_and_the_others_stay(writer):
    outcome = await writer.ask(remove(PRODUCT, 1))
    assert (code_of(outcome), told(outcome)) == (1, Done())
    assert await indexes_of(writer, PRODUCT) == [RESTRICTED.index]


async def indexes_of(client, handle) -> list[int]:
    found = told(await client.ask(resolve(handle, flags=0)))
    assert isinstance(found, Values)
    return [value.index for value in found.values]


@pytest.mark.parametrize("start", [PREFIX, f"{PREFIX}/", f"{PREFIX}/lot-"])
async def test_a_minted_handle_starts_as_asked_and_is_new_each_time(writer, start):
    made = [
        told(await writer.ask(create(start, URL, flags=MNS))).handle for _ in range(3)
    ]
    front = (start if "/" in start else f"{start}/").upper().encode()
    assert len(set(made)) == 3
    for handle in made:
        assert handle.startswith(front)
        assert len(handle) > len(front)
        assert await indexes_of(writer, handle) == [1]


async def test_a_handle_is_minted_after_the_challenge(client):
    outcome = await client.ask_as(create(f"{PREFIX}/", URL, flags=MNS), BY_SECRET)
    handle = told(outcome).handle
    assert code_of(await client.ask(resolve(handle))) == 1


NAMES = (ADMIN.upper().encode(), PRODUCT.upper())


@pytest.mark.parametrize("name", [PREFIX, f"0.NA/{PREFIX}", f"0.na/{PREFIX}"])
async def test_identifiers_are_listed_in_upper_case(client, name):
    outcome = await client.ask_as(on_handle(OpCode.LIST_HANDLES, name), BY_SECRET)
    assert told(outcome) == Handles(NAMES)
    assert not outcome.header.flags & CN


async def test_listing_needs_its_permission(node, client):
    await write(node, Operation.CREATE, USER, Value(300, "HS_SECKEY", b"x"))
    asked = on_handle(OpCode.LIST_HANDLES, PREFIX)
    user = replace(USER_SECRET, secret=b"x")
    for bits, code in ((0xFFF & ~AdminBit.LIST_HANDLES, 401), (0x800, 1)):
        await write(node, Operation.HOME, PREFIX, admin_of(USER, bits))
        assert code_of(await client.ask_as(asked, user)) == code


@pytest.mark.parametrize("opcode", [OpCode.LIST_HANDLES, OpCode.LIST_DERIVED_PREFIXES])
async def test_lists_are_of_prefixes_that_live_here(client, opcode):
    for name, code, text in ((AWAY, 102, NOT_A_PREFIX), ("99.9.9", 301, NOT_HERE)):
        outcome = await client.ask(on_handle(opcode, name))
        assert (code_of(outcome), told(outcome)) == (code, Failure(text))


@pytest.fixture
async def full(open_node):
    """A node with a list that is too long for one message."""
    names = [f"{PREFIX}/{number:0100}".encode() for number in range(3000)]
    changes = (Change(Operation.CREATE, n, (URL,), trusted=True) for n in names)
    await asyncio.gather(*map(open_node.registry.enqueue, changes))
    return open_node, sorted((*NAMES, *names))


async def test_a_long_list_comes_in_parts_over_tcp(full):
    node, names = full
    async with talk(node.handle.port) as client:
        asked = on_handle(OpCode.LIST_HANDLES, PREFIX)
        parts = [await client.ask(asked)]
        while parts[-1].header.flags & CN:
            parts.append(await client.receive())
        assert len(parts) == 2
        for part in parts:
            assert part.envelope.request_id == asked.envelope.request_id
            assert part.envelope.length <= MAX_MESSAGE_OCTETS
            assert code_of(part) == 1
        assert [n for part in parts for n in told(part).handles] == names
        assert code_of(await client.ask(resolve(PRODUCT))) == 1


async def test_a_long_list_is_refused_over_udp(full):
    node, _ = full
    async with datagrams(node.handle.port) as client:
        outcome = await client.ask(on_handle(OpCode.LIST_HANDLES, PREFIX))
    assert code_of(outcome) == 401
    assert "TCP" in told(outcome).message


async def test_derived_prefixes_are_those_below(node, client):
    await write(node, Operation.HOME, "88.100")
    for prefix in ("88.100.1.5", "88.100.1.6", "88.100.10", "88.100.2"):
        await write(node, Operation.CREATE, f"0.NA/{prefix}", URL)
    asked = on_handle(OpCode.LIST_DERIVED_PREFIXES, f"0.NA/{PREFIX}")
    outcome = await client.ask_as(asked, BY_SECRET)
    assert told(outcome) == Handles((b"0.NA/88.100.1.5", b"0.NA/88.100.1.6"))


async def test_everybody_may_ask_which_prefixes_are_homed(node, client):
    await write(node, Operation.HOME, "88.9")
    await write(node, Operation.HOME, "88.8")
    outcome = await client.ask(on_handle(OpCode.LIST_HOMED_PREFIXES, "/"))
    assert told(outcome) == Handles((b"0.NA/88.100.1", b"0.NA/88.8", b"0.NA/88.9"))


@pytest.mark.parametrize("form", ["{}", "0.NA/{}", "0.na/{}"])
async def test_a_prefix_is_homed_and_unhomed_in_either_form(writer, form):
    prefix = f"{PREFIX}.Ab"
    name = form.format(prefix)
    assert code_of(await writer.ask(create(f"{prefix}/1", URL))) == 301
    for _ in range(2):  # homing what is homed is no error
        homed = await writer.ask(on_handle(OpCode.HOME_PREFIX, name))
        assert (code_of(homed), told(homed)) == (1, Done())
    assert code_of(await writer.ask(create(f"{prefix}/1", URL))) == 1
    gone = await writer.ask(on_handle(OpCode.UNHOME_PREFIX, name))
    assert (code_of(gone), told(gone)) == (1, Done())
    assert code_of(await writer.ask(resolve(f"{prefix}/1"))) == 301
    assert code_of(await writer.ask(on_handle(OpCode.UNHOME_PREFIX, name))) == 301


async def test_a_record_of_a_prefix_that_left_can_still_be_deleted(open_node, writer):
    await write(open_node, Operation.HOME, "88.100")
    await writer.ask(on_handle(OpCode.UNHOME_PREFIX, PREFIX))
    assert code_of(await writer.ask(on_handle(OpCode.DELETE_HANDLE, PRODUCT))) == 1
    await writer.ask(on_handle(OpCode.HOME_PREFIX, PREFIX))
    assert code_of(await writer.ask(resolve(PRODUCT))) == 100


@pytest.mark.parametrize("opcode", [OpCode.HOME_PREFIX, OpCode.UNHOME_PREFIX])
async def test_what_is_no_prefix_is_not_homed(writer, opcode):
    outcome = await writer.ask(on_handle(opcode, "88.1/x"))
    assert (code_of(outcome), told(outcome)) == (102, Failure(NOT_A_PREFIX))


async def test_homing_a_prefix_that_nobody_allocated_asks_nobody_else(
    open_node, writer
):
    asked = on_handle(OpCode.HOME_PREFIX, f"{PREFIX}.9")
    assert code_of(await writer.ask(asked)) == 1
    assert open_node.telemetry.upstream_requests == 0


async def test_homing_copies_the_administrators_of_the_prefix_s_record(node, client):
    prefix = f"{PREFIX}.9"
    await write(node, Operation.CREATE, f"0.NA/{prefix}", admin_of(ADMIN, 0x001))
    async with talk(node.handle.port) as operator:
        node.access._operators = frozenset({(ADMIN.upper().encode(), 302)})
        assert code_of(await operator.log_in(BY_SECRET)) == 1
        homed = await operator.ask(on_handle(OpCode.HOME_PREFIX, prefix))
        assert code_of(homed) == 1
    node.access._operators = frozenset()
    made = await client.ask_as(create(f"{prefix}/1", URL), BY_SECRET)
    assert code_of(made) == 1
    listed = on_handle(OpCode.LIST_HANDLES, prefix)
    assert code_of(await client.ask_as(listed, BY_SECRET)) == 401


@pytest.mark.parametrize("name", ["", "/", "/x", "88//x\n", "88..1/x", "a\x00/b"])
async def test_a_name_that_is_no_identifier_is_refused(client, name):
    for asked in (resolve(name), create(name, URL)):
        assert code_of(await client.ask(asked)) == 102


async def test_a_session_id_nobody_knows_does_not_matter(client):
    outcome = await client.ask(resolve(PRODUCT, session_id=0x1092))
    assert code_of(outcome) == 1
    assert outcome.envelope.session_id == 0x1092


OLD, NEWER = [(2, 0), (2, 1), (2, 4)], [(2, 5), (2, 11), (3, 0)]


@pytest.mark.parametrize("version", OLD + NEWER)
async def test_peers_before_2_5_get_the_codes_they_know(open_node, writer, version):
    is_old = version in OLD
    options = {"version": version, "suggested": version}
    outcome = await writer.ask(create(NEW, **options))
    assert code_of(outcome) == (201 if is_old else 202)
    open_node.registry.stopped = StoreError("the disk is full of sand")
    outcome = await writer.ask(create(NEW, URL, **options))
    assert code_of(outcome) == (303 if is_old else 7)
    assert outcome.envelope.version == version


@pytest.mark.parametrize(
    ("version", "suggested", "spoken"),
    [
        ((2, 10), (2, 11), (2, 11)),
        ((2, 10), (2, 99), (2, 11)),
        ((2, 1), (2, 1), (2, 1)),
        ((2, 3), (0, 9), (2, 3)),
        ((2, 11), (3, 0), (3, 0)),
        ((3, 0), (3, 7), (3, 0)),
        ((3, 0), (0, 0), (3, 0)),
        ((2, 11), (17, 1), (3, 0)),
    ],
)
async def test_the_highest_version_both_know_is_spoken(
    client, version, suggested, spoken
):
    outcome = await client.ask(resolve(PRODUCT, version=version, suggested=suggested))
    assert code_of(outcome) == 1
    assert outcome.envelope.version == spoken
    assert outcome.envelope.suggested_version >= spoken


@pytest.mark.parametrize("version", [(0, 0), (1, 0), (4, 0), (255, 255)])
async def test_a_protocol_nobody_here_speaks_is_refused(client, version):
    outcome = await client.ask(resolve(PRODUCT, version=version))
    assert code_of(outcome) == 4


@pytest.mark.parametrize(
    ("suggested", "name"),
    [((2, 1), "sha1"), ((2, 6), "sha1"), ((2, 7), "sha256"), ((3, 0), "sha256")],
)
async def test_a_digest_is_of_a_kind_that_the_client_knows(client, suggested, name):
    asked = resolve(PRODUCT, flags=PUBLIC | RD, suggested=suggested)
    expected = hashlib.new(name, asked.digested).digest()
    body = decode_response(await client.ask(asked))
    assert body.digest.octets == expected
    assert body.response.values[0].data == URL.data
    asked = create(NEW, URL, suggested=suggested)
    _, digest = challenge_of(await client.ask(asked))
    assert digest == hashlib.new(name, asked.digested).digest()


async def test_no_digest_comes_unasked(client):
    outcome = await client.ask(resolve(PRODUCT))
    assert decode_response(outcome).digest is None
    assert not outcome.header.flags & RD


@pytest.mark.parametrize("version", [(2, 4), (2, 11), (3, 0)])
@pytest.mark.parametrize("handle", [PRODUCT, MISSING])
async def test_a_certified_answer_is_signed_with_the_node_s_key(
    client, version, handle
):
    site = told(await client.ask(on_handle(OpCode.GET_SITE_INFO, "/")))
    key = Site.decode(site.octets).servers[0].public_key
    asked = resolve(handle, flags=PUBLIC | CT, version=version, suggested=version)
    outcome = await client.ask(asked)
    credential = decode_credential(outcome.credential)
    assert (credential.type, credential.hash_algorithm) == (HS_SIGNED, "SHA-256")
    verify_message(key, signed_octets(outcome), credential.signature)
    forged = outcome._replace(body=outcome.body[:-1] + b"?")
    with pytest.raises(AuthenticationError):
        verify_message(key, signed_octets(forged), credential.signature)


async def test_an_uncertified_answer_has_an_empty_credential(client):
    assert (await client.ask(resolve(PRODUCT))).credential == b""


@pytest.mark.parametrize(
    ("asked", "told_"),
    [
        (0, NOW + DEFAULT_LIFE_SECONDS),
        (1, NOW + DEFAULT_LIFE_SECONDS),
        (NOW, NOW + DEFAULT_LIFE_SECONDS),
        (NOW + 1, NOW + 1),
    ],
)
async def test_an_expired_request_is_answered_with_a_time_to_come(node, asked, told_):
    async with tcp_face(node, lambda: NOW) as (_, port), talk(port) as client:
        outcome = await client.ask(resolve(PRODUCT, expiration=int(asked)))
    assert code_of(outcome) == 1
    assert outcome.header.expiration == told_


@pytest.mark.parametrize(("count", "code"), [(16, 1), (17, 6), (255, 6)])
async def test_a_request_that_went_round_too_often_is_refused(client, count, code):
    assert code_of(await client.ask(resolve(PRODUCT, recursion_count=count))) == code


UNSUPPORTED = {
    OpCode.SESSION_SETUP: bytes(2 + 4 + 4 + 4 + 2),
    OpCode.SESSION_TERMINATE: bytes(4),
    OpCode.SESSION_EXCHANGE_KEY: b"key",
    OpCode.GET_NEXT_TRANSACTION_ID: b"",
    OpCode.RETRIEVE_TRANSACTION_LOG: b"any octets",
    OpCode.DUMP_HANDLES: b"any octets",
    OpCode.BACKUP_SERVER: b"",
}


@pytest.mark.parametrize("opcode", UNSUPPORTED, ids=lambda opcode: opcode.name)
async def test_sessions_and_replication_are_refused_by_name(client, opcode):
    outcome = await client.ask(request(opcode, UNSUPPORTED[opcode]))
    assert (outcome.header.opcode, code_of(outcome)) == (opcode, 5)
    assert str(int(opcode)) in told(outcome).message


@pytest.mark.parametrize("face", [tcp_face, udp_face])
async def test_an_unknown_operation_is_answered_as_the_recorded_server_does(node, face):
    (pair,) = [p for p in golden_pairs() if p.name == "unknown opcode 999"]
    recorded = decode_message(pair.response)
    expiration = int(NOW) + DEFAULT_LIFE_SECONDS
    header = recorded.header._replace(expiration=expiration)
    ask = {tcp_face: talk, udp_face: datagrams}[face]
    async with face(node, lambda: NOW) as (_, port), ask(port) as client:
        if face is tcp_face:
            client.send(pair.request)
            answer = await client.receive()
        else:
            await client.send(pair.request)
            answer = await client.receive_whole()
    assert answer == recorded._replace(header=header)


@pytest.mark.parametrize("flag", [0x80, 0x40, 0xC0])
async def test_compressed_or_encrypted_messages_are_not_supported(client, flag):
    asked = resolve(PRODUCT, envelope_flags=flag)
    outcome = await client.ask(asked)
    assert (outcome.header.opcode, code_of(outcome)) == (1, 5)
    assert outcome.envelope.flags & 0xE0 == 0


@pytest.mark.parametrize("flag", [0x80, 0x40])
@pytest.mark.parametrize("fill", [b"\x00", b"\x5a", b"\xff"])
async def test_a_message_that_is_really_encrypted_is_not_supported(client, flag, fill):
    asked = resolve(PRODUCT, envelope_flags=flag)
    hidden = asked.envelope.encode() + fill * asked.envelope.length
    client.send(hidden)
    outcome = await client.receive()
    assert outcome.envelope.request_id == asked.envelope.request_id
    assert code_of(outcome) == 5
    assert isinstance(told(outcome), Failure)


async def test_a_truncated_flag_on_a_whole_request_does_not_matter(client):
    outcome = await client.ask(resolve(PRODUCT, envelope_flags=0x20))
    assert code_of(outcome) == 1
    assert outcome.envelope.flags == 2


async def test_a_response_sent_to_a_node_gets_silence(node, client):
    for pair in golden_pairs():
        client.send(pair.response)
    assert code_of(await client.ask(resolve(PRODUCT))) == 1
    async with datagrams(node.handle.port) as others:
        for pair in golden_pairs():
            await others.send(pair.response)
        assert code_of(await others.ask(resolve(PRODUCT))) == 1
    assert node.telemetry.malformed == 2 * len(golden_pairs())


async def test_a_body_that_breaks_its_layout_is_a_protocol_error(client):
    asked = request(OpCode.RESOLUTION, b"\xff\xff\xff\xff")
    outcome = await client.ask(asked)
    assert (outcome.header.opcode, code_of(outcome)) == (1, 4)
    assert "handle" in told(outcome).message


async def test_a_message_whose_lengths_disagree_is_a_protocol_error(client):
    whole = resolve(PRODUCT)
    asked = whole._replace(header=whole.header._replace(body_length=9999))
    assert code_of(await client.ask(asked)) == 4


async def test_a_request_that_says_more_parts_follow_gets_a_whole_answer(client):
    outcome = await client.ask(resolve(PRODUCT, flags=PUBLIC | CN))
    assert code_of(outcome) == 1
    assert not outcome.header.flags & CN


@pytest.mark.parametrize("flags", [PUBLIC, PUBLIC | CT, PUBLIC | RD])
async def test_a_record_too_long_for_a_message_is_told_so(open_node, writer, flags):
    half = Value(1, "A", b"x" * 150_000)
    assert code_of(await writer.ask(create(NEW, half))) == 1
    more = with_values(OpCode.ADD_VALUE, NEW, half._replace(index=2, type="B"))
    assert code_of(await writer.ask(more)) == 1
    outcome = await writer.ask(resolve(NEW, flags=flags))
    assert code_of(outcome) == 2
    assert "octets" in told(outcome).message
    part = await writer.ask(resolve(NEW, types=(b"B",), flags=flags))
    assert [value.index for value in told(part).values] == [2]
    assert open_node.telemetry.internal_errors == 0


async def test_answers_carry_the_site_s_serial_and_are_authoritative(client):
    outcome = await client.ask(resolve(PRODUCT))
    assert outcome.header.site_serial == 1
    assert outcome.header.flags & OpFlag.AUTHORITATIVE


@pytest.mark.parametrize(
    ("indexes", "types", "expected"),
    [
        ((), (), [1, 2, 3]),
        ((2,), (), [2]),
        ((), (b"url",), [1]),
        ((), (b"URL.",), [1, 2]),
        ((3,), (b"URL.ALT",), [2, 3]),
        ((1, 1), (b"URL", b"url"), [1]),
        ((9,), (b"MAIL",), None),
        ((), (b"UR",), None),
    ],
)
async def test_values_are_chosen_by_index_or_type(
    node, client, indexes, types, expected
):
    values = (URL, URL._replace(index=2, type="URL.ALT"), Value(3, "EMAIL", b"e"))
    await write(node, Operation.CREATE, NEW, *values)
    outcome = await client.ask(resolve(NEW, indexes, types))
    if expected is None:
        assert (code_of(outcome), told(outcome)) == (200, Failure(""))
    else:
        assert [value.index for value in told(outcome).values] == expected
