"""What a request to the Digital Link resolver asks for.

Where the resolver is (its root, and so the anchors of its linksets) goes by the Host
header: one node answers under several names, of loopback in both families.
"""

import re
from http import HTTPStatus
from typing import NamedTuple

from registry.model.codes import ResponseCode
from registry.schemes import gs1
from registry.schemes.gs1.epc import read_epc_binary
from registry.schemes.reading import CodeError, Reading, Rejection
from resolver.faces.exchange import HttpError, Parameters, Request
from resolver.links.accepting import Range, quality_of, read_ranges
from resolver.links.choosing import Wanted
from resolver.links.epc_path import epc_in
from resolver.links.link import expand
from resolver.links.linkset import JSON_LD_TYPE, JSON_TYPE, MEDIA_TYPE
from resolver.links.page import HTML_TYPE

LINKSET_TYPES = (MEDIA_TYPE, JSON_TYPE, JSON_LD_TYPE, HTML_TYPE)
"""In which a linkset can be had; the first where the client does not care."""

MAX_TARGET_OCTETS = 4096
MAX_CONTEXTS = 8

_COMPRESSED_FORMS = ("compressed-digital-link", "epc-binary")
_FORMS = ("digital-link", *_COMPRESSED_FORMS)
_LINKSET = ("linkset", "all")
"""`all` is the name it had until 2024; clients still use it."""

_FOREIGN = re.compile(rb"[^\x21-\x7e]")
"""What may not stand in a URL, and would end up in a header."""

_HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


_FIRST_KEY = re.compile("/+([0-9]+)/([^/?]*)")
_GTIN_DIGITS = 14


class Asked(NamedTuple):
    """A request, understood."""

    root: str
    """Where this resolver's URIs begin, without a slash at the end."""

    reading: Reading
    path: str
    """Of the uncompressed URI, without a slash at either end."""

    query: str
    """As it came, but for octets that may not stand in a URL."""

    wanted: Wanted
    linkset_type: str
    """Media type in which the linkset is wanted; empty for a redirect."""

    choices_type: str
    """Media type for the list, should there be several links that fit."""

    fresh: bool
    """Whether what is remembered is not good enough."""

    @property
    def compressed(self) -> bool:
        """Whether the URI came compressed."""
        return self.reading.form in _COMPRESSED_FORMS


def root_of(request: Request, own_address: str) -> str:
    """Give the root under which the client knows this resolver."""
    host = request.header(b"host")
    scheme = "https" if request.secure else "http"
    return f"{scheme}://{host if _HOST.fullmatch(host) else own_address}"


def read_asked(request: Request, root: str) -> Asked:
    """Understand a request for a Digital Link URI.

    Raises:
        CodeError: It is none (R3).
        HttpError: Its parameters are not right, or it takes no type that there is.
    """
    reading = _read_uri(request, root)
    parameters = Parameters(request.query)
    link_types = parameters.all("linkType")
    if len(link_types) > 1:
        message = f"parameter linkType: once expected, got {len(link_types)} times"
        raise HttpError(HTTPStatus.BAD_REQUEST, message)
    accepted = read_ranges(request.header(b"accept"))
    link_type = link_types[0] if link_types else ""
    kind, quality = _best_linkset_type(accepted)
    wants_linkset = link_type in _LINKSET or _prefers_linkset(accepted)
    if wants_linkset and not quality:
        message = f"Accept: one of {', '.join(LINKSET_TYPES)} expected"
        raise HttpError(HTTPStatus.NOT_ACCEPTABLE, message)
    return Asked(
        root,
        reading,
        gs1.level_paths(reading)[0],
        _FOREIGN.sub(_escaped, request.query).decode(),
        Wanted(
            expand(link_type),
            accepted,
            read_ranges(request.header(b"accept-language")),
            tuple(parameters.all("context")[:MAX_CONTEXTS]),
        ),
        kind if wants_linkset else "",
        kind,
        _wants_fresh(request),
    )


def _read_uri(request: Request, root: str) -> Reading:
    target = request.path.rstrip(b"/")  # R16
    if request.query:
        target += b"?" + request.query
    if len(target) > MAX_TARGET_OCTETS:
        message = f"URI of {len(target)} octets, at most {MAX_TARGET_OCTETS} taken"
        raise HttpError(HTTPStatus.REQUEST_URI_TOO_LONG, message)
    epc = epc_in(request.path.strip(b"/").decode("ascii", "replace"))
    if epc is not None:
        return read_epc_binary(epc)
    uri = root + target.decode("ascii", "replace")
    for reading in (readings := _readings(uri)):
        if reading.form in _FORMS:
            if reading.form not in _COMPRESSED_FORMS:
                _check_key(uri, len(root), reading)
            return reading
    message = f"a GS1 Digital Link URI expected, got {readings[0].form}"
    code = ResponseCode.INVALID_HANDLE
    raise HttpError(HTTPStatus.BAD_REQUEST, message, code=code)


def _readings(uri: str) -> tuple[Reading, ...]:
    """Read a URI; of the reasons against it, the one furthest into it comes first."""
    try:
        return gs1.read(uri)
    except CodeError as error:
        reasons = sorted(error.rejections, key=lambda reason: -(reason.position or 0))
        raise CodeError(*reasons) from error


def _check_key(uri: str, start: int, reading: Reading) -> None:
    """Check what other resolvers' URIs may do and ours do not.

    Elsewhere a path of their own may stand before the key, and shorter GTINs are old (URI
    Syntax 1.4 wants fourteen digits); here both are mistakes (R3).

    Raises:
        CodeError: The key is not the first in the path, or the GTIN is too short.
    """
    key = reading.parts[0]
    found = _FIRST_KEY.match(uri, start)
    if found is None or found[1] != key.key:
        at = start + 1
        reason = f"the path does not begin with the key ({key.key})"
        expected = f"/{key.key}/ first, its qualifiers after it"
    elif key.key == "01" and found[2].isdecimal() and len(found[2]) < _GTIN_DIGITS:
        at = found.start(2)
        reason = f"GTIN of {len(found[2])} digits"
        expected = f"{_GTIN_DIGITS} digits: {key.value}"
    else:
        return
    raise CodeError(Rejection("gs1", reading.form, reason, at, expected))


def _best_linkset_type(accepted: tuple[Range, ...]) -> tuple[str, float]:
    """Choose the media type of a linkset, and say how welcome it is."""
    qualities = [quality_of(kind, accepted) for kind in LINKSET_TYPES]
    best = max(qualities)
    return LINKSET_TYPES[qualities.index(best)], best


def _prefers_linkset(accepted: tuple[Range, ...]) -> bool:
    """Tell whether Accept names the linkset, and nothing that it would rather have."""
    named = [one.quality for one in accepted if one.name == MEDIA_TYPE]
    return bool(named) and 0 < max(named) >= max(one.quality for one in accepted)


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]


def _wants_fresh(request: Request) -> bool:
    """Tell whether the client wants no copy (RFC 9111 §5.2.1.4)."""
    return "no-cache" in request.header(b"cache-control").lower()
