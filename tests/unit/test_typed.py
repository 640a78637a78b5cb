"""HS_ADMIN, HS_VLIST and HS_SITE data."""

import contextlib
import tracemalloc

import pytest
from hypothesis import given, strategies as st

from registry.errors import MalformedError
from registry.model.octets import Cursor, blob, pack_u32, text
from registry.model.typed import (
    ALL_ADMIN_BITS,
    MAX_GROUP_MEMBERS,
    Admin,
    AdminBit,
    Interface,
    InterfaceType,
    Protocol,
    Server,
    Site,
    decode_group,
    encode_group,
)
from registry.model.value import Reference
from tests.strategies import ADMINS, GROUPS, SITES, TEXT

READERS = [Admin.decode, decode_group, Site.decode]
readers = pytest.mark.parametrize(
    "read", READERS, ids=["HS_ADMIN", "HS_VLIST", "HS_SITE"]
)

SERVER = Server(
    1, "192.0.2.7", b"key", (Interface(3, Protocol.TCP, 2641), Interface(2, 0, 53))
)
SITE = Site(3, primary=True, servers=(SERVER,), attributes=(("desc", "a site"),))
SAMPLES = [
    Admin(ALL_ADMIN_BITS, "88.100.1/admin", 300).encode(),
    encode_group((Reference("88.100.1/a", 300), Reference("88.100.1/b", 0))),
    SITE.encode(),
]


@given(ADMINS)
def test_an_administrator_is_read_as_it_was_written(admin):
    assert Admin.decode(admin.encode()) == admin


@given(ADMINS, st.binary(min_size=1, max_size=4))
def test_only_two_octets_may_follow_an_administrator(admin, tail):
    if len(tail) == 2:
        assert Admin.decode(admin.encode() + tail) == admin
    else:
        with pytest.raises(MalformedError):
            Admin.decode(admin.encode() + tail)


def test_the_bits_are_those_of_the_notes():
    assert sum(AdminBit) == ALL_ADMIN_BITS
    assert [bit.value for bit in AdminBit] == [1 << n for n in range(12)]


@given(GROUPS)
def test_a_group_is_read_as_it_was_written(members):
    assert decode_group(encode_group(members)) == members


@given(GROUPS, st.binary(min_size=1, max_size=4))
def test_nothing_may_follow_a_group(members, tail):
    with pytest.raises(MalformedError):
        decode_group(encode_group(members) + tail)


def test_a_group_has_4096_members_at_most():
    most = (Reference("", 0),) * MAX_GROUP_MEMBERS
    assert decode_group(encode_group(most)) == most
    with pytest.raises(MalformedError, match="4097 members, at most 4096"):
        decode_group(encode_group((*most, most[0])))


@given(SITES)
def test_a_site_is_read_as_it_was_written(site):
    assert Site.decode(site.encode()) == site


@given(SITES, st.binary(min_size=1, max_size=4))
def test_nothing_may_follow_a_site(site, tail):
    with pytest.raises(MalformedError):
        Site.decode(site.encode() + tail)


@given(st.binary(max_size=120))
@readers
def test_any_octets_are_data_or_malformed(read, octets):
    with contextlib.suppress(MalformedError):
        read(octets)


@readers
@given(data=st.data())
def test_damaged_octets_are_data_or_malformed(read, data):
    octets = bytearray(SAMPLES[READERS.index(read)])
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(octets) - 1))
        octets[position] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MalformedError):
        read(bytes(octets))


@readers
def test_data_cut_short_is_malformed(read):
    octets = SAMPLES[READERS.index(read)]
    read(octets)
    for size in range(len(octets)):
        with pytest.raises(MalformedError):
            read(octets[:size])


@readers
def test_a_forged_length_costs_no_memory(read):
    octets = SAMPLES[READERS.index(read)]
    for position in range(len(octets) - 3):
        forged = octets[:position] + b"\xff\xff\xff\xff" + octets[position + 4 :]
        tracemalloc.start()
        try:
            read(forged)
        except MalformedError:
            pass
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 64 * 1024, position


@pytest.mark.parametrize("address", ["1.2.3.4", "127.0.0.1", "::1", "2001:db8::7"])
def test_an_address_stands_in_sixteen_octets(address):
    site = SITE._replace(servers=(SERVER._replace(address=address),))
    octets = site.encode()
    assert len(octets) == len(SITE.encode())
    assert Site.decode(octets).servers[0].address == address


def test_the_layout_of_a_site_is_that_of_the_notes():
    expected = (
        b"\0\1"  # format
        b"\2\x0b"  # protocol
        b"\0\3"  # serial
        b"\x80\2"  # primary, hash of the whole handle
        b"\0\0\0\0"  # hash filter
        + pack_u32(1)
        + text("desc")
        + text("a site")
        + pack_u32(1)
        + pack_u32(1)
        + bytes(12)
        + bytes((192, 0, 2, 7))
        + blob(b"key")
        + pack_u32(2)
        + b"\3\1"
        + pack_u32(2641)
        + b"\2\0"
        + pack_u32(53)
    )
    assert SITE.encode() == expected


def test_the_first_port_that_fits_is_taken():
    assert SERVER.port(Protocol.TCP, InterfaceType.ADMIN) == 2641
    assert SERVER.port(Protocol.TCP, InterfaceType.QUERY) == 2641
    assert SERVER.port(Protocol.UDP, InterfaceType.QUERY) == 53
    assert SERVER.port(Protocol.UDP, InterfaceType.ADMIN) is None
    assert SERVER.port(Protocol.HTTP, InterfaceType.QUERY) is None


@given(st.binary(max_size=20), TEXT)
def test_a_cursor_never_reads_past_its_end(octets, what):
    for size in range(len(octets) + 3):
        cursor = Cursor(octets + b"beyond", 0, len(octets))
        if size <= len(octets):
            assert cursor.take(size, what) == octets[:size]
            assert cursor.remaining == len(octets) - size
        else:
            with pytest.raises(MalformedError):
                cursor.take(size, what)
            assert cursor.position == 0


@pytest.mark.parametrize("read", [Cursor.u8, Cursor.u16, Cursor.u32, Cursor.blob])
def test_a_field_beyond_the_end_says_where_it_should_be(read):
    cursor = Cursor(bytes(8), 5, 5)
    with pytest.raises(MalformedError, match=r"at octet 5: \d octets expected, 0 left"):
        read(cursor)
