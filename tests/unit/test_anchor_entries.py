"""Entries: their octets, and that nothing else is read or written."""

import hashlib
import struct

import pytest

from chain_anchor.changes import Change, assemble_change, encode_body, record_digest
from chain_anchor.entries import (
    HEADER_OCTETS,
    Header,
    Restart,
    Rotation,
    decode_entry,
    encode_entry,
    rotation_message,
)
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.errors import EntryError

CHANGE = Change(
    state=1,
    version=2,
    previous_index=7,
    previous_hash=b"\x11" * 32,
    key=b"\x22" * 32,
    operation=5,
    record_digest=b"\x33" * 32,
    time_ms=1_800_000_000_000,
    actor_index=300,
    actor="88.118/管理".encode(),
    scope=b"88.118",
    extra=b"",
)
HEADER = Header(
    height=3,
    previous_hash=b"\x44" * 32,
    first_index=40,
    count=5,
    map_root=b"\x55" * 32,
    map_keys=30,
    time_ms=1_800_000_000_001,
)
ROTATION = Rotation("a+00000000+AQ==", "b+00000001+AQ==", b"\x66" * 64, b"\x77" * 64)
RESTART = Restart("log.example/武汉", 99, b"\x88" * 32, "disk replaced", 5)
ALL = [CHANGE, HEADER, ROTATION, RESTART]


@pytest.mark.parametrize("entry", ALL)
def test_an_entry_comes_back_as_it_was_written(entry):
    assert decode_entry(encode_entry(entry)) == entry


def test_the_greatest_header_closes_the_greatest_log():
    entry = HEADER._replace(first_index=2**63 - 7)
    assert decode_entry(encode_entry(entry)) == entry


def test_a_change_lies_as_its_table_says():
    octets = encode_entry(CHANGE)
    assert octets[:82] == struct.pack(
        "!BBQQ32s32s", 1, 1, 2, 7, b"\x11" * 32, b"\x22" * 32
    )
    assert octets[82:127] == struct.pack(
        "!B32sQI", 5, b"\x33" * 32, 1_800_000_000_000, 300
    )
    actor = CHANGE.actor
    assert octets[127:] == (
        bytes((0, len(actor))) + actor + b"\x00\x0688.118" + b"\x00\x00"
    )


def test_a_header_lies_as_its_table_says():
    octets = encode_entry(HEADER)
    assert len(octets) == HEADER_OCTETS == 101
    assert octets == (
        b"\x02"
        + (3).to_bytes(8)
        + b"\x44" * 32
        + (40).to_bytes(8)
        + (5).to_bytes(4)
        + b"\x55" * 32
        + (30).to_bytes(8)
        + (1_800_000_000_001).to_bytes(8)
    )


def test_rotation_and_restart_lie_as_their_tables_say():
    assert encode_entry(ROTATION) == (
        b"\x03\x00\x0fa+00000000+AQ==\x00\x0fb+00000001+AQ=="
        + b"\x66" * 64
        + b"\x77" * 64
    )
    origin = "log.example/武汉".encode()
    assert encode_entry(RESTART) == (
        b"\x04\x00"
        + bytes((len(origin),))
        + origin
        + (99).to_bytes(8)
        + b"\x88" * 32
        + b"\x00\x0ddisk replaced"
        + (5).to_bytes(8)
    )


def test_the_body_is_what_a_change_has_after_its_head():
    body = encode_body(*CHANGE[5:])
    assert assemble_change(*CHANGE[:5], body) == encode_entry(CHANGE)


@pytest.mark.parametrize("entry", ALL)
def test_every_shortening_and_any_octet_more_is_refused(entry):
    octets = encode_entry(entry)
    for end in range(len(octets)):
        with pytest.raises(EntryError):
            decode_entry(octets[:end])
    with pytest.raises(EntryError, match="1 octets follow"):
        decode_entry(octets + b"\x00")


@pytest.mark.parametrize("kind", [0, 5, 255])
def test_an_unknown_type_is_refused(kind):
    with pytest.raises(EntryError, match=f"type {kind:#04x}"):
        decode_entry(bytes((kind,)) + encode_entry(HEADER)[1:])


def test_an_entry_longer_than_a_leaf_may_be_is_refused():
    with pytest.raises(EntryError, match="65535"):
        decode_entry(b"\x01" * 65536)
    with pytest.raises(EntryError, match="65535"):
        encode_entry(CHANGE._replace(actor=b"a" * 65536))
    with pytest.raises(EntryError, match="65535"):
        encode_entry(CHANGE._replace(actor=b"a" * 40000, scope=b"s" * 40000))


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (CHANGE._replace(state=0), "state 0"),
        (CHANGE._replace(state=3), "state 3"),
        (CHANGE._replace(version=0), "versions begin at 1"),
        (CHANGE._replace(version=1), "version 1 names a previous"),
        (
            CHANGE._replace(version=1, previous_hash=NO_HASH, previous_index=1),
            "version 1 names a previous",
        ),
        (CHANGE._replace(previous_hash=NO_HASH), "names no previous"),
        (CHANGE._replace(state=2), "deleted key has a record digest"),
        (CHANGE._replace(version=2**63), "version"),
        (CHANGE._replace(previous_index=2**63), "previous"),
        (CHANGE._replace(time_ms=2**63), "time"),
        (HEADER._replace(height=0), "heights begin at 1"),
        (HEADER._replace(height=1), "height 1 names a previous"),
        (HEADER._replace(previous_hash=NO_HASH), "height 3 names no previous"),
        (HEADER._replace(first_index=0, map_keys=0), "begins at 0"),
        (HEADER._replace(first_index=2**63 - 1), "too great"),
        (HEADER._replace(first_index=2**63 - 6), "too great"),
        (HEADER._replace(map_keys=46), "46 keys in the map after 45 entries"),
    ],
)
def test_what_contradicts_itself_is_neither_written_nor_read(entry, reason):
    with pytest.raises(EntryError, match=reason):
        encode_entry(entry)
    if isinstance(entry, Change):
        octets = struct.pack("!BBQQ32s32s", 1, *entry[:5]) + (
            struct.pack("!B32sQI", *entry[5:9])
            + b"".join(len(part).to_bytes(2) + part for part in entry[9:])
        )
    else:
        octets = struct.pack("!BQ32sQI32sQQ", 2, *entry)
    with pytest.raises(EntryError, match=reason):
        decode_entry(octets)


@pytest.mark.parametrize(
    "entry",
    [
        CHANGE._replace(key=b"short"),
        CHANGE._replace(operation=256),
        CHANGE._replace(actor_index=-1),
        CHANGE._replace(version=-1),
        HEADER._replace(count=-1),
        HEADER._replace(count=2**32),
        HEADER._replace(map_root=b""),
        ROTATION._replace(old_signature=b"\x00" * 63),
        RESTART._replace(root=b"\x00" * 31),
        RESTART._replace(why="\ud800"),
        RESTART._replace(size=-1),
    ],
)
def test_a_field_that_does_not_fit_is_not_written(entry):
    with pytest.raises(EntryError):
        encode_entry(entry)


def test_text_that_is_not_utf_8_is_refused():
    octets = encode_entry(RESTART).replace(b"disk", b"\xff\xfe\xfd\xfc")
    with pytest.raises(EntryError, match="why is not UTF-8"):
        decode_entry(octets)


def test_a_record_digest_covers_public_values_and_commitment():
    public = hashlib.sha256(b"values").digest()
    assert (
        record_digest(b"values")
        == hashlib.sha256(b"\x06" + public + bytes(32)).digest()
    )
    assert (
        record_digest(b"values", b"c" * 32)
        == hashlib.sha256(b"\x06" + public + b"c" * 32).digest()
    )
    with pytest.raises(EntryError, match="31 octets"):
        record_digest(b"values", b"c" * 31)


def test_a_rotation_is_signed_for_one_place_in_one_log():
    assert rotation_message("log.example", "old", "new", 258) == (
        b"idis-emulator/key-rotation/v1\nlog.example\nold\nnew\n"
        b"\x00\x00\x00\x00\x00\x00\x01\x02"
    )
