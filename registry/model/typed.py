"""Typed data that the registry and the walk must understand (handle notes §1.8).

HS_ADMIN and HS_VLIST decide who may write; HS_SITE says where a node answers.
Public keys have a module of their own, `registry.model.public_key`.
"""

import enum
import ipaddress
from typing import NamedTuple

from registry.errors import MalformedError
from registry.model.octets import Cursor, blob, pack_u16, pack_u32, text
from registry.model.value import Reference

HS_ADMIN = "HS_ADMIN"
HS_VLIST = "HS_VLIST"

ADMIN_INDEX = 100
"""Where HS_ADMIN conventionally stands."""

KEY_INDEX = 300
"""Where a user's key conventionally stands."""

MAX_GROUP_MEMBERS = 4096


class AdminBit(enum.IntFlag):
    """What an administrator may do."""

    ADD_HANDLE = 0x001
    DELETE_HANDLE = 0x002
    ADD_PREFIX = 0x004
    DELETE_PREFIX = 0x008
    MODIFY_VALUE = 0x010
    REMOVE_VALUE = 0x020
    ADD_VALUE = 0x040
    MODIFY_ADMIN = 0x080
    REMOVE_ADMIN = 0x100
    ADD_ADMIN = 0x200
    READ_VALUE = 0x400
    LIST_HANDLES = 0x800


ALL_ADMIN_BITS = 0xFFF


class Admin(NamedTuple):
    """Data of HS_ADMIN: who, and what that one may do."""

    permissions: int
    handle: str
    index: int  # type: ignore[assignment]  # hides tuple.index, unused here
    """Index of the key, or of an HS_VLIST; 0 means any key of that handle."""

    def encode(self) -> bytes:
        """Write it: permissions(2), handle, index(4)."""
        return pack_u16(self.permissions) + text(self.handle) + pack_u32(self.index)

    @classmethod
    def decode(cls, octets: bytes) -> "Admin":
        """Read it; two extra trailing octets are a legacy form and are ignored."""
        cursor = Cursor(octets)
        permissions = cursor.u16("HS_ADMIN permissions")
        handle = cursor.text("HS_ADMIN handle")
        index = cursor.u32("HS_ADMIN index")
        if cursor.remaining != 2:
            cursor.finish("HS_ADMIN")
        return cls(permissions, handle, index)


def encode_group(members: tuple[Reference, ...]) -> bytes:
    """Write HS_VLIST data."""
    parts = [text(member.handle) + pack_u32(member.index) for member in members]
    return pack_u32(len(parts)) + b"".join(parts)


def decode_group(octets: bytes) -> tuple[Reference, ...]:
    """Read HS_VLIST data; nothing may follow.

    Raises:
        MalformedError: It does not fit or has more than `MAX_GROUP_MEMBERS`.
    """
    cursor = Cursor(octets)
    count = cursor.count(8, "HS_VLIST members")
    if count > MAX_GROUP_MEMBERS:
        message = f"HS_VLIST with {count} members, at most {MAX_GROUP_MEMBERS} allowed"
        raise MalformedError(message)
    members = tuple(
        Reference(cursor.text("HS_VLIST handle"), cursor.u32("HS_VLIST index"))
        for _ in range(count)
    )
    cursor.finish("HS_VLIST")
    return members


class InterfaceType(enum.IntFlag):
    """What a server answers at an interface."""

    ADMIN = 1
    QUERY = 2


class Protocol(enum.IntEnum):
    """How an interface is spoken to."""

    UDP = 0
    TCP = 1
    HTTP = 2
    HTTPS = 3


class Interface(NamedTuple):
    """One way to reach a server."""

    type: int
    protocol: int
    port: int


class Server(NamedTuple):
    """One server of a site."""

    server_id: int
    address: str
    """IPv4 or IPv6, as text."""

    public_key: bytes
    """HS_PUBKEY data, or empty."""

    interfaces: tuple[Interface, ...]

    def port(self, protocol: Protocol, kind: InterfaceType) -> int | None:
        """Give the first port that speaks `protocol` and answers `kind`."""
        for interface in self.interfaces:
            if interface.protocol == protocol and interface.type & kind:
                return interface.port
        return None


class Site(NamedTuple):
    """Data of HS_SITE: where a set of handles is served."""

    serial: int
    primary: bool
    servers: tuple[Server, ...]
    attributes: tuple[tuple[str, str], ...] = ()
    hash_option: int = 2
    """0 prefix, 1 suffix, 2 whole handle: what is hashed to pick a server."""

    multi_primary: bool = False
    hash_filter: bytes = b""
    protocol_version: tuple[int, int] = (2, 11)
    format_version: int = 1

    def encode(self) -> bytes:
        """Write it, as HS_SITE data and as the body of a site-info answer."""
        flags = (0x80 if self.primary else 0) | (0x40 if self.multi_primary else 0)
        return b"".join(
            (
                pack_u16(self.format_version),
                bytes(self.protocol_version),
                pack_u16(self.serial),
                bytes((flags, self.hash_option)),
                blob(self.hash_filter),
                pack_u32(len(self.attributes)),
                *(text(name) + text(value) for name, value in self.attributes),
                pack_u32(len(self.servers)),
                *map(_encode_server, self.servers),
            )
        )

    @classmethod
    def decode(cls, octets: bytes) -> "Site":
        """Read it; nothing may follow."""
        cursor = Cursor(octets)
        form = cursor.u16("HS_SITE version")
        version = (cursor.u8("protocol major"), cursor.u8("protocol minor"))
        serial = cursor.u16("HS_SITE serial")
        flags = cursor.u8("HS_SITE flags")
        option = cursor.u8("HS_SITE hash option")
        hash_filter = cursor.blob("HS_SITE hash filter")
        attributes = tuple(
            (cursor.text("attribute name"), cursor.text("attribute value"))
            for _ in range(cursor.count(8, "HS_SITE attributes"))
        )
        servers = tuple(
            _decode_server(cursor) for _ in range(cursor.count(28, "HS_SITE servers"))
        )
        cursor.finish("HS_SITE")
        return cls(
            serial=serial,
            primary=bool(flags & 0x80),
            servers=servers,
            attributes=attributes,
            hash_option=option,
            multi_primary=bool(flags & 0x40),
            hash_filter=hash_filter,
            protocol_version=version,
            format_version=form,
        )


def _encode_server(server: Server) -> bytes:
    address = ipaddress.ip_address(server.address).packed
    return b"".join(
        (
            pack_u32(server.server_id),
            address.rjust(16, b"\0"),
            blob(server.public_key),
            pack_u32(len(server.interfaces)),
            *(
                bytes((interface.type, interface.protocol)) + pack_u32(interface.port)
                for interface in server.interfaces
            ),
        )
    )


def _decode_server(cursor: Cursor) -> Server:
    server_id = cursor.u32("server id")
    address = _address(cursor.take(16, "server address"))
    key = cursor.blob("server public key")
    interfaces = tuple(
        Interface(
            cursor.u8("interface type"),
            cursor.u8("interface protocol"),
            cursor.u32("interface port"),
        )
        for _ in range(cursor.count(6, "server interfaces"))
    )
    return Server(server_id, address, key, interfaces)


def _address(octets: bytes) -> str:
    # Twelve zero octets mean IPv4, except for ::1, which no IPv4 server can have.
    if octets[:12] == bytes(12) and octets[12] != 0:
        return str(ipaddress.IPv4Address(octets[12:]))
    return str(ipaddress.IPv6Address(octets))
