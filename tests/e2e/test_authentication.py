"""Who may do what over the native protocol, and how that is proved."""

import asyncio
import contextlib
import hashlib
import hmac
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa

from chain_anchor.sm3 import sm3
from registry.journal import Operation
from registry.model.octets import blob, pack_u32, text
from registry.model.public_key import PemPublicKey, encode_public_key, read_pem
from registry.model.typed import AdminBit, encode_group
from registry.model.value import Reference, Value
from resolver.identities import RSA_INDEX, SECRET_INDEX, SM2_INDEX
from resolver.session import sm2
from resolver.session.challenge import CHALLENGE_LIFE_SECONDS
from resolver.session.signature import (
    PrivateKeyCredential,
    SecretCredential,
    public_key_of,
)
from resolver.session.token import MAX_AGE_SECONDS, make_token
from resolver.sites import site_of
from resolver.wire.codes import OpCode
from resolver.wire.request import RemoveValues, Verify
from resolver.wire.response import Done, Named, Values, Verified, digest_of
from tests.e2e.native import (
    ADMIN,
    ADMINISTRATOR,
    BY_RSA,
    BY_SECRET,
    BY_SM2,
    KEYS,
    LOGIN_FLAGS,
    NOW,
    PREFIX,
    PRODUCT,
    RESTRICTED,
    SALT,
    SDK_FLAGS,
    URL,
    admin_of,
    answer,
    challenge_of,
    code_of,
    create,
    datagrams,
    login,
    on_handle,
    proof,
    request,
    resolve,
    serve,
    serve_seeded,
    talk,
    tcp_face,
    told,
    udp_face,
    with_values,
    write,
)
from tests.nano import closed_port
from tests.vectors.read import sdk_requests

SECRET = BY_SECRET.secret
USER = f"{PREFIX}/user"
USER_SECRET = SecretCredential(USER, 300, b"a secret of the user")
USER_KEY = Value(300, "HS_SECKEY", USER_SECRET.secret, permissions=0x0C)
DSA_KEY = dsa.generate_private_key(1024)
NEW = f"{PREFIX}/new"


@pytest.fixture
async def node(tmp_path):
    async with serve_seeded(tmp_path) as node:
        yield node


@pytest.fixture
async def client(node):
    async with talk(node.handle.port) as client:
        yield client


def keyed(name: str, front: bytes = b"", back: bytes = b""):
    return lambda message: hashlib.new(name, front + message + back).digest()


SECRET_FORMS = {
    "MD5": (0x01, keyed("md5", SECRET, SECRET)),
    "SHA-1": (0x02, keyed("sha1", SECRET, SECRET)),
    "SHA-256": (0x03, keyed("sha256", SECRET, SECRET)),
    "HMAC-SHA-1": (0x12, lambda message: hmac.digest(SECRET, message, "sha1")),
    "HMAC-SHA-256": (0x13, lambda message: hmac.digest(SECRET, message, "sha256")),
}


def pbkdf2(message: bytes, salt: bytes = SALT, iterations: int = 10_000) -> bytes:
    key = hashlib.pbkdf2_hmac("sha1", SECRET, salt, iterations, 20)
    work = pack_u32(iterations) + pack_u32(160)
    return b"\x22" + blob(salt) + work + blob(hmac.digest(key, message, "sha1"))


async def answered_by_secret(client, octets_of) -> int:
    """Create a record, prove who we are by a form of the secret; give the code."""
    challenge = await client.ask(create(NEW, URL))
    nonce, digest = challenge_of(challenge)
    octets = octets_of(nonce + digest)
    return code_of(
        await client.ask(answer(challenge, "HS_SECKEY", ADMIN, SECRET_INDEX, octets))
    )


@pytest.mark.parametrize("form", SECRET_FORMS)
async def test_a_secret_proves_who_asks_in_each_keyed_form(node, client, form):
    code, function = SECRET_FORMS[form]
    octets_of = lambda message: bytes([code]) + function(message)  # noqa: E731
    assert await answered_by_secret(client, octets_of) == 1
    assert node.registry.get(NEW.upper().encode()) is not None


@pytest.mark.parametrize("form", SECRET_FORMS)
async def test_a_keyed_form_over_another_nonce_is_refused(node, client, form):
    code, function = SECRET_FORMS[form]

    def octets_of(message: bytes) -> bytes:
        return bytes([code]) + function(bytes([message[0] ^ 1]) + message[1:])

    assert await answered_by_secret(client, octets_of) == 403
    assert node.registry.get(NEW.upper().encode()) is None


async def test_a_secret_proves_who_asks_in_the_pbkdf2_form(client):
    assert await answered_by_secret(client, pbkdf2) == 1


async def test_a_pbkdf2_form_that_costs_too_much_is_refused_unread(client):
    def greedy(message: bytes) -> bytes:
        octets = pbkdf2(message, iterations=1)
        return octets.replace(pack_u32(1) + pack_u32(160), b"\x7f\xff\xff\xff" * 2)

    assert await answered_by_secret(client, greedy) == 4


@pytest.mark.parametrize("octets", [b"", b"\x7fxyz", b"\x22"])
async def test_a_proof_in_no_known_form_is_a_protocol_error(client, octets):
    assert await answered_by_secret(client, lambda _: octets) == 4


async def sign_up(node, private_key, data: bytes | None = None) -> PrivateKeyCredential:
    """Register a user with a public key and let it administer the product."""
    octets = data or encode_public_key(public_key_of(private_key))
    await write(node, Operation.CREATE, USER, Value(300, "HS_PUBKEY", octets))
    await write(node, Operation.ADD, PRODUCT, admin_of(USER))
    return PrivateKeyCredential(USER, 300, private_key)


@pytest.mark.parametrize("kind", ["RSA", "DSA", "SM2"])
async def test_a_private_key_proves_who_asks(node, client, kind):
    key = {"RSA": ADMINISTRATOR.rsa, "DSA": DSA_KEY, "SM2": ADMINISTRATOR.sm2}[kind]
    credential = await sign_up(node, key)
    asked = with_values(OpCode.MODIFY_VALUE, PRODUCT, URL._replace(data=b"new"))
    outcome = await client.ask_as(asked, credential)
    assert code_of(outcome) == 1, told(outcome)
    assert node.registry.get(PRODUCT.upper()).value(1).data == b"new"


@pytest.mark.parametrize("kind", ["RSA", "DSA", "SM2"])
async def test_another_key_of_the_same_kind_proves_nothing(node, client, kind):
    key, other = {
        "RSA": (ADMINISTRATOR.rsa, KEYS.rsa("a key that is in no record")),
        "DSA": (DSA_KEY, dsa.generate_private_key(1024)),
        "SM2": (ADMINISTRATOR.sm2, KEYS.sm2("a key that is in no record")),
    }[kind]
    credential = await sign_up(node, key)
    wrong = PrivateKeyCredential(credential.handle, credential.index, other)
    asked = on_handle(OpCode.DELETE_HANDLE, PRODUCT)
    assert code_of(await client.ask_as(asked, wrong)) == 403
    assert node.registry.get(PRODUCT.upper()) is not None


async def test_a_key_kept_as_pem_text_as_the_sdk_writes_it_works(node, client):
    data = pem_of(ADMINISTRATOR.sm2)
    assert data.count(b"\r\n") > 2
    credential = await sign_up(node, ADMINISTRATOR.sm2, data)
    asked = with_values(OpCode.MODIFY_VALUE, PRODUCT, URL)
    assert code_of(await client.ask_as(asked, credential)) == 1


def pem_of(private_key: int) -> bytes:
    pem = sm2.public_key_pem(sm2.public_point(private_key))
    return PemPublicKey.from_info(read_pem(pem, "PUBLIC KEY")).pem


SM2_VARIANTS = {
    "A": ("SM3", lambda m: (sm3(m), ADMIN.encode(), sm3)),
    "B": ("SHA-256", lambda m: (m, sm2.DEFAULT_USER_ID, sm2.sha256)),
    "C": ("SM3", lambda m: (m, sm2.DEFAULT_USER_ID, sm3)),
}


async def answered_by_sm2(client, variant: str, private_key: int) -> int:
    challenge = await client.ask(create(NEW, URL))
    nonce, digest = challenge_of(challenge)
    name, made = SM2_VARIANTS[variant]
    message, user_id, hash_octets = made(nonce + digest)
    point = sm2.public_point(private_key)
    e = sm2.message_digest(point, message, user_id, hash_octets)
    octets = text(name) + blob(sm2.sign(private_key, e))
    asked = answer(challenge, "HS_PUBKEY", ADMIN, SM2_INDEX, octets)
    return code_of(await client.ask(asked))


@pytest.mark.parametrize("variant", SM2_VARIANTS)
async def test_an_sm2_key_proves_who_asks_in_each_variant(client, variant):
    assert await answered_by_sm2(client, variant, ADMINISTRATOR.sm2) == 1


@pytest.mark.parametrize("variant", SM2_VARIANTS)
async def test_another_sm2_key_is_refused_in_each_variant(client, variant):
    assert await answered_by_sm2(client, variant, KEYS.sm2("another")) == 403


@pytest.mark.parametrize("credential", [BY_RSA, BY_SM2, BY_SECRET])
async def test_the_seeded_administrator_creates_by_each_of_its_keys(client, credential):
    outcome = await client.ask_as(create(NEW, URL), credential)
    assert told(outcome) == Named(NEW.encode())


async def test_a_challenge_carries_the_request_s_digest_asked_for_or_not(client):
    asked = create(NEW, URL)
    challenge = await client.ask(asked)
    nonce, digest = challenge_of(challenge)
    assert challenge.header.opcode == OpCode.CREATE_HANDLE
    assert challenge.header.flags & 0x0080_0000
    assert digest == digest_of(asked).octets == hashlib.sha256(asked.digested).digest()
    assert len(nonce) == 16
    assert challenge.envelope.session_id != 0


async def test_the_outcome_carries_the_original_operation(client):
    outcome = await client.ask_as(create(NEW, URL), BY_SECRET)
    assert outcome.header.opcode == OpCode.CREATE_HANDLE
    refused = await client.ask_as(create(NEW, URL, flags=0x0040_0000), USER_SECRET)
    assert (refused.header.opcode, code_of(refused)) == (OpCode.CREATE_HANDLE, 404)


async def test_a_user_without_a_key_there_is_refused(client):
    nobody = SecretCredential(ADMIN, 299, SECRET)
    assert code_of(await client.ask_as(create(NEW, URL), nobody)) == 404


async def test_a_proof_of_another_kind_than_the_key_is_refused(client):
    confused = SecretCredential(ADMIN, RSA_INDEX, SECRET)
    assert code_of(await client.ask_as(create(NEW, URL), confused)) == 404


async def test_who_is_no_administrator_is_told_400(node, client):
    await write(node, Operation.CREATE, USER, USER_KEY)
    for asked in (
        create(NEW, URL),
        with_values(OpCode.ADD_VALUE, PRODUCT, URL._replace(index=9)),
        on_handle(OpCode.DELETE_HANDLE, PRODUCT),
        on_handle(OpCode.LIST_HANDLES, f"0.NA/{PREFIX}"),
        on_handle(OpCode.HOME_PREFIX, "88.100.1.9"),
    ):
        outcome = await client.ask_as(asked, USER_SECRET)
        assert code_of(outcome) == 400, asked.header.opcode


async def test_who_may_not_home_a_prefix_makes_the_node_ask_nobody(node, client):
    outcome = await client.ask_as(on_handle(OpCode.HOME_PREFIX, "99.9"), BY_SECRET)
    assert code_of(outcome) == 400
    assert node.telemetry.upstream_requests == 0


PERMITTED = {
    AdminBit.ADD_VALUE: with_values(OpCode.ADD_VALUE, PRODUCT, Value(9, "X", b"")),
    AdminBit.MODIFY_VALUE: with_values(OpCode.MODIFY_VALUE, PRODUCT, URL),
    AdminBit.REMOVE_VALUE: request(
        OpCode.REMOVE_VALUE, RemoveValues(PRODUCT, (1,)).encode()
    ),
    AdminBit.DELETE_HANDLE: on_handle(OpCode.DELETE_HANDLE, PRODUCT),
    AdminBit.ADD_ADMIN: with_values(
        OpCode.ADD_VALUE, PRODUCT, admin_of(USER, index=101)
    ),
    AdminBit.MODIFY_ADMIN: with_values(OpCode.MODIFY_VALUE, PRODUCT, admin_of(USER)),
    AdminBit.REMOVE_ADMIN: request(
        OpCode.REMOVE_VALUE, RemoveValues(PRODUCT, (100,)).encode()
    ),
}


@pytest.mark.parametrize("bit", PERMITTED, ids=lambda bit: bit.name)
async def test_a_permission_allows_its_operation_and_its_lack_forbids_it(
    node, client, bit
):
    await write(node, Operation.CREATE, USER, USER_KEY)
    await write(node, Operation.ADD, PRODUCT, admin_of(USER, 0xFFF & ~bit))
    asked = PERMITTED[bit]
    assert code_of(await client.ask_as(asked, USER_SECRET)) == 401
    await write(node, Operation.MODIFY, PRODUCT, admin_of(USER, bit))
    assert code_of(await client.ask_as(asked, USER_SECRET)) == 1


async def test_a_value_without_admin_write_is_not_changed_by_administrators(
    node, client
):
    fixed = Value(7, "X", b"", permissions=0x0A)
    await write(node, Operation.ADD, PRODUCT, fixed)
    modified = with_values(OpCode.MODIFY_VALUE, PRODUCT, fixed._replace(data=b"new"))
    removed = request(OpCode.REMOVE_VALUE, RemoveValues(PRODUCT, (7,)).encode())
    for asked in (modified, removed):
        assert code_of(await client.ask_as(asked, BY_SECRET)) == 401


async def test_an_answer_is_good_for_one_try(node, client):
    asked = create(NEW, URL)
    challenge = await client.ask(asked)
    right = proof(asked, challenge, BY_SECRET)
    assert code_of(await client.ask(right)) == 1
    await write(node, Operation.DELETE, NEW)
    assert code_of(await client.ask(right)) == 405
    assert node.registry.get(NEW.upper().encode()) is None


async def test_a_wrong_answer_uses_the_challenge_up(client):
    asked = create(NEW, URL)
    challenge = await client.ask(asked)
    wrong = SecretCredential(ADMIN, SECRET_INDEX, b"wrong")
    assert code_of(await client.ask(proof(asked, challenge, wrong))) == 403
    assert code_of(await client.ask(proof(asked, challenge, BY_SECRET))) == 405


async def test_an_answer_to_no_challenge_is_too_late(client):
    asked = create(NEW, URL)
    challenge = await client.ask(asked)
    other = challenge.envelope._replace(session_id=challenge.envelope.session_id ^ 2)
    mistaken = challenge._replace(envelope=other)
    assert code_of(await client.ask(proof(asked, mistaken, BY_SECRET))) == 405


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("session_id", [0, 10001])
@pytest.mark.parametrize(("late", "code"), [(0.0, 405), (-0.001, 1)])
async def test_a_challenge_waits_60_seconds_and_no_longer(node, session_id, late, code):
    clock = Clock()
    async with tcp_face(node, clock) as (_, port), talk(port) as client:
        asked = create(NEW, URL, session_id=session_id)
        challenge = await client.ask(asked)
        clock.now += CHALLENGE_LIFE_SECONDS + late
        outcome = await client.ask(proof(asked, challenge, BY_SECRET))
        assert code_of(outcome) == code


async def test_a_fresh_session_id_is_answered_on_a_connection_of_its_own(node):
    asked = create(NEW, URL)
    async with talk(node.handle.port) as first:
        challenge = await first.ask(asked)
    async with talk(node.handle.port) as second:
        assert code_of(await second.ask(proof(asked, challenge, BY_SECRET))) == 1


async def test_a_session_id_of_the_client_s_own_is_good_on_its_connection_only(node):
    asked = create(NEW, URL, session_id=10001)
    async with talk(node.handle.port) as first, talk(node.handle.port) as second:
        challenge = await first.ask(asked)
        assert challenge.envelope.session_id == 10001
        right = proof(asked, challenge, BY_SECRET)
        assert code_of(await second.ask(right)) == 405
        assert code_of(await first.ask(right)) == 1


async def test_a_challenge_over_udp_is_answered_over_udp(node):
    asked = create(NEW, URL)
    async with datagrams(node.handle.port) as client:
        challenge = await client.ask(asked)
        assert code_of(await client.ask(proof(asked, challenge, BY_SECRET))) == 1


async def test_over_udp_the_node_chooses_the_session_id(node):
    async with datagrams(node.handle.port) as client:
        challenge = await client.ask(create(NEW, URL, session_id=10001))
    assert challenge.envelope.session_id not in (0, 10001)


LOGINS = [line for line in sdk_requests() if line.name.endswith("-2001")]


async def test_a_login_of_the_sdk_byte_for_byte_is_challenged(node, client):
    assert len(LOGINS) == 3
    for line in LOGINS:
        client.send(line.octets)
        challenge = await client.receive()
        assert (challenge.header.opcode, code_of(challenge)) == (2001, 402)
        assert challenge.envelope.session_id == 10001
        _, digest = challenge_of(challenge)
        # Header and body are all that follows the envelope: no credential length.
        assert digest == hashlib.sha256(line.octets[20:]).digest()


@pytest.mark.parametrize("credential", [BY_RSA, BY_SM2, BY_SECRET])
async def test_a_login_gives_the_connection_an_identity(node, client, credential):
    asked = login(ADMIN, credential.index)
    assert asked.encode()[44:] == blob(ADMIN.encode()) + pack_u32(credential.index)
    outcome = await client.ask_as(asked, credential)
    assert (outcome.header.opcode, code_of(outcome)) == (2001, 1)
    assert told(outcome) == Done()
    assert outcome.envelope.session_id == 10001
    created = await client.ask(create(NEW, URL, flags=SDK_FLAGS, session_id=10001))
    assert code_of(created) == 1


async def test_a_login_as_the_sdk_makes_it_asks_for_the_site_first(node, client):
    site = await client.ask(
        on_handle(OpCode.GET_SITE_INFO, "/", SDK_FLAGS, session_id=10001)
    )
    assert code_of(site) == 1
    assert code_of(await client.log_in(BY_SM2)) == 1


async def test_a_failed_login_leaves_the_connection_for_a_second_try(client):
    wrong = SecretCredential(ADMIN, SECRET_INDEX, b"wrong")
    assert code_of(await client.log_in(wrong)) == 403
    refused = await client.ask(create(NEW, URL, flags=SDK_FLAGS, session_id=10001))
    assert code_of(refused) == 401
    assert code_of(await client.log_in(BY_SECRET)) == 1
    created = await client.ask(create(NEW, URL, flags=SDK_FLAGS, session_id=10001))
    assert code_of(created) == 1


async def test_a_login_as_one_user_is_not_completed_by_another(node, client):
    await write(node, Operation.CREATE, USER, USER_KEY)
    asked = login(ADMIN, SECRET_INDEX)
    assert code_of(await client.ask_as(asked, USER_SECRET)) == 403
    refused = await client.ask(create(NEW, URL, flags=SDK_FLAGS))
    assert code_of(refused) == 401


async def test_connections_with_the_same_session_id_share_no_identity(node):
    port = node.handle.port
    async with talk(port) as first, talk(port) as second:
        assert code_of(await first.log_in(BY_SECRET, 10001)) == 1
        asked = create(NEW, URL, flags=SDK_FLAGS, session_id=10001)
        assert code_of(await second.ask(asked)) == 401
        assert code_of(await first.ask(asked)) == 1


async def test_two_users_log_in_with_the_same_session_id_at_the_same_time(node):
    await write(node, Operation.CREATE, USER, USER_KEY)
    port = node.handle.port
    async with talk(port) as first, talk(port) as second:
        asked = [login(ADMIN, SECRET_INDEX), login(USER, 300)]
        challenges = [await first.ask(asked[0]), await second.ask(asked[1])]
        proofs = [
            proof(asked[0], challenges[0], BY_SECRET),
            proof(asked[1], challenges[1], USER_SECRET),
        ]
        assert code_of(await second.ask(proofs[1])) == 1
        assert code_of(await first.ask(proofs[0])) == 1
        new = create(NEW, URL, flags=SDK_FLAGS, session_id=10001)
        assert code_of(await second.ask(new)) == 400
        assert code_of(await first.ask(new)) == 1


async def test_a_login_needs_a_connection(node):
    async with datagrams(node.handle.port) as client:
        assert code_of(await client.ask(login(ADMIN, SECRET_INDEX))) == 5


async def test_a_login_is_not_completed_over_udp_for_all_who_ask_there(node):
    port = node.handle.port
    asked = login(ADMIN, SECRET_INDEX, session_id=0)
    async with talk(port) as client:
        right = proof(asked, await client.ask(asked), BY_SECRET)
    async with datagrams(port) as client, datagrams(port) as stranger:
        assert code_of(await client.ask(right)) == 5
        for somebody in (client, stranger):
            assert code_of(await somebody.ask(create(NEW, URL))) == 402


@pytest.mark.parametrize("flags", [0, SDK_FLAGS])
async def test_a_logged_in_connection_reads_restricted_values(node, client, flags):
    assert await indexes_read(client, flags | 0x0100_0000) == {1}
    await client.log_in(BY_RSA)
    assert await indexes_read(client, flags) == {1, RESTRICTED.index}
    assert await indexes_read(client, flags | 0x0100_0000) == {1, RESTRICTED.index}
    async with talk(node.handle.port) as other:
        assert await indexes_read(other, flags | 0x0100_0000) == {1}


async def indexes_read(client, flags: int) -> set[int]:
    found = told(await client.ask(resolve(PRODUCT, flags=flags, session_id=10001)))
    assert isinstance(found, Values)
    return {value.index for value in found.values}


async def test_logged_in_without_rights_is_like_not_logged_in(node, client):
    await write(node, Operation.CREATE, USER, USER_KEY)
    await client.log_in(USER_SECRET)
    assert await indexes_read(client, SDK_FLAGS) == {1}
    asked = resolve(PRODUCT, (RESTRICTED.index,), flags=SDK_FLAGS)
    assert code_of(await client.ask(asked)) == 401


async def test_what_not_even_administrators_may_read_is_not_given(node, client):
    hidden = Value(8, "PIN", b"0000", permissions=0x04)
    await write(node, Operation.ADD, PRODUCT, hidden)
    await client.log_in(BY_SECRET)
    assert await indexes_read(client, 0) == {1, RESTRICTED.index}


async def test_a_restricted_value_is_challenged_for_unless_public_values_are_asked(
    client,
):
    asked = resolve(PRODUCT, (RESTRICTED.index,), flags=0)
    outcome = await client.ask_as(asked, BY_SM2)
    assert [value.data for value in told(outcome).values] == [RESTRICTED.data]
    public = resolve(PRODUCT, (RESTRICTED.index,))
    assert code_of(await client.ask(public)) == 200


WRITES = {
    "create": create(NEW, URL),
    "add": with_values(OpCode.ADD_VALUE, PRODUCT, Value(9, "X", b"")),
    "modify": with_values(OpCode.MODIFY_VALUE, PRODUCT, URL),
    "remove": request(OpCode.REMOVE_VALUE, RemoveValues(PRODUCT, (1,)).encode(), 0),
    "delete": on_handle(OpCode.DELETE_HANDLE, PRODUCT),
    "home": on_handle(OpCode.HOME_PREFIX, "88.100.1.9"),
    "unhome": on_handle(OpCode.UNHOME_PREFIX, PREFIX),
}


@pytest.mark.parametrize("kind", WRITES)
@pytest.mark.parametrize("extra", [0, 0x0040_0000, 0x0020_0000])
async def test_an_anonymous_write_of_the_sdk_gets_an_error_that_it_shows(
    node, client, kind, extra
):
    header = WRITES[kind].header._replace(flags=SDK_FLAGS | extra)
    asked = WRITES[kind]._replace(header=header)
    assert code_of(await client.ask(asked)) == 401
    async with datagrams(node.handle.port) as others:
        assert code_of(await others.ask(asked)) == 402


@pytest.mark.parametrize("kind", WRITES)
@pytest.mark.parametrize("flags", [0, 0x1100_0000, 0x1980_0000])
async def test_any_other_anonymous_write_is_challenged(node, client, kind, flags):
    header = WRITES[kind].header._replace(flags=flags)
    challenge = await client.ask(WRITES[kind]._replace(header=header))
    assert (challenge.header.opcode, code_of(challenge)) == (header.opcode, 402)
    assert node.registry.get(NEW.upper().encode()) is None


def token_request(token: bytes, flags: int = SDK_FLAGS | 4, **more):
    return resolve(PRODUCT, (RESTRICTED.index,), token=token, flags=flags, **more)


@pytest.fixture
async def clock():
    return Clock()


@pytest.fixture
async def timed(node, clock):
    async with tcp_face(node, clock) as (_, port), talk(port) as client:
        yield client


async def test_a_token_shows_restricted_values_for_one_question(timed):
    asked = token_request(make_token(BY_RSA, NOW, 7))
    found = told(await timed.ask(asked))
    assert [value.data for value in found.values] == [RESTRICTED.data]
    assert code_of(await timed.ask(token_request(b""))) == 200


async def test_a_token_is_read_only_where_its_flag_is_set(timed):
    token = make_token(BY_RSA, NOW, 7)
    assert code_of(await timed.ask(token_request(token, SDK_FLAGS))) == 200


async def test_a_token_is_good_for_five_minutes(timed, clock):
    asked = token_request(make_token(BY_RSA, NOW, 7))
    for seconds, code in (
        (MAX_AGE_SECONDS, 1),
        (MAX_AGE_SECONDS + 1, 403),
        (-MAX_AGE_SECONDS, 1),
        (-MAX_AGE_SECONDS - 1, 403),
    ):
        clock.now = NOW + seconds
        assert code_of(await timed.ask(asked)) == code, seconds


async def test_a_token_that_was_tampered_with_is_refused(timed):
    token = make_token(BY_RSA, NOW, 7)
    other = make_token(BY_RSA, NOW, 8)
    head, claims, signature = token.split(b".")
    for tampered, code in (
        (b".".join((head, other.split(b".")[1], signature)), 403),
        (b".".join((head, claims, other.split(b".")[2])), 403),
        (b".".join((head, claims)), 404),
        (token[:-1], 404),
        (b"not a token", 404),
    ):
        assert code_of(await timed.ask(token_request(tampered))) == code, tampered


async def test_a_token_signed_by_another_than_it_names_is_refused(timed):
    other = PrivateKeyCredential(ADMIN, RSA_INDEX, KEYS.rsa("another"))
    assert code_of(await timed.ask(token_request(make_token(other, NOW, 7)))) == 403
    for handle, index in ((f"{PREFIX}/nobody", 300), (ADMIN, 299), (ADMIN, SM2_INDEX)):
        named = PrivateKeyCredential(handle, index, ADMINISTRATOR.rsa)
        asked = token_request(make_token(named, NOW, 7))
        assert code_of(await timed.ask(asked)) == 404, (handle, index)


async def test_a_token_of_who_may_not_read_shows_public_values_only(node, timed):
    await write(
        node,
        Operation.CREATE,
        USER,
        Value(300, "HS_PUBKEY", encode_public_key(public_key_of(ADMINISTRATOR.rsa))),
    )
    user = PrivateKeyCredential(USER, 300, ADMINISTRATOR.rsa)
    token = make_token(user, NOW, 7)
    found = told(await timed.ask(resolve(PRODUCT, token=token, flags=SDK_FLAGS | 4)))
    assert [value.index for value in found.values] == [1]


def verification(user: str, index: int, octets: bytes) -> bytes:
    return Verify(user.encode(), index, b"n" * 16, b"d" * 32, octets).encode()


RIGHT = b"\x13" + hmac.digest(SECRET, b"n" * 16 + b"d" * 32, "sha256")


@pytest.mark.parametrize(
    ("octets", "right"), [(RIGHT, True), (RIGHT[:-1] + b"x", False)]
)
async def test_a_node_verifies_proofs_by_its_users_secrets(client, octets, right):
    body = verification(ADMIN, SECRET_INDEX, octets)
    outcome = await client.ask(request(OpCode.VERIFY_CHALLENGE, body))
    assert (outcome.header.opcode, told(outcome)) == (201, Verified(right))


@pytest.mark.parametrize(
    ("user", "index", "code"),
    [
        (ADMIN, 299, 404),
        (ADMIN, RSA_INDEX, 404),
        (f"{PREFIX}/nobody", 300, 404),
        ("99.9/user", 300, 301),
        ("/", 300, 102),
    ],
)
async def test_a_node_verifies_nothing_for_whom_it_does_not_know(
    client, user, index, code
):
    body = verification(user, index, RIGHT)
    assert code_of(await client.ask(request(OpCode.VERIFY_CHALLENGE, body))) == code


ELSEWHERE = "88.200.1/user"
ELSEWHERE_RSA = PrivateKeyCredential(ELSEWHERE, 300, ADMINISTRATOR.rsa)
ELSEWHERE_SM2 = PrivateKeyCredential(ELSEWHERE, 301, ADMINISTRATOR.sm2)
ELSEWHERE_SECRET = SecretCredential(ELSEWHERE, 302, b"a secret kept at home")


@contextlib.asynccontextmanager
async def top_node(directory):
    """Run the root: it serves 88 and 88.200 and delegates 88.200.1 to itself."""
    async with serve(directory, role="top") as top:
        for prefix in ("0.NA", "88", "88.200", "88.200.1"):
            await write(top, Operation.HOME, prefix)
        site = Value(1, "HS_SITE", top.sites[0])
        for handle in ("0.NA/88.200", "0.NA/88.200.1"):
            await write(top, Operation.CREATE, handle, site)
        keys = (
            ADMINISTRATOR.values[1]._replace(index=300),
            ADMINISTRATOR.values[2]._replace(index=301),
            Value(302, "HS_SECKEY", ELSEWHERE_SECRET.secret, permissions=0x0C),
            group(ADMIN, SECRET_INDEX),
        )
        await write(top, Operation.CREATE, ELSEWHERE, *keys)
        await write(top, Operation.CREATE, "88/user", *keys)
        yield top


def group(handle: str, index: int) -> Value:
    members = (Reference(f"{PREFIX}/nobody", 300), Reference(handle, index))
    return Value(200, "HS_VLIST", encode_group(members))


@pytest.fixture
async def far(tmp_path):
    """A node whose users and groups may live at another node."""
    async with (
        top_node(tmp_path) as top,
        serve_seeded(tmp_path, top.sites) as node,
    ):
        yield node


@pytest.mark.parametrize(
    "credential",
    [
        ELSEWHERE_RSA,
        ELSEWHERE_SM2,
        ELSEWHERE_SECRET,
        replace(ELSEWHERE_RSA, handle="88/user"),
        replace(ELSEWHERE_SECRET, handle="88/user"),
    ],
)
async def test_a_user_of_another_node_proves_who_it_is(far, credential):
    await write(far, Operation.ADD, PRODUCT, admin_of(credential.handle))
    asked = with_values(OpCode.MODIFY_VALUE, PRODUCT, URL._replace(data=b"new"))
    async with talk(far.handle.port) as client:
        assert code_of(await client.ask_as(asked, credential)) == 1
        assert code_of(await client.log_in(credential)) == 1


async def test_a_user_of_another_node_with_a_wrong_secret_is_refused(far):
    wrong = SecretCredential(ELSEWHERE, 302, b"wrong")
    async with talk(far.handle.port) as client:
        assert code_of(await client.log_in(wrong)) == 403


async def test_a_token_of_a_user_of_another_node_is_read(far):
    await write(far, Operation.ADD, PRODUCT, admin_of(ELSEWHERE))
    async with tcp_face(far, Clock()) as (_, port), talk(port) as client:
        asked = token_request(make_token(ELSEWHERE_RSA, NOW, 7))
        assert code_of(await client.ask(asked)) == 1


async def test_members_of_a_group_administer(node, client):
    await write(node, Operation.CREATE, USER, USER_KEY)
    await write(node, Operation.CREATE, f"{PREFIX}/group", group(USER, 300))
    named = admin_of(f"{PREFIX}/group", key_index=200)
    await write(node, Operation.ADD, PRODUCT, named)
    asked = with_values(OpCode.MODIFY_VALUE, PRODUCT, URL)
    assert code_of(await client.ask_as(asked, USER_SECRET)) == 1
    assert code_of(await client.ask_as(asked, BY_SECRET)) == 400


async def test_members_of_groups_within_groups_administer(node, client):
    await write(node, Operation.CREATE, USER, USER_KEY)
    await write(node, Operation.CREATE, f"{PREFIX}/inner", group(USER, 300))
    outer = group(f"{PREFIX}/inner", 200)
    await write(node, Operation.CREATE, f"{PREFIX}/outer", outer)
    named = admin_of(f"{PREFIX}/outer", key_index=200)
    await write(node, Operation.ADD, PRODUCT, named)
    asked = with_values(OpCode.MODIFY_VALUE, PRODUCT, URL)
    assert code_of(await client.ask_as(asked, USER_SECRET)) == 1


async def test_members_of_a_group_at_another_node_administer(far):
    named = admin_of(ELSEWHERE, key_index=200)
    await write(far, Operation.ADD, PRODUCT, named)
    asked = with_values(OpCode.MODIFY_VALUE, PRODUCT, URL)
    async with talk(far.handle.port) as client:
        assert code_of(await client.ask_as(asked, BY_SECRET)) == 1
        assert code_of(await client.ask_as(asked, BY_RSA)) == 400


async def test_a_group_at_a_node_that_is_away_is_an_authentication_error(tmp_path):
    async with talk_to_lonely(tmp_path) as (node, client):
        named = admin_of(ELSEWHERE, key_index=200)
        await write(node, Operation.ADD, PRODUCT, named)
        asked = with_values(OpCode.MODIFY_VALUE, PRODUCT, URL)
        assert code_of(await client.ask_as(asked, BY_SECRET)) == 406


@pytest.mark.parametrize("credential", [ELSEWHERE_RSA, ELSEWHERE_SECRET])
async def test_a_user_of_a_node_that_is_away_is_an_authentication_error(
    tmp_path, credential
):
    async with talk_to_lonely(tmp_path) as (_, client):
        assert code_of(await client.log_in(credential)) == 406


@contextlib.asynccontextmanager
async def talk_to_lonely(directory):
    """Run a node whose root does not answer, and connect to it."""
    async with (
        serve_seeded(directory, [away()]) as node,
        talk(node.handle.port) as client,
    ):
        yield node, client


def away() -> bytes:
    return site_of("127.0.0.1", (closed_port(), 1, 1), "away", b"")


async def test_an_operator_may_do_everything(tmp_path):
    async with serve_seeded(tmp_path, operators=ADMINISTRATOR.identities) as node:
        await write(node, Operation.ADD, PRODUCT, admin_of(USER))
        async with talk(node.handle.port) as client:
            await client.log_in(BY_SECRET)
            for asked in (
                on_handle(OpCode.HOME_PREFIX, "88.100.1.9", SDK_FLAGS),
                create("88.100.1.9/x", URL, flags=SDK_FLAGS),
                on_handle(OpCode.UNHOME_PREFIX, "88.100.1.9", SDK_FLAGS),
                on_handle(OpCode.DELETE_HANDLE, PRODUCT, SDK_FLAGS),
            ):
                assert code_of(await client.ask(asked)) == 1, asked.header.opcode


async def test_challenges_that_nobody_answers_go_with_their_connection(node):
    async with tcp_face(node, Clock()) as (face, port), talk(port) as client:
        for session_id in range(1, 40):
            asked = create(NEW, URL, session_id=session_id)
            assert code_of(await client.ask(asked)) == 402
        (connection,) = face.connections
        assert len(connection._origin.pending) == 16
    assert len(node.responder.challenges) == 0


async def test_challenges_over_udp_are_forgotten_when_their_time_is_up(node):
    clock = Clock()
    async with udp_face(node, clock) as (_, port), datagrams(port) as client:
        for _ in range(10):
            assert code_of(await client.ask(create(NEW, URL))) == 402
        assert len(node.responder.challenges) == 10
        clock.now += CHALLENGE_LIFE_SECONDS
        assert code_of(await client.ask(create(NEW, URL))) == 402
        assert len(node.responder.challenges) == 1


async def test_many_answers_at_once_each_get_the_outcome_of_their_own_request(node):
    names = [f"{PREFIX}/many-{number}" for number in range(40)]

    async def make(name: str) -> bytes:
        async with talk(node.handle.port) as client:
            outcome = await client.ask_as(create(name, URL), BY_SM2)
            return told(outcome).handle

    made = await asyncio.gather(*map(make, names))
    assert made == [name.encode() for name in names]


def test_the_flags_of_both_login_steps_are_the_sdk_s():
    recorded = {line.octets[28:32].hex() for line in LOGINS}
    assert recorded == {f"{LOGIN_FLAGS:08x}"}
