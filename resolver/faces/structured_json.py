"""Sites and keys as JSON and back: the formats `site` and `key` (handle notes §5.1).

    {"version": 1, "protocolVersion": "2.11", "serialNumber": 1, "primarySite": true,
     "multiPrimary": false, "attributes": [{"name": "desc", "value": "…"}],
     "servers": [{"serverId": 1, "address": "127.0.0.1",
                  "publicKey": {"format": "key", "value": {…}},
                  "interfaces": [{"query": true, "admin": true, "protocol": "TCP",
                                  "port": 2641}]}]}

`hashOption` and `hashFilter` (base64) appear where they differ from the usual. Keys
are JWK-like: `kty` is RSA, DSA, DH, SM2 or SM9, numbers are base64url. An SM2 key is
`d`, its X.509 SubjectPublicKeyInfo, as in HS_CERT claims (§2.5), or `pem` when it is
kept as text (emulator convention, like all of DH and SM9).
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from registry.errors import MalformedError
from registry.model.public_key import (
    DhPublicKey,
    DsaPublicKey,
    PemPublicKey,
    PublicKey,
    RsaPublicKey,
    Sm2PublicKey,
    Sm9PublicKey,
    decode_public_key,
    encode_public_key,
)
from registry.model.typed import Interface, InterfaceType, Protocol, Server, Site
from resolver.faces.json_path import LARGEST_U16, Place

JsonObject = dict[str, Any]

_USUAL_HASH_OPTION = 2
_NEWEST = (2, 11)
_VERSION = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})", re.ASCII)
_LARGEST_OCTET = 0xFF
_NAMES: Mapping[type[PublicKey], tuple[str, tuple[str, ...]]] = {
    RsaPublicKey: ("RSA", ("modulus", "exponent")),
    DsaPublicKey: ("DSA", ("y", "p", "q", "g")),
    DhPublicKey: ("DH", ("y", "p", "g")),
}
_MEMBERS = {"modulus": "n", "exponent": "e"}
"""JWK's names of RSA's numbers; the others go by their own (RFC 7518 §6.3)."""


def read_base64(place: Place) -> bytes:
    """Read base64 in either alphabet, padded or not."""
    text = place.text().translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise place.error("base64") from None


def write_base64(octets: bytes) -> str:
    """Write standard base64."""
    return base64.b64encode(octets).decode()


def key_as_json(octets: bytes) -> JsonObject:
    """Show HS_PUBKEY data.

    Raises:
        MalformedError: It is no key, or one that is plain text anyway.
    """
    key = decode_public_key(octets)
    match key:
        case RsaPublicKey() | DsaPublicKey() | DhPublicKey():
            kind, fields = _NAMES[type(key)]
            numbers = {_MEMBERS.get(f, f): _number(getattr(key, f)) for f in fields}
            return {"kty": kind, **numbers}
        case Sm2PublicKey() if key.encoded[:1] == b"-":
            return {"kty": "SM2", "pem": key.encoded.decode("ascii")}
        case Sm2PublicKey():
            return {"kty": "SM2", "d": _url(key.encoded)}
        case Sm9PublicKey():
            return {"kty": "SM9", "id": key.user_id}
        case PemPublicKey():
            raise MalformedError("public key: a PEM text shows itself")


def key_from_json(place: Place) -> bytes:
    """Give HS_PUBKEY data.

    Raises:
        InvalidValueError: It does not follow the format.
    """
    try:
        return encode_public_key(_read_key(place))
    except MalformedError as error:
        raise place.error(f"a key ({error})") from None


def _read_key(place: Place) -> PublicKey:
    kind = place.need("kty").text()
    for key_class, (name, fields) in _NAMES.items():
        if name == kind:
            numbers = {f: _read_number(place, _MEMBERS.get(f, f)) for f in fields}
            return key_class(**numbers)  # type: ignore[arg-type]
    if kind == "SM2":
        pem = place.get("pem")
        return Sm2PublicKey(
            pem.text().encode() if pem else read_base64(place.need("d"))
        )
    if kind == "SM9":
        return Sm9PublicKey(place.need("id").text())
    raise place.need("kty").error("RSA, DSA, DH, SM2 or SM9")


def _number(number: int) -> str:
    return _url(number.to_bytes((number.bit_length() + 7) // 8))


def _url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def _read_number(place: Place, name: str) -> int:
    return int.from_bytes(read_base64(place.need(name)))


def site_as_json(octets: bytes) -> JsonObject:
    """Show HS_SITE data.

    Raises:
        MalformedError: It is none.
    """
    site = Site.decode(octets)
    major, minor = site.protocol_version
    shown: JsonObject = {
        "version": site.format_version,
        "protocolVersion": f"{major}.{minor}",
        "serialNumber": site.serial,
        "primarySite": site.primary,
        "multiPrimary": site.multi_primary,
    }
    if site.hash_option != _USUAL_HASH_OPTION:
        shown["hashOption"] = site.hash_option
    if site.hash_filter:
        shown["hashFilter"] = write_base64(site.hash_filter)
    shown["attributes"] = [
        {"name": name, "value": value} for name, value in site.attributes
    ]
    shown["servers"] = [_server_as_json(server) for server in site.servers]
    return shown


def _server_as_json(server: Server) -> JsonObject:
    return {
        "serverId": server.server_id,
        "address": server.address,
        "publicKey": _server_key_as_json(server.public_key),
        "interfaces": [_interface_as_json(each) for each in server.interfaces],
    }


def _server_key_as_json(octets: bytes) -> JsonObject | None:
    if not octets:
        return None
    try:
        shown = key_as_json(octets)
        if key_from_json(Place(shown)) == octets:
            return {"format": "key", "value": shown}
    except MalformedError:
        pass
    return {"format": "base64", "value": write_base64(octets)}


def _interface_as_json(interface: Interface) -> JsonObject:
    if interface.protocol not in set(Protocol):
        raise MalformedError(f"interface: protocol {interface.protocol} has no name")
    return {
        "query": bool(interface.type & InterfaceType.QUERY),
        "admin": bool(interface.type & InterfaceType.ADMIN),
        "protocol": Protocol(interface.protocol).name,
        "port": interface.port,
    }


def site_from_json(place: Place) -> bytes:
    """Give HS_SITE data.

    Raises:
        InvalidValueError: It does not follow the format.
    """
    version, option = place.get("version"), place.get("hashOption")
    hash_filter, attributes = place.get("hashFilter"), place.get("attributes")
    return Site(
        serial=place.need("serialNumber").number(LARGEST_U16),
        primary=_optional_flag(place, "primarySite"),
        servers=tuple(map(_read_server, place.need("servers").items())),
        attributes=tuple(
            map(_read_attribute, attributes.items() if attributes else ())
        ),
        hash_option=option.number(_LARGEST_OCTET) if option else _USUAL_HASH_OPTION,
        multi_primary=_optional_flag(place, "multiPrimary"),
        hash_filter=read_base64(hash_filter) if hash_filter else b"",
        protocol_version=_read_version(place),
        format_version=version.number(LARGEST_U16) if version else 1,
    ).encode()


def _read_version(place: Place) -> tuple[int, int]:
    version = place.get("protocolVersion")
    if version is None:
        return _NEWEST
    match = _VERSION.fullmatch(version.text())
    if match is None or max(int(match[1]), int(match[2])) > _LARGEST_OCTET:
        raise version.error('a version such as "2.11"')
    return int(match[1]), int(match[2])


def _read_attribute(place: Place) -> tuple[str, str]:
    return place.need("name").text(), place.need("value").text()


def _read_server(place: Place) -> Server:
    address = place.need("address")
    try:
        ipaddress.ip_address(address.text())
    except ValueError:
        raise address.error("an IPv4 or IPv6 address") from None
    return Server(
        place.need("serverId").number(),
        address.text(),
        _read_server_key(place.get("publicKey")),
        tuple(map(_read_interface, place.need("interfaces").items())),
    )


def _read_server_key(place: Place | None) -> bytes:
    if place is None:
        return b""
    kind = place.need("format").text()
    if kind == "key":
        return key_from_json(place.need("value"))
    if kind == "base64":
        return read_base64(place.need("value"))
    raise place.need("format").error("key or base64")


def _read_interface(place: Place) -> Interface:
    protocol = place.need("protocol")
    name = protocol.text().upper()
    if name not in Protocol.__members__:
        raise protocol.error("UDP, TCP, HTTP or HTTPS")
    kind = InterfaceType.QUERY if _optional_flag(place, "query") else 0
    kind |= InterfaceType.ADMIN if _optional_flag(place, "admin") else 0
    return Interface(int(kind), Protocol[name], place.need("port").number())


def _optional_flag(place: Place, name: str) -> bool:
    found = place.get(name)
    return found.flag() if found else False
