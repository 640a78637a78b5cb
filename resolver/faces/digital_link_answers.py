"""The answers of the Digital Link resolver, and the headers that go with them.

Every answer may be read by pages of other sites (CORS, R2), says on what it depends
(Vary), and is to be asked for again: what a link is worth its record says each time.
"""

import json
from http import HTTPStatus

from registry.model.codes import ResponseCode
from registry.schemes import gs1
from registry.schemes.reading import CodeError
from resolver.faces.digital_link_request import Asked
from resolver.faces.exchange import (
    Headers,
    Response,
    failure_document,
    json_response,
)
from resolver.links.choosing import Chosen, link_types
from resolver.links.description import description
from resolver.links.level import Levels
from resolver.links.link import Link, shorten
from resolver.links.linkset import (
    CONTEXT_URL,
    JSON_LD_TYPE,
    MEDIA_TYPE,
    Document,
    as_json_ld,
    choices,
    linkset,
)
from resolver.links.lookup import Item
from resolver.links.page import HTML_TYPE, write_page
from resolver.links.target import with_query

METHODS = b"GET, HEAD, OPTIONS"

_COMMON: Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", METHODS),
    (b"access-control-expose-headers", b"Link, Location"),
    (b"vary", b"accept, accept-language"),
    (b"cache-control", b"no-cache"),
)
_PREFLIGHT: Headers = (
    (b"allow", METHODS),
    (b"access-control-allow-headers", b"Accept, Accept-Language, Cache-Control"),
    (b"access-control-max-age", b"86400"),
)
_POLICY: Headers = (
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    (b"x-content-type-options", b"nosniff"),
)
_UNREADABLE = b"idis-unreadable-links"
_MAX_REASON_CHARACTERS = 300
_TEXT_TYPE = "text/plain; charset=utf-8"
_CONTEXT_LINK = (
    f'<{CONTEXT_URL}>; rel="http://www.w3.org/ns/json-ld#context"; '
    'type="application/ld+json"'
)
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def with_common(response: Response) -> Response:
    """Add the headers that all answers have."""
    return response._replace(headers=(*response.headers, *_COMMON))


def options_response() -> Response:
    """Say which methods there are (RFC 9110 §9.3.7), also to a preflight of CORS."""
    return Response(HTTPStatus.OK, b"", _TEXT_TYPE, _PREFLIGHT)


def description_response(root: str, name: str) -> Response:
    """Give the resolver description file (R14)."""
    body = _compact(description(root, name)).encode()
    return Response(HTTPStatus.OK, body, "application/json")


def redirect_response(asked: Asked, item: Item, link: Link) -> Response:
    """Send the client to a link (R10, R11), with its query string (R12)."""
    href = with_query(link.href, asked.query) if link.forwards_query else link.href
    related = [_linkset_link(asked), *_same_as(asked)]
    return _redirect(href, related, _unreadable(item))


def handled_by_response(asked: Asked, item: Item) -> Response:
    """Send the client to the resolver that handles the code prefix (R15)."""
    # R4: another resolver may not know how to decompress.
    href = f"{item.handled_by.rstrip('/')}/{asked.path}"
    related = [f'<{href}>; rel="gs1:handledBy"', *_same_as(asked)]
    return _redirect(with_query(href, asked.query), related, ())


def linkset_response(asked: Asked, item: Item) -> Response:
    """Give the linkset itself (R5)."""
    document = linkset(asked.root, item.levels)
    kind = asked.linkset_type
    return _listed(HTTPStatus.OK, kind, asked, item, item.levels, document)


def choices_response(asked: Asked, item: Item, chosen: Chosen) -> Response:
    """Give the links between which only the client can choose (R18)."""
    document = choices(asked.root, item.levels, chosen)
    level = chosen.level._replace(links=chosen.links)
    kind, status = asked.choices_type, HTTPStatus.MULTIPLE_CHOICES
    return _listed(status, kind, asked, item, (level,), document)


def missing_response(asked: Asked, item: Item) -> Response:
    """Say that the item has no such link, and which it has (R11)."""
    there = [shorten(kind) for kind in link_types(item.levels)]
    wanted = shorten(asked.wanted.link_type)
    listed = ", ".join(there) or "none at all"
    message = f"{asked.path} has no link of type {wanted[:100]}: there are {listed}"
    document = failure_document(ResponseCode.VALUES_NOT_FOUND, message, linkTypes=there)
    headers = ((b"link", _linkset_link(asked).encode()), *_unreadable(item))
    return json_response(document, HTTPStatus.NOT_FOUND, headers)


def unknown_response(asked: Asked) -> Response:
    """Say that nobody has registered the code."""
    message = f"{asked.reading.code}: nobody has registered links for this code"
    document = failure_document(ResponseCode.HANDLE_NOT_FOUND, message)
    return json_response(document, HTTPStatus.NOT_FOUND)


def invalid_response(error: CodeError) -> Response:
    """Say why the URI is not one of GS1 Digital Link (R3)."""
    first = error.rejections[0]
    document = failure_document(
        ResponseCode.INVALID_HANDLE,
        str(error),
        reason=first.reason,
        position=first.position,
        expected=first.expected,
    )
    return json_response(document, HTTPStatus.BAD_REQUEST)


def _redirect(href: str, related: list[str], more: Headers) -> Response:
    location = href.encode()
    headers = ((b"location", location), (b"link", ", ".join(related).encode()), *more)
    status = HTTPStatus.TEMPORARY_REDIRECT
    return Response(status, location + b"\n", _TEXT_TYPE, headers)


def _listed(
    status: HTTPStatus,
    kind: str,
    asked: Asked,
    item: Item,
    shown: Levels,
    document: Document,
) -> Response:
    related = [_linkset_link(asked), *_same_as(asked)]
    if kind == HTML_TYPE:
        body = write_page(asked.root, shown, document)
        headers = (*_POLICY, (b"link", ", ".join(related).encode()))
        kind = f"{HTML_TYPE}; charset=utf-8"
        return Response(status, body.encode(), kind, (*headers, *_unreadable(item)))
    related.append(_CONTEXT_LINK)  # R9
    if kind == JSON_LD_TYPE:
        document = as_json_ld(document)
    body = _compact(document)
    headers = ((b"link", ", ".join(related).encode()), *_unreadable(item))
    return Response(status, body.encode(), kind, headers)


def _linkset_link(asked: Asked) -> str:
    url = f"{asked.root}/{asked.path}?linkType=linkset"
    return f'<{url}>; rel="linkset"; type="{MEDIA_TYPE}"'


def _same_as(asked: Asked) -> list[str]:
    """Tell the uncompressed URI of one that came compressed (R4)."""
    if not asked.compressed:
        return []
    uri = gs1.digital_link_uri(asked.reading, asked.root)
    return [f'<{uri}>; rel="owl:sameAs"']


def _unreadable(item: Item) -> Headers:
    """Tell of values that should be links and are not (emulator convention)."""
    if not item.unreadable:
        return ()
    first = item.unreadable[0][:_MAX_REASON_CHARACTERS]
    text = f"{len(item.unreadable)}; first: {first}"
    return ((_UNREADABLE, text.encode("ascii", "backslashreplace")),)
