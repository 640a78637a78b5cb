"""Response codes of the Handle protocol (handle notes §1.6).

They live in the model because a registry error carries the code that a client
will see, and the registry must not import the data plane.
"""

import enum


class ResponseCode(enum.IntEnum):
    """What a server answers; 601 and 602 are made by clients only."""

    RESERVED = 0
    SUCCESS = 1
    ERROR = 2
    SERVER_TOO_BUSY = 3
    PROTOCOL_ERROR = 4
    OPERATION_NOT_SUPPORTED = 5
    RECURSION_COUNT_TOO_HIGH = 6
    SERVER_BACKUP = 7
    """The server is read-only."""

    HANDLE_NOT_FOUND = 100
    HANDLE_ALREADY_EXISTS = 101
    INVALID_HANDLE = 102
    VALUES_NOT_FOUND = 200
    VALUE_ALREADY_EXISTS = 201
    INVALID_VALUE = 202

    OUT_OF_DATE_SITE_INFO = 300
    SERVER_NOT_RESP = 301
    """The prefix does not live here."""

    SERVICE_REFERRAL = 302
    PREFIX_REFERRAL = 303

    INVALID_ADMIN = 400
    INSUFFICIENT_PERMISSIONS = 401
    AUTHENTICATION_NEEDED = 402
    AUTHENTICATION_FAILED = 403
    INVALID_CREDENTIAL = 404
    AUTHEN_TIMEOUT = 405
    AUTHEN_ERROR = 406

    SESSION_TIMEOUT = 500
    SESSION_FAILED = 501
    INVALID_SESSION_KEY = 502
    NEED_RSAKEY_FOR_SESSIONEXCHANGE = 503
    INVALID_SESSIONSETUP_REQUEST = 504
    SESSION_MESSAGE_REJECTED = 505

    CLIENT_CHANNEL_ERROR = 601
    CLIENT_TIME_OUT = 602
    REQUEST_LIMIT_DAILY = 603
    REGISTER_COUNT_LIMIT = 604
    PREFIX_LIMIT = 605
