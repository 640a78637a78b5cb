"""Values as JSON and back."""

import json

import pytest
from hypothesis import given, strategies as st

from registry.errors import InvalidValueError, MalformedError
from registry.model.public_key import (
    DhPublicKey,
    DsaPublicKey,
    PemPublicKey,
    RsaPublicKey,
    Sm2PublicKey,
    Sm9PublicKey,
    encode_public_key,
)
from registry.model.typed import (
    Admin,
    Interface,
    InterfaceType,
    Protocol,
    Server,
    Site,
    encode_group,
)
from registry.model.value import MAX_VALUES, Value
from resolver.faces.handle_json import (
    data_as_json,
    read_data,
    read_value,
    read_values,
    value_as_json,
)
from resolver.faces.json_path import Place, read_json
from resolver.keys import SeededKeys
from resolver.session.signature import public_key_of
from resolver.sites import site_of
from tests.strategies import ADMINS, GROUPS, REFERENCES, TEXT, U32
from tests.vectors.read import golden_pairs

TYPES = st.sampled_from(
    ("URL", "HS_ADMIN", "hs_vlist", "HS_SITE", "HS_SITE.PREFIX", "HS_PUBKEY", "")
)
NUMBERS = st.integers(1, 1 << 256)
KEYS = st.one_of(
    st.builds(RsaPublicKey, NUMBERS, NUMBERS),
    st.builds(DsaPublicKey, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    st.builds(DhPublicKey, NUMBERS, NUMBERS, NUMBERS),
    st.builds(RsaPublicKey, NUMBERS, NUMBERS, flags=st.integers(0, 0xFFFF)),
    st.builds(Sm9PublicKey, st.text(min_size=1, max_size=20)),
)
SERVERS = st.builds(
    Server,
    U32,
    st.ip_addresses().map(str),
    st.one_of(st.just(b""), st.binary(max_size=30), KEYS.map(encode_public_key)),
    st.lists(
        st.builds(Interface, st.integers(0, 255), st.integers(0, 5), U32), max_size=3
    ).map(tuple),
)
SITES = st.builds(
    Site,
    st.integers(0, 0xFFFF),
    st.booleans(),
    st.lists(SERVERS, max_size=2).map(tuple),
    st.lists(st.tuples(TEXT, TEXT), max_size=2).map(tuple),
    st.integers(0, 255),
    st.booleans(),
    st.binary(max_size=8),
    st.tuples(st.integers(0, 255), st.integers(0, 255)),
    st.integers(0, 0xFFFF),
)
DATA = st.one_of(
    st.binary(max_size=60),
    TEXT.map(str.encode),
    ADMINS.map(Admin.encode),
    ADMINS.map(lambda admin: admin.encode() + b"\0\0"),
    GROUPS.map(encode_group),
    SITES.map(Site.encode),
    KEYS.map(encode_public_key),
)
VALUES = st.builds(
    Value,
    U32,
    TYPES,
    DATA,
    ttl=U32,
    ttl_type=st.integers(0, 1),
    timestamp=U32,
    permissions=st.integers(0, 15),
    references=st.lists(REFERENCES, max_size=3).map(tuple),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                (
                    "index",
                    "type",
                    "data",
                    "format",
                    "value",
                    "values",
                    "ttl",
                    "timestamp",
                    "permissions",
                    "references",
                    "handle",
                )
            )
            | st.text(max_size=5),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)
EXAMPLE = {
    "index": 1,
    "type": "URL",
    "data": {"format": "string", "value": "https://example.com"},
    "ttl": 86400,
    "timestamp": "2024-01-01T00:00:00Z",
}
EXAMPLE_VALUE = Value(1, "URL", b"https://example.com", timestamp=1_704_067_200)


def read(document: object) -> Value:
    return read_value(Place(document))


def data(**shown: object) -> bytes:
    return read_data(Place(shown))


def test_the_example_of_the_notes_is_written_and_read():
    assert value_as_json(EXAMPLE_VALUE) == EXAMPLE
    assert read(EXAMPLE) == EXAMPLE_VALUE


@given(VALUES)
def test_what_is_written_is_read_back(value):
    document = json.loads(json.dumps(value_as_json(value)))
    assert read(document) == value


@given(KEYS.map(encode_public_key))
def test_a_plain_key_is_shown_as_a_key(octets):
    shown = data_as_json("HS_PUBKEY", octets)
    assert read_data(Place(shown)) == octets


@pytest.mark.parametrize("kind", ["rsa", "sm2"])
def test_keys_that_the_network_seeds_are_shown_as_keys(kind):
    key = public_key_of(getattr(SeededKeys(1), kind)("handle json"))
    shown = data_as_json("HS_PUBKEY", encode_public_key(key))
    assert shown["format"] == "key"
    assert shown["value"]["kty"] == kind.upper()


def test_a_key_in_pem_is_shown_as_the_text_it_is():
    pem = PemPublicKey.from_info(b"\x30\x03abc").pem
    assert data_as_json("HS_PUBKEY", pem)["format"] == "string"


def test_an_sm2_key_in_der_comes_back():
    octets = encode_public_key(Sm2PublicKey(b"\x30\x03abc"))
    shown = data_as_json("HS_PUBKEY", octets)
    assert shown == {"format": "key", "value": {"kty": "SM2", "d": "MANhYmM"}}
    assert read_data(Place(shown)) == octets


def test_the_site_of_a_node_is_shown_with_its_key():
    key = encode_public_key(RsaPublicKey(65537, 1 << 2047))
    octets = site_of("127.0.0.1", (2641, 8000, 8443), "top", key)
    shown = data_as_json("HS_SITE", octets)
    server = shown["value"]["servers"][0]
    assert shown["format"] == "site"
    assert server["publicKey"]["format"] == "key"
    assert server["interfaces"][0] == {
        "query": True,
        "admin": True,
        "protocol": "TCP",
        "port": 2641,
    }
    assert read_data(Place(shown)) == octets


def test_the_site_recorded_from_a_server_comes_back():
    pair = next(pair for pair in golden_pairs() if pair.name == "site info")
    octets = pair.response[44:-4]
    octets = octets[octets.index(b"\x00\x01\x02") :]  # after a digest, if there is one
    shown = data_as_json("HS_SITE", octets)
    assert shown["format"] == "site"
    assert read_data(Place(shown)) == octets


def test_administrators_are_shown_with_twelve_bits():
    admin = Admin(0x7F3, "88.1/admin", 300)
    shown = data_as_json("HS_ADMIN", admin.encode())
    assert shown["value"]["permissions"] == "011111110011"


def test_data_of_a_structured_type_that_is_not_exact_is_shown_as_base64():
    legacy = Admin(0x7F3, "88.1/admin", 300).encode() + b"\0\0"
    assert data_as_json("HS_ADMIN", legacy)["format"] == "base64"


@pytest.mark.parametrize("octets", [b"\xff\xfe", b"a\0b", b"\x1b[1m"])
def test_what_is_no_text_is_shown_as_base64(octets):
    assert data_as_json("URL", octets)["format"] == "base64"


@pytest.mark.parametrize(
    ("shown", "octets"),
    [
        ({"format": "string", "value": "武汉"}, "武汉".encode()),
        ({"format": "base64", "value": "AP8="}, b"\x00\xff"),
        ({"format": "hex", "value": "00FF"}, b"\x00\xff"),
        ({"format": "vlist", "value": []}, encode_group(())),
    ],
)
def test_formats_are_read(shown, octets):
    assert data(**shown) == octets


def test_data_may_be_a_bare_string():
    assert read(EXAMPLE | {"data": "x"}).data == b"x"


def test_pyhandle_sends_an_index_as_a_string():
    shown = {"handle": "0.NA/88", "index": "200", "permissions": "011111110011"}
    assert data(format="admin", value=shown) == Admin(0x7F3, "0.NA/88", 200).encode()


def test_a_ttl_that_is_a_time_is_absolute():
    value = read(EXAMPLE | {"ttl": "2024-01-01T00:00:00Z"})
    assert (value.ttl, value.ttl_type) == (1_704_067_200, 1)


def test_default_permissions_are_left_out_and_others_are_bits():
    assert "permissions" not in value_as_json(EXAMPLE_VALUE)
    restricted = EXAMPLE_VALUE._replace(permissions=0x0C)
    assert value_as_json(restricted)["permissions"] == "1100"
    assert read(EXAMPLE | {"permissions": "1100"}).permissions == 0x0C


def test_a_record_comes_in_three_shapes():
    for document in ({"values": [EXAMPLE]}, [EXAMPLE], EXAMPLE):
        assert read_values(Place(document)) == (EXAMPLE_VALUE,)


def test_one_value_without_an_index_gets_the_one_asked_for():
    without = {key: part for key, part in EXAMPLE.items() if key != "index"}
    assert read_values(Place(without), 7)[0].index == 7
    with pytest.raises(InvalidValueError, match=r"\$\.index: missing"):
        read_values(Place(without))


ADMIN = {"handle": "88.1/a", "index": 1, "permissions": "011111110011"}
SITE = {
    "serialNumber": 1,
    "servers": [
        {
            "serverId": 1,
            "address": "127.0.0.1",
            "interfaces": [{"protocol": "TCP", "port": 1}],
        }
    ],
}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"index": -1}, "$.index"),
        ({"index": True}, "$.index"),
        ({"index": "12345678901"}, "$.index"),
        ({"index": 1 << 32}, "$.index"),
        ({"index": 10**4000}, "$.index"),
        ({"type": None}, "$.type"),
        ({"type": "\ud800"}, "$.type"),
        ({"data": 1}, "$.data"),
        ({"data": {}}, "$.data.format"),
        ({"data": {"format": "string"}}, "$.data.value"),
        ({"data": {"format": "jpeg", "value": "x"}}, "$.data.format"),
        ({"data": {"format": "base64", "value": "é"}}, "$.data.value"),
        ({"data": {"format": "base64", "value": "A"}}, "$.data.value"),
        ({"data": {"format": "hex", "value": "0"}}, "$.data.value"),
        (
            {"data": {"format": "admin", "value": ADMIN | {"permissions": "01"}}},
            "$.data.value.permissions",
        ),
        (
            {"data": {"format": "vlist", "value": [{"handle": "a"}]}},
            "$.data.value[0].index",
        ),
        (
            {"data": {"format": "key", "value": {"kty": "EC"}}},
            "$.data.value.kty",
        ),
        (
            {"data": {"format": "key", "value": {"kty": "RSA", "n": "", "e": "AQAB"}}},
            "$.data.value",
        ),
        (
            {"data": {"format": "site", "value": SITE | {"protocolVersion": "300.1"}}},
            "$.data.value.protocolVersion",
        ),
        ({"ttl": -1}, "$.ttl"),
        ({"ttl": "tomorrow"}, "$.ttl"),
        ({"ttl": 1.5}, "$.ttl"),
        ({"timestamp": "1969-12-31T23:59:59Z"}, "$.timestamp"),
        ({"timestamp": "2107-01-01T00:00:00Z"}, "$.timestamp"),
        ({"permissions": "11110"}, "$.permissions"),
        ({"permissions": 14}, "$.permissions"),
        ({"references": {}}, "$.references"),
        ({"references": [{"index": 1}]}, "$.references[0].handle"),
    ],
)
def test_errors_name_the_place(change, place):
    with pytest.raises(InvalidValueError) as caught:
        read(EXAMPLE | change)
    assert str(caught.value).startswith(f"{place}:")


def test_the_place_of_an_address_that_is_none_is_named():
    server = SITE["servers"][0] | {"address": "localhost"}
    with pytest.raises(InvalidValueError, match=r"\$\.value\.servers\[0\]\.address"):
        read_data(Place({"format": "site", "value": SITE | {"servers": [server]}}))


def test_a_site_needs_little():
    octets = data(format="site", value=SITE)
    server = Site.decode(octets).servers[0]
    assert server.port(Protocol.TCP, InterfaceType.QUERY) is None
    assert server.interfaces[0].port == 1


def test_more_values_than_a_record_holds_are_refused():
    with pytest.raises(InvalidValueError, match=r"\$\.values"):
        read_values(Place({"values": [EXAMPLE] * (MAX_VALUES + 1)}))


@given(st.binary(max_size=200) | JSON.map(lambda x: json.dumps(x).encode()))
def test_any_octets_give_values_or_an_error(octets):
    try:
        values = read_values(read_json(octets))
    except (MalformedError, InvalidValueError):
        return
    assert all(isinstance(value, Value) for value in values)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{",
        b"\xff",
        b"[NaN]",
        b"1" * 5000,
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_json_is_malformed(octets):
    with pytest.raises(MalformedError):
        read_json(octets)
