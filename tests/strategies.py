"""Strategies for what the registry keeps, shared by the tests."""

import ipaddress

from hypothesis import strategies as st

from registry.journal import Entry, Operation
from registry.model.typed import Admin, Interface, Server, Site
from registry.model.value import Reference, Value

U8 = st.integers(0, 0xFF)
U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFF_FFFF)
U64 = st.integers(0, 0xFFFF_FFFF_FFFF_FFFF)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
PRINTABLE = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))

LABELS = st.text("0123456789ABCDEFabcdef", min_size=1, max_size=6)
PREFIXES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
SUFFIXES = st.text(PRINTABLE, min_size=1, max_size=40)
"""Any suffix; a slash inside belongs to it."""

IDENTIFIERS = st.builds("{}/{}".format, PREFIXES, SUFFIXES).map(str.encode)

REFERENCES = st.builds(Reference, TEXT, U32)
VALUES = st.builds(
    Value,
    index=U32,
    type=TEXT,
    data=st.binary(max_size=64),
    ttl=U32,
    ttl_type=U8,
    timestamp=U32,
    permissions=U8,
    references=st.lists(REFERENCES, max_size=3).map(tuple),
)
"""Any value that has a layout, sensible or not."""

VALUE_LISTS = st.lists(VALUES, max_size=5).map(tuple)

ADMINS = st.builds(Admin, U16, TEXT, U32)
GROUPS = st.lists(REFERENCES, max_size=8).map(tuple)

_IPV4 = st.ip_addresses(v=4, network="1.0.0.0/8")
_IPV6 = st.ip_addresses(v=6).filter(
    lambda address: address >= ipaddress.IPv6Address(2**96)
)
SERVERS = st.builds(
    Server,
    server_id=U32,
    address=(_IPV4 | _IPV6).map(str),
    public_key=st.binary(max_size=32),
    interfaces=st.lists(st.builds(Interface, U8, U8, U32), max_size=3).map(tuple),
)
SITES = st.builds(
    Site,
    serial=U16,
    primary=st.booleans(),
    servers=st.lists(SERVERS, max_size=3).map(tuple),
    attributes=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    hash_option=U8,
    multi_primary=st.booleans(),
    hash_filter=st.binary(max_size=8),
    protocol_version=st.tuples(U8, U8),
    format_version=U16,
)

ENTRIES = st.builds(
    Entry,
    serial=U64,
    operation=st.sampled_from(Operation),
    time_ms=U64,
    name=IDENTIFIERS,
    digest=st.binary(min_size=32, max_size=32),
    actor=st.binary(max_size=32),
    actor_index=U32,
)


def flips(octets: bytes):
    """Every single-bit error of `octets`, from the first bit to the last."""
    for bit in range(8 * len(octets)):
        flipped = bytearray(octets)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)
