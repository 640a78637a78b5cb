"""Operation codes and flags of the Handle protocol (handle notes §1.2, §1.5)."""

import enum

from registry.model.codes import ResponseCode

__all__ = ["MessageFlag", "OpCode", "OpFlag", "ResponseCode"]


class OpCode(enum.IntEnum):
    """What a request asks for."""

    RESERVED = 0
    RESOLUTION = 1
    GET_SITE_INFO = 2
    CREATE_HANDLE = 100
    DELETE_HANDLE = 101
    ADD_VALUE = 102
    REMOVE_VALUE = 103
    MODIFY_VALUE = 104
    LIST_HANDLES = 105
    LIST_DERIVED_PREFIXES = 106
    CHALLENGE_RESPONSE = 200
    VERIFY_CHALLENGE = 201
    HOME_PREFIX = 300
    UNHOME_PREFIX = 301
    LIST_HOMED_PREFIXES = 302
    SESSION_SETUP = 400
    SESSION_TERMINATE = 401
    SESSION_EXCHANGE_KEY = 402
    GET_NEXT_TRANSACTION_ID = 1000
    RETRIEVE_TRANSACTION_LOG = 1001
    DUMP_HANDLES = 1002
    BACKUP_SERVER = 1003
    LOGIN_ID_SYSTEM = 2001
    """Chinese extension: identity for the rest of the connection."""


class OpFlag(enum.IntFlag):
    """Bits of the header's flag word."""

    AUTHORITATIVE = 0x8000_0000
    CERTIFIED = 0x4000_0000
    ENCRYPTED = 0x2000_0000
    RECURSIVE = 0x1000_0000
    CACHE_AUTHENTICATED = 0x0800_0000
    CONTINUOUS = 0x0400_0000
    KEEP_ALIVE = 0x0200_0000
    PUBLIC_ONLY = 0x0100_0000
    RETURN_REQUEST_DIGEST = 0x0080_0000
    OVERWRITE_WHEN_EXISTS = 0x0040_0000
    MINT_NEW_SUFFIX = 0x0020_0000
    DO_NOT_REFER = 0x0010_0000
    RECURSION_AUTHENTICATED = 0x0000_0004
    """Chinese extension: the body ends with an identity token."""


class MessageFlag(enum.IntFlag):
    """Top bits of the envelope's third octet; the low five suggest a major version."""

    COMPRESSED = 0x80
    ENCRYPTED = 0x40
    TRUNCATED = 0x20
