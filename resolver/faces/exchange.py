"""One HTTP request and its answer, free of sockets and frameworks.

The HTTP shell (`resolver.faces.http`) makes a `Request` of what arrived and sends the
`Response` that comes back, so that whatever is in between is called like a function.
"""

import json
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from registry.model.codes import ResponseCode

MAX_PARAMETERS = 4200
"""As many as a question may name indexes and types, and some more."""

JSON_TYPE = "application/json;charset=UTF-8"
SCRIPT_TYPE = "application/javascript;charset=UTF-8"
Headers = tuple[tuple[bytes, bytes], ...]
CHALLENGE = (b"www-authenticate", b'Basic realm="handle"')

_STATUSES: dict[int, HTTPStatus] = {
    ResponseCode.SUCCESS: HTTPStatus.OK,
    ResponseCode.SERVICE_REFERRAL: HTTPStatus.MULTIPLE_CHOICES,
    ResponseCode.PREFIX_REFERRAL: HTTPStatus.MULTIPLE_CHOICES,
    ResponseCode.HANDLE_NOT_FOUND: HTTPStatus.NOT_FOUND,
    ResponseCode.HANDLE_ALREADY_EXISTS: HTTPStatus.CONFLICT,
    ResponseCode.VALUE_ALREADY_EXISTS: HTTPStatus.CONFLICT,
    ResponseCode.VALUES_NOT_FOUND: HTTPStatus.BAD_REQUEST,
    ResponseCode.PROTOCOL_ERROR: HTTPStatus.BAD_REQUEST,
    ResponseCode.INVALID_HANDLE: HTTPStatus.BAD_REQUEST,
    ResponseCode.INVALID_VALUE: HTTPStatus.BAD_REQUEST,
    ResponseCode.SERVER_NOT_RESP: HTTPStatus.BAD_REQUEST,
    ResponseCode.OPERATION_NOT_SUPPORTED: HTTPStatus.NOT_IMPLEMENTED,
    ResponseCode.SERVER_TOO_BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    ResponseCode.SERVER_BACKUP: HTTPStatus.SERVICE_UNAVAILABLE,
    ResponseCode.AUTHENTICATION_NEEDED: HTTPStatus.UNAUTHORIZED,
    ResponseCode.INVALID_ADMIN: HTTPStatus.FORBIDDEN,
    ResponseCode.INSUFFICIENT_PERMISSIONS: HTTPStatus.FORBIDDEN,
    ResponseCode.AUTHENTICATION_FAILED: HTTPStatus.FORBIDDEN,
    ResponseCode.INVALID_CREDENTIAL: HTTPStatus.FORBIDDEN,
}

# A callback is code in somebody's page: names joined by dots, nothing else.
_CALLBACK = re.compile(r"[A-Za-z_$][\w$]{0,63}(\.[A-Za-z_$][\w$]{0,63}){0,7}", re.ASCII)
_BOOLEANS = {"": True, "true": True, "1": True, "false": False, "0": False}
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_pretty = json.JSONEncoder(ensure_ascii=False, indent=2).encode
_ascii = json.JSONEncoder(separators=(",", ":")).encode


def status_of(code: int) -> HTTPStatus:
    """Give the HTTP status of a response code (handle notes §5.1)."""
    return _STATUSES.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)


class HttpError(Exception):
    """A request that fails before or beside the Handle protocol."""

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        code: int = ResponseCode.PROTOCOL_ERROR,
        headers: Headers = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


class Response(NamedTuple):
    """What goes back."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    headers: Headers = ()


class Parameters:
    """The query string, read once."""

    __slots__ = ("_values",)

    def __init__(self, octets: bytes) -> None:
        """Read it; blank values count, so that `?index=` is not taken for none.

        Raises:
            HttpError: It is not UTF-8, or has more than `MAX_PARAMETERS`.
        """
        self._values: dict[str, list[str]] = {}
        try:
            if octets:
                self._values = parse_qs(
                    octets.decode(),
                    keep_blank_values=True,
                    errors="strict",
                    max_num_fields=MAX_PARAMETERS,
                )
        except ValueError as error:
            raise HttpError(HTTPStatus.BAD_REQUEST, f"query: {error}") from None

    def all(self, name: str) -> list[str]:
        """Give every value of a parameter."""
        return self._values.get(name, [])

    def one(self, name: str) -> str | None:
        """Give the last value of a parameter."""
        found = self._values.get(name)
        return found[-1] if found else None

    def only(self, *names: str) -> None:
        """Check that there are no others than these, and none of them twice.

        Raises:
            HttpError: There are.
        """
        for name, values in self._values.items():
            if name not in names:
                message = f"parameter {name[:40]}: one of {', '.join(names)} expected"
                raise HttpError(HTTPStatus.BAD_REQUEST, message)
            if len(values) > 1:
                message = f"parameter {name}: once expected, got {len(values)} times"
                raise HttpError(HTTPStatus.BAD_REQUEST, message)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Read a boolean; a parameter without a value is true."""
        text = self.one(name)
        if text is None:
            return default
        if text.lower() not in _BOOLEANS:
            raise self.error(name, "true or false")
        return _BOOLEANS[text.lower()]

    def number(self, name: str, *, default: int) -> int:
        """Read an integer of at most nine digits; -1 stands for none."""
        text = self.one(name)
        if text in (None, "-1"):
            return default
        return self._number(name, text or "")

    def numbers(self, name: str, largest: int) -> tuple[int, ...]:
        """Read every value of a parameter as an index."""
        texts = self.all(name)
        found = tuple(self._number(name, text, digits=10) for text in texts)
        if any(number > largest for number in found):
            raise self.error(name, f"numbers up to {largest}")
        return found

    def error(self, name: str, expected: str) -> HttpError:
        """Make the error of a parameter that is not what was expected."""
        shown = (self.one(name) or "")[:40]
        message = f"parameter {name}: {expected} expected, got {shown!r}"
        return HttpError(HTTPStatus.BAD_REQUEST, message)

    def _number(self, name: str, text: str, digits: int = 9) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= digits):
            raise self.error(name, "a number")
        return int(text)


@dataclass(frozen=True, slots=True)
class Request:
    """What arrived."""

    method: str
    path: bytes
    """Still percent-encoded, without the query."""

    query: bytes
    headers: Mapping[bytes, bytes]
    """Lower-case names; of repeated ones the last."""

    peer: Hashable
    secure: bool
    certificate: bytes | None = None
    """The client's certificate, DER, verified against the network's authority."""

    body: bytes = b""

    def header(self, name: bytes) -> str:
        """Give a header, empty when it is absent."""
        return self.headers.get(name, b"").decode("latin-1")


def json_response(
    document: Any,
    status: int = HTTPStatus.OK,
    headers: Headers = (),
    *,
    parameters: Parameters | None = None,
) -> Response:
    """Write JSON, pretty or as a script where the parameters ask for it.

    Raises:
        HttpError: The callback is not a name.
    """
    callback = parameters.one("callback") if parameters else None
    if callback is not None:
        return _script(callback, document, status, headers)
    pretty = parameters is not None and parameters.flag("pretty")
    text = _pretty(document) if pretty else _compact(document)
    return Response(status, text.encode(), JSON_TYPE, headers)


def failure_document(code: int, message: str, **more: Any) -> dict[str, Any]:
    """Make the body of an error: `{"responseCode": …, "message": …, …}`."""
    document: dict[str, Any] = {"responseCode": int(code)}
    if message:
        document["message"] = message
    return {**document, **more}


def error_response(error: HttpError) -> Response:
    """Answer a request that failed beside the Handle protocol."""
    document = failure_document(error.code, str(error))
    return json_response(document, error.status, error.headers)


def _script(callback: str, document: Any, status: int, headers: Headers) -> Response:
    if not _CALLBACK.fullmatch(callback):
        message = "parameter callback: the name of a function expected"
        raise HttpError(HTTPStatus.BAD_REQUEST, message)
    # The comment keeps the octets from being read as another kind of file.
    body = f"/**/{callback}({_ascii(document)});".encode()
    sniffing = (b"x-content-type-options", b"nosniff")
    return Response(status, body, SCRIPT_TYPE, (*headers, sniffing))
