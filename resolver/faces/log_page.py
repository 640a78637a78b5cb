"""The page that says what a log is and how it is verified: text, or the same as HTML.

The text lies in `resolver/data/log.txt`. The page has no script and loads nothing, so
it says the same wherever it is read.
"""

import datetime as dt
import functools
import html
import re
from http import HTTPStatus
from importlib import resources
from string import Template
from typing import TYPE_CHECKING

from chain_anchor.witnessing import TEXT_TYPE
from resolver.faces.exchange import Headers, Request, Response
from resolver.faces.negotiation import chosen_type

if TYPE_CHECKING:
    from resolver.node import Node

_HTML = "text/html"
_TEXT = "text/plain"
_HEADERS: Headers = (
    (b"cache-control", b"no-cache"),
    (b"vary", b"accept"),
    (b"content-security-policy", b"default-src 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
_LINK = re.compile(r"(?<!\S)https?://[^\s\[\]?&]+(?!\S)")
"""Addresses that can be followed as they stand."""


def page_response(request: Request, node: "Node") -> Response:
    """Answer with the page; `Accept` chooses between HTML and text."""
    text = _written(node)
    if chosen_type(request.header(b"accept"), (_HTML, _TEXT)) == _TEXT:
        return Response(HTTPStatus.OK, text.encode(), TEXT_TYPE, _HEADERS)
    kind = f"{_HTML}; charset=utf-8"
    return Response(HTTPStatus.OK, _as_html(text).encode(), kind, _HEADERS)


@functools.cache
def _template() -> Template:
    return Template(resources.files("resolver").joinpath("data", "log.txt").read_text())


def _written(node: "Node") -> str:
    assert node.sealing is not None
    assert node.http is not None
    log = node.sealing.log
    moment = dt.datetime.fromtimestamp(log.head.header.time_ms / 1000, dt.UTC)
    host = node.settings.hosts[0]
    shown = f"[{host}]" if ":" in host else host
    return _template().substitute(
        node=node.settings.name,
        origin=log.origin,
        size=log.head.size,
        time=moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        key=log.signer.key.encode(),
        url=f"http://{shown}:{node.http.port}/log",
    )


def _as_html(text: str) -> str:
    title = html.escape(text.partition("\n")[0])
    return (
        "<!DOCTYPE html><html lang='en'><meta charset='utf-8'>"
        f"<title>{title}</title><pre>{_linked(html.escape(text))}</pre></html>\n"
    )


def _linked(escaped: str) -> str:
    return _LINK.sub(lambda found: f"<a href='{found[0]}'>{found[0]}</a>", escaped)
