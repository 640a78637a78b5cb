"""Which messages are plain questions, and which of them are one and the same."""

import itertools
import struct

import numpy as np
import pytest
from hypothesis import given, strategies as st

from registry.errors import InvalidIdentifierError
from registry.model.identifier import CaseRule, canonical
from registry.model.octets import blob, pack_u32
from resolver.fastpath import layout
from resolver.fastpath.layout import (
    DNS,
    FOLD_NAME,
    FOLD_PREFIX,
    HANDLE,
    MAX_NAME_OCTETS,
    MAX_QUESTION_OCTETS,
    MAX_REST_OCTETS,
)
from resolver.fastpath.questions import read_dns_question, read_handle_question
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.request import Resolution
from tests.packet_caches import PUBLIC, ask, request
from tests.strategies import IDENTIFIERS, U8, U16, U32

NAME = b"88.100.1/P1"
OWNER, GENERATION = 511, 0x765_4321


def handle_key(
    octets: bytes, fold: int = FOLD_NAME, owner: int = OWNER
) -> tuple[int, ...]:
    """Read a message from between others; give its key, or nothing.

    Room for keys is used again and again: what it held before must not matter.
    """
    keys = []
    for before in (0, -1):
        key = layout.make_key()
        key.words[:] = before
        words = read_handle_question(
            _between(octets), 2, len(octets), owner, GENERATION, fold, key
        )
        keys.append(tuple(key.words[:words].tolist()))
        assert words <= layout.MAX_KEY_WORDS
    assert keys[0] == keys[1]
    return keys[0]


def dns_key(octets: bytes, owner: int = OWNER) -> tuple[int, ...]:
    keys = []
    for before in (0, -1):
        key = layout.make_key()
        key.words[:] = before
        words = read_dns_question(
            _between(octets), 2, len(octets), owner, GENERATION, key
        )
        keys.append(tuple(key.words[:words].tolist()))
    assert keys[0] == keys[1]
    return keys[0]


def _between(octets: bytes) -> np.ndarray:
    return np.frombuffer(b"\xff\xff" + octets + b"\xff" * 40, np.uint8)


def is_plain(octets: bytes) -> bool:
    return bool(handle_key(octets))


def same(first: bytes, second: bytes, fold: int = FOLD_NAME) -> bool:
    assert handle_key(first, fold)
    assert handle_key(second, fold)
    return handle_key(first, fold) == handle_key(second, fold)


def test_a_key_is_laid_out_as_the_table_says():
    flags = int(OpFlag.AUTHORITATIVE | OpFlag.PUBLIC_ONLY | OpFlag.DO_NOT_REFER)
    key = handle_key(ask(b"88.1/abcde", indexes=(1,), flags=flags))
    octets = struct.pack(f"<{len(key)}q", *key)
    rest = Resolution(b"", (1,), (), b"").encode()[4:]
    assert octets[0:4] == bytes((11, 2, 10, 2))  # a big-endian number, kept little
    assert key[0] >> 32 & 0b111 == 0b111
    assert key[0] >> 35 & 1 == HANDLE
    assert key[0] >> 36 == GENERATION
    assert octets[8:10] == OWNER.to_bytes(2, "little")
    assert octets[10:12] == len(b"88.1/abcde").to_bytes(2, "little")
    assert octets[12:14] == len(rest).to_bytes(2, "little")
    assert octets[16:32] == b"88.1/ABCDE".ljust(16, b"\0")
    assert octets[32:] == rest.ljust(16, b"\0")


def test_owners_and_generations_have_keys_of_their_own():
    octets = _between(ask(NAME))
    keys = set()
    for owner, generation in itertools.product((0, 1, 511), (0, 1, (1 << 27) - 1)):
        key = layout.make_key()
        size = octets.size - 42
        words = read_handle_question(octets, 2, size, owner, generation, 0, key)
        keys.add(tuple(key.words[:words].tolist()))
    assert len(keys) == 9


IGNORED = {
    "request id": {"request_id": 0xFFFF_FFFF},
    "session id": {"session_id": 0xFFFF_FFFF},
    "site serial": {"site_serial": 7},
    "recursion count": {"recursion_count": 16},
    "reserved": {"reserved": 0xFF},
    "expiration": {"expiration": 0xFFFF_FFFF},
    "no credential": {"credential": None},
    "recursive": {"flags": PUBLIC | OpFlag.RECURSIVE},
    "cache authenticated": {"flags": PUBLIC | OpFlag.CACHE_AUTHENTICATED},
    "continuous": {"flags": PUBLIC | OpFlag.CONTINUOUS},
    "keep alive": {"flags": PUBLIC | OpFlag.KEEP_ALIVE},
    "overwrite": {"flags": PUBLIC | OpFlag.OVERWRITE_WHEN_EXISTS},
    "mint": {"flags": PUBLIC | OpFlag.MINT_NEW_SUFFIX},
    "unnamed flags": {"flags": PUBLIC | 0x000F_FFFB},
}
"""Parts of a request that belong to it and shape no answer."""


@pytest.mark.parametrize("part", IGNORED)
def test_what_belongs_to_the_request_alone_does_not_make_another_question(part):
    assert same(ask(NAME), ask(NAME, **IGNORED[part]))


TOLD_APART = {
    "name": {"name": b"88.100.1/P2"},
    "longer name": {"name": NAME + b"\0"},
    "index": {"indexes": (1,)},
    "other index": {"indexes": (2,)},
    "two indexes": {"indexes": (1, 2)},
    "two indexes the other way": {"indexes": (2, 1)},
    "type": {"types": (b"URL",)},
    "type in other letters": {"types": (b"url",)},
    "two types": {"types": (b"URL", b"URL")},
    "token that nobody reads": {"token": b"t"},
    "no token field": {"token": None},
    "restricted values too": {"flags": 0},
    "authority": {"flags": PUBLIC | OpFlag.AUTHORITATIVE},
    "no referral": {"flags": PUBLIC | OpFlag.DO_NOT_REFER},
    "version": {"version": (2, 1)},
    "major version": {"version": (3, 0)},
    "suggested version": {"suggested": (2, 1)},
    "suggested major version": {"suggested": (3, 11)},
    "no suggested version": {"suggested": (0, 0)},
}
"""Parts of a request that an answer depends on, or may."""


def test_what_an_answer_depends_on_makes_another_question():
    keys = {
        part: handle_key(ask(**{"name": NAME, **changed}))
        for part, changed in TOLD_APART.items()
    }
    keys["plain"] = handle_key(ask(NAME))
    assert all(keys.values())
    for (one, first), (other, second) in itertools.combinations(keys.items(), 2):
        assert first != second, (one, other)


NOT_PLAIN = {
    "another operation": {"opcode": OpCode.GET_SITE_INFO},
    "an operation in the upper half": {"opcode": 0x0001_0001},
    "a response": {"code": 1},
    "a piece": {"sequence": 1},
    "compressed": {"envelope_flags": 0x80},
    "encrypted envelope": {"envelope_flags": 0x40},
    "truncated": {"envelope_flags": 0x20},
    "certified": {"flags": PUBLIC | OpFlag.CERTIFIED},
    "encrypted": {"flags": PUBLIC | OpFlag.ENCRYPTED},
    "with digest": {"flags": PUBLIC | OpFlag.RETURN_REQUEST_DIGEST},
    "with token": {
        "flags": PUBLIC | OpFlag.RECURSION_AUTHENTICATED,
        "token": b"token",
    },
    "too many recursions": {"recursion_count": 17},
    "credential": {"credential": b"c"},
    "major version 0": {"version": (0, 10)},
    "major version 1": {"version": (1, 10)},
    "major version 4": {"version": (4, 10)},
    "empty name": {"name": b""},
    "long name": {"name": b"88/" + b"n" * MAX_NAME_OCTETS},
    "long rest": {"types": (b"T" * MAX_REST_OCTETS,)},
}


@pytest.mark.parametrize("part", NOT_PLAIN)
def test_what_is_bound_to_its_client_or_wrong_is_not_plain(part):
    assert is_plain(ask(NAME))
    assert not is_plain(ask(**{"name": NAME, **NOT_PLAIN[part]}))


@pytest.mark.parametrize("token", [None, b"", b"t", b"t" * 200])
def test_a_token_in_a_request_that_does_not_mean_it_is_part_of_the_question(token):
    assert is_plain(ask(NAME, token=token))


def test_the_longest_question_is_plain_and_one_octet_more_is_not():
    kind = b"T" * (MAX_REST_OCTETS - 4 - 8 - 4)
    longest = ask(b"N" * MAX_NAME_OCTETS, types=(kind,))
    assert len(longest) == MAX_QUESTION_OCTETS
    assert len(handle_key(longest)) == layout.MAX_KEY_WORDS
    assert not is_plain(ask(b"N" * (MAX_NAME_OCTETS + 1), types=(kind,)))
    assert not is_plain(ask(b"N" * MAX_NAME_OCTETS, types=(kind + b"T",)))


def test_every_cut_of_a_question_and_every_addition_is_not_plain():
    for credential in (None, b""):
        octets = ask(NAME, indexes=(1,), types=(b"URL",), credential=credential)
        assert is_plain(octets)
        for size in range(len(octets)):
            assert not is_plain(octets[:size])
            assert not is_plain(_refit(octets[:size])) or size == len(octets) - 4
        for more in range(1, 9):
            assert not is_plain(octets + bytes(more))


def _refit(octets: bytes) -> bytes:
    """Make the envelope's length right again."""
    return octets[:16] + pack_u32(max(0, len(octets) - 20)) + octets[20:]


SIZES = (0, 1, 3, 4, 7, 8, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


@pytest.mark.parametrize("place", [16, 40, 44])
@pytest.mark.parametrize("size", SIZES)
def test_a_length_that_does_not_fit_is_not_plain(place, size):
    octets = bytearray(ask(NAME))
    octets[place : place + 4] = pack_u32(size)
    key = handle_key(bytes(octets))
    if place == 44 and 0 < size <= len(NAME):
        # A shorter name and a rest that the long way finds malformed.
        assert key[1] >> 16 & layout.MASK16 == size
    else:
        assert not key


@given(st.binary(max_size=200))
def test_any_octets_are_read_without_an_error(octets):
    handle_key(octets)
    dns_key(octets)


@given(st.data())
def test_any_accident_to_a_question_is_read_without_an_error(data):
    octets = bytearray(ask(NAME, indexes=(1,), types=(b"URL",)))
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(U8)
    key = handle_key(bytes(octets))
    if key:
        assert bytes(octets[16:20]) == pack_u32(len(octets) - 20)
        assert octets[20:28] == bytes((0, 0, 0, 1, 0, 0, 0, 0))


@given(name=IDENTIFIERS, chance=st.randoms(use_true_random=False))
def test_any_spelling_of_a_name_is_one_name(name, chance):
    other = bytes(
        octet ^ 0x20
        if chr(octet).isalpha() and octet < 0x80 and chance.random() < 0.5
        else octet
        for octet in name
    )
    assert same(ask(name), ask(other))
    prefix = len(name.partition(b"/")[0])
    exact = other[:prefix] + name[prefix:]
    assert same(ask(name), ask(exact), FOLD_PREFIX)
    if other[prefix:] != name[prefix:]:
        assert not same(ask(name), ask(other), FOLD_PREFIX)


@pytest.mark.parametrize(
    ("fold", "rule"), [(FOLD_NAME, CaseRule.FOLD), (FOLD_PREFIX, CaseRule.EXACT)]
)
@given(first=IDENTIFIERS, second=IDENTIFIERS)
def test_names_are_one_exactly_when_the_registry_says_so(fold, rule, first, second):
    first, second = first[:40], second[:40]
    for one, other in ((first, second), (first, first.lower()), (first, first.upper())):
        try:
            expected = canonical(one, rule) == canonical(other, rule)
        except InvalidIdentifierError:
            continue
        if canonical(one, rule).startswith(b"0.NA/"):
            continue  # a write to a prefix's record forgets everything
        assert same(ask(one), ask(other), fold) == expected


@pytest.mark.parametrize("octet", [0x40, 0x5B, 0x60, 0x7B, 0x80, 0xDF, 0xE0, 0xFF])
def test_what_is_no_ascii_letter_does_not_fold(octet):
    name = b"88/" + bytes((octet,))
    other = b"88/" + bytes((octet ^ 0x20,))
    assert not same(ask(name), ask(other))


def test_every_ascii_letter_folds():
    upper, lower = b"88/ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"88/abcdefghijklmnopqrstuvwxyz"
    assert same(ask(upper), ask(lower))
    assert not same(ask(upper), ask(lower), FOLD_PREFIX)
    assert same(ask(upper[3:] + b"/x"), ask(lower[3:] + b"/x"), FOLD_PREFIX)
    assert not same(ask(b"a/x"), ask(b"a/X"), FOLD_PREFIX)
    assert same(ask(b"abc"), ask(b"ABC"), FOLD_PREFIX)


@given(first=U32, second=U32)
def test_flags_make_two_questions_only_where_an_answer_depends_on_them(first, second):
    bound = 0x4000_0000 | 0x2000_0000 | 0x0080_0000 | 0x0000_0004
    first, second = first & ~bound, second & ~bound
    shaping = 0x8000_0000 | 0x0100_0000 | 0x0010_0000
    expected = first & shaping == second & shaping
    assert same(ask(NAME, flags=first), ask(NAME, flags=second)) == expected


@given(U32)
def test_a_flag_that_binds_an_answer_is_never_plain(flags):
    bound = 0x4000_0000 | 0x2000_0000 | 0x0080_0000 | 0x0000_0004
    assert is_plain(ask(NAME, flags=flags)) == (not flags & bound)


@given(U32)
def test_no_operation_but_resolution_is_plain(opcode):
    assert is_plain(ask(NAME, opcode=opcode)) == (opcode == 1)


def test_a_rest_that_is_no_list_is_part_of_the_question():
    rests = [bytes(8), bytes(12), b"\xff" * 8, b"\xff" * 16]
    rests += [bytes(n) + b"\1" + bytes(7 - n) for n in range(8)]
    keys = [handle_key(request(blob(NAME) + rest)) for rest in rests]
    assert all(keys)
    assert len(set(keys)) == len(rests)
    assert not is_plain(request(blob(NAME) + b"\xff" * 7))


# DNS


def query(
    labels: tuple[bytes, ...] = (b"p1", b"idis", b"test"),
    kind: int = 16,
    *,
    flags: int = 0x0100,
    ident: int = 7,
    counts: tuple[int, int, int, int] = (1, 0, 0, 0),
    opt: bytes = b"",
) -> bytes:
    name = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    head = struct.pack("!HHHHHH", ident, flags, *counts)
    return head + name + struct.pack("!HH", kind, 1) + opt


def opt(size: int = 1232, ttl: int = 0, name: bytes = b"\0", kind: int = 41) -> bytes:
    return name + struct.pack("!HHIH", kind, size, ttl, 0)


WITH_OPT = (1, 0, 0, 1)


def test_a_query_has_a_key_laid_out_as_the_table_says():
    key = dns_key(query(flags=0x0110))
    octets = struct.pack(f"<{len(key)}q", *key)
    assert octets[0:4] == bytes(4)
    assert key[0] >> 32 & 0b111 == 0
    assert key[0] >> 35 & 1 == DNS
    assert key[0] >> 36 == GENERATION
    assert octets[8:10] == OWNER.to_bytes(2, "little")
    assert octets[10:12] == (14).to_bytes(2, "little")
    assert octets[12] == 4
    assert octets[13:15] == (0x0110).to_bytes(2, "little")
    name = b"\x02P1\x04IDIS\x04TEST\0"
    assert octets[16 : 16 + len(name)] == name
    assert octets[-8:] == b"\0\x10\0\x01".ljust(8, b"\0")


def test_a_querys_id_and_letters_do_not_make_another_question():
    assert dns_key(query()) == dns_key(query(ident=0xFFFF))
    assert dns_key(query()) == dns_key(query((b"P1", b"IdIs", b"tEST")))


def test_what_a_reply_depends_on_makes_another_query():
    queries = [
        query(),
        query((b"p2", b"idis", b"test")),
        query((b"p1idis", b"test")),
        query(kind=1),
        query(flags=0),
        query(flags=0x0110),
        query(flags=0x0120),
        query(counts=WITH_OPT, opt=opt()),
        query(counts=WITH_OPT, opt=opt(4096)),
        query(counts=WITH_OPT, opt=opt(ttl=0x8000)),
        query(()),
    ]
    keys = [dns_key(octets) for octets in queries]
    assert all(keys)
    assert len(set(keys)) == len(queries)


@given(flags=U16)
def test_only_a_standard_query_is_plain(flags):
    assert bool(dns_key(query(flags=flags))) == (not flags & 0xFA00)


def test_what_is_no_single_question_is_not_plain():
    assert dns_key(query(counts=WITH_OPT, opt=opt()))
    wrong = [
        query(counts=(0, 0, 0, 0)),
        query(counts=(2, 0, 0, 0)),
        query(counts=(1, 1, 0, 0)),
        query(counts=(1, 0, 1, 0)),
        query(counts=WITH_OPT),
        query(counts=(1, 0, 0, 2), opt=opt() + opt()),
        query(opt=opt()),
        query(counts=WITH_OPT, opt=opt()[:-1]),
        query(counts=WITH_OPT, opt=opt() + b"\0"),
        query(counts=WITH_OPT, opt=opt(name=b"\1")),
        query(counts=WITH_OPT, opt=opt(kind=1)),
        query(counts=WITH_OPT, opt=opt()[:-2] + b"\0\4abcd"),
        query((b"a" * 64, b"test")),
        query((b"a" * 63,) * 4),
        query()[:12] + b"\xc0\x0c" + query()[-4:],
        query()[:12] + b"\x02p1\xc0\x0c" + query()[-4:],
    ]
    assert [dns_key(octets) for octets in wrong] == [()] * len(wrong)
    octets = query(counts=WITH_OPT, opt=opt())
    assert all(not dns_key(octets[:size]) for size in range(len(octets)))


def test_the_longest_name_of_a_query_is_plain():
    labels = (b"a" * 63,) * 3 + (b"a" * 61,)
    assert len(query(labels)) == 12 + 255 + 4
    assert dns_key(query(labels))
    assert not dns_key(query((b"a" * 63,) * 3 + (b"a" * 62,)))
    assert dns_key(query((b"a" * 63, b"test")))
