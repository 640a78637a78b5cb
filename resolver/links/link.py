"""One link of a GS1 Digital Link resolver, and the JSON in which a record keeps it.

A value of type `GS1.LINK` is one JSON object (emulator convention; its members are those
of a link in a linkset, GS1-Conformant Resolver Standard 1.2 §2.5, and a few more):

    linkType  gs1:pip, its URI, another http(s) URI, or an IANA relation   needed
    href      absolute http(s) URL of the target                           needed
    title     for people                                                   needed
    hreflang  BCP 47 tag, or a list of them
    type      IANA media type of the target
    context   text, or a list of texts: where or for whom the link is good
    default   true: the link is a default of its level
    fwqs      false: the request's query string is not passed on
    service   of ONS, which reads the same values (`resolver.dns`)

Whatever the published linkset schema would refuse is refused here, so that a linkset is
valid whoever wrote its records; a title or tag that HTTP cannot carry never gets that far.
"""

import json
import re
from typing import Any, NamedTuple
from urllib.parse import quote

from registry.errors import InvalidValueError

VOCABULARY = "https://ref.gs1.org/voc/"
"""Namespace of GS1's link types, `gs1:` for short (§2.14)."""

HANDLED_BY = VOCABULARY + "handledBy"
DEFAULT_LINK = VOCABULARY + "defaultLink"
DEFAULT_LINK_MULTI = VOCABULARY + "defaultLinkMulti"
MASTER_DATA = VOCABULARY + "masterData"

MAX_LINK_OCTETS = 8192
MAX_TITLE_CHARACTERS = 500
MAX_HREF_CHARACTERS = 2048
MAX_LISTED = 32
"""Languages, or contexts, of one link."""

# The vocabulary has had three addresses; they mean the same (§2.14).
_OLD_VOCABULARY = re.compile(r"https?://(?:www\.|ref\.)?gs1\.org/voc/", re.IGNORECASE)
_RELATION_URI = re.compile(r"https?://[A-Za-z0-9_./]*[A-Za-z0-9_]")
_RELATION_NAME = re.compile(r"[a-z]+(?:-[a-z]+)*")
_RESERVED_NAMES = ("anchor", "description")
_TARGET = re.compile(
    r"https?://[A-Za-z0-9.][^\s\x00-\x20\x7f\"<>\\^`{|}]*", re.IGNORECASE
)
_AUTHORITY = re.compile(r"https?://[\x21-\x7e]*?(?=[/?#]|$)", re.IGNORECASE)
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,7}")
_MEDIA_TYPE = re.compile(
    r"(?:application|audio|example|font|haptics|image|message|model|multipart|text|video)"
    r"/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
)
_NEEDED = frozenset({"linkType", "href", "title"})
_OPTIONAL = frozenset({"hreflang", "type", "context", "default", "fwqs", "service"})
_MEMBERS = _NEEDED | _OPTIONAL
_KEPT_IN_URL = "%!#$&'()*+,/:;=?@[]~"


class LinkError(InvalidValueError):
    """A value is no link: what was expected, what came."""


class Link(NamedTuple):
    """A link from an item to something on the web."""

    type: str
    """URI of the link type, or the name of an IANA relation."""

    href: str
    title: str
    languages: tuple[str, ...] = ()
    media_type: str = ""
    contexts: tuple[str, ...] = ()
    default: bool = False
    forwards_query: bool = True


def expand(link_type: str) -> str:
    """Give the one spelling of a link type: a URI, or an IANA relation's name.

    `gs1:pip`, `https://gs1.org/voc/pip` and `https://ref.gs1.org/voc/pip` are the same.
    """
    if link_type.startswith("gs1:"):
        return VOCABULARY + link_type[4:]
    return _OLD_VOCABULARY.sub(VOCABULARY, link_type, count=1)


def shorten(link_type: str) -> str:
    """Write a link type of GS1's vocabulary as `gs1:NAME`, any other as it is."""
    if link_type.startswith(VOCABULARY):
        return "gs1:" + link_type[len(VOCABULARY) :]
    return link_type


def read_link(octets: bytes) -> Link:
    """Read the data of a `GS1.LINK` value.

    Raises:
        LinkError: It is not such an object.
    """
    if len(octets) > MAX_LINK_OCTETS:
        raise LinkError(
            f"link of {len(octets)} octets, at most {MAX_LINK_OCTETS} taken"
        )
    try:
        document = json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise LinkError(f"a JSON object expected: {error}") from None
    if not isinstance(document, dict):
        raise LinkError("a JSON object expected")
    unknown = sorted(document.keys() - _MEMBERS)
    if unknown:
        expected = ", ".join(sorted(_MEMBERS))
        raise LinkError(f"member {unknown[0][:40]!r}: one of {expected} expected")
    return Link(
        _link_type(_text(document, "linkType")),
        _href(_text(document, "href")),
        _title(_text(document, "title")),
        _languages(document),
        _media_type(document),
        _listed(document, "context"),
        _flag(document, "default", default=False),
        _flag(document, "fwqs", default=True),
    )


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise LinkError(f"member {name}: text expected, got {_shown(value)}")
    return value


def _link_type(text: str) -> str:
    expanded = expand(text)
    if expanded in (DEFAULT_LINK, DEFAULT_LINK_MULTI):
        # R8: a default link also needs a type that says what it is.
        message = (
            f"linkType {text}: a descriptive type expected, "
            'and "default": true beside it'
        )
        raise LinkError(message)
    named = _RELATION_NAME.fullmatch(expanded) and expanded not in _RESERVED_NAMES
    if not named and not _RELATION_URI.fullmatch(expanded):
        message = (
            f"linkType {_shown(text)}: gs1:NAME, an http(s) URI of letters, digits, "
            "dots and slashes, or an IANA relation expected"
        )
        raise LinkError(message)
    return expanded


def _href(text: str) -> str:
    if len(text) > MAX_HREF_CHARACTERS:
        message = f"href of {len(text)} characters, at most {MAX_HREF_CHARACTERS} taken"
        raise LinkError(message)
    if not _TARGET.fullmatch(text) or not _AUTHORITY.match(text):
        message = f"href {_shown(text)}: an absolute http(s) URL expected"
        raise LinkError(message)
    scheme, _, rest = text.partition("://")
    return f"{scheme.lower()}://{quote(rest, safe=_KEPT_IN_URL)}"


def _title(text: str) -> str:
    if len(text) > MAX_TITLE_CHARACTERS or not text.isprintable():
        message = f"title: at most {MAX_TITLE_CHARACTERS} printable characters expected"
        raise LinkError(message)
    return text


def _languages(document: dict[str, Any]) -> tuple[str, ...]:
    tags = _listed(document, "hreflang")
    for tag in tags:
        if not _LANGUAGE.fullmatch(tag):
            raise LinkError(f"hreflang {_shown(tag)}: a BCP 47 language tag expected")
    return tags


def _media_type(document: dict[str, Any]) -> str:
    if "type" not in document:
        return ""
    text = _text(document, "type")
    if not _MEDIA_TYPE.fullmatch(text):
        message = f"type {_shown(text)}: an IANA media type such as text/html expected"
        raise LinkError(message)
    return text.lower()


def _listed(document: dict[str, Any], name: str) -> tuple[str, ...]:
    value = document.get(name, [])
    texts = [value] if isinstance(value, str) else value
    right = isinstance(texts, list) and all(
        isinstance(text, str) and text and text.isprintable() for text in texts
    )
    if not right or len(texts) > MAX_LISTED:
        raise LinkError(f"member {name}: a text or up to {MAX_LISTED} texts expected")
    return tuple(texts)


def _flag(document: dict[str, Any], name: str, *, default: bool) -> bool:
    value = document.get(name, default)
    if not isinstance(value, bool):
        raise LinkError(f"member {name}: true or false expected, got {_shown(value)}")
    return value


def _shown(value: object) -> str:
    return "nothing" if value is None else repr(value)[:60]
