"""Handles and IDIS identifiers, which are the tree's own names (handle notes §1.9).

    88.118.7/SN0001                     an identifier
    88.118.7  0.NA/88.118.7             a prefix; its record is the prefix handle
    hdl:88.118.7/SN0001  info:hdl/...   as a URI (RFC 4452 for info:hdl)
    https://hdl.handle.net/PREFIX/...   a proxy's address, percent-encoded
    doi:10.1000/182                     a DOI, which is a handle

A bare prefix is read only where it cannot be an OID. The suffix is kept as written.
"""

import functools
import re
from urllib.parse import unquote_to_bytes, urlsplit

from registry.errors import InvalidIdentifierError
from registry.model.identifier import MAX_IDENTIFIER_OCTETS, canonical
from registry.schemes.reading import CodeError, Part, Reading, Rejection

PROXY_HOSTS = ("hdl.handle.net", "doi.org", "dx.doi.org", "www.doi.org")

_SCHEME = "handle"
_URI_FORMS = ("hdl:", "info:hdl/", "doi:", "info:doi/")
_PREFIX = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*)(?:\.[A-Za-z0-9_-]+)*")
_BARE_PREFIX = re.compile(r"[0-9]{2}|[0-9]+(?:\.[0-9]+)+")
_LARGEST_OID_ROOT = 2
_TIERS = ("national node", "secondary node", "enterprise")


def read(text: str) -> tuple[Reading, ...]:
    """Read a handle in any of its forms.

    Raises:
        CodeError: It is none.
    """
    lowered = text[:9].lower()
    if lowered.startswith(("http://", "https://")):
        return (_reading(_from_proxy(text), "proxy-url"),)
    for start in _URI_FORMS:
        if lowered.startswith(start):
            name = _unescaped(text[len(start) :], text, len(start))
            return (_reading(name, "uri"),)
    return (_reading(text, "identifier"),)


def _reading(name: str, form: str) -> Reading:
    prefix, slash, suffix = name.partition("/")
    if not slash:
        prefix, suffix, form = _bare_prefix(name), "", "prefix"
    elif prefix == "0.NA":
        prefix, suffix, form = suffix, "", "prefix"
    _check(name, prefix)
    parts = _prefix_parts(prefix)
    if not suffix:
        return Reading(_SCHEME, form, f"0.NA/{prefix}", parts)
    parts = (*parts, Part("suffix", suffix, "suffix"))
    return Reading(_SCHEME, form, name, parts)


@functools.lru_cache(maxsize=4096)
def _prefix_parts(prefix: str) -> tuple[Part, ...]:
    return (Part("prefix", prefix, "prefix", _tiers(prefix)),)


def _tiers(prefix: str) -> str:
    labels = prefix.split(".")
    if labels[0] not in ("86", "88"):
        return ""
    names = (".".join(labels[: n + 1]) for n in range(len(labels)))
    return ", ".join(f"{t} {n}" for t, n in zip(_TIERS, names, strict=False))


def _check(name: str, prefix: str) -> None:
    if prefix[:4].upper() == "VAA0":
        raise _rejected("the issuing agency of VAA", "a handle's prefix", 0)
    found = _PREFIX.match(prefix)
    end = found.end() if found else 0
    if end < len(prefix) or not prefix:
        raise _rejected(
            "no prefix", "a prefix of letters, digits and dots, then a slash", end
        )
    try:
        canonical(name.encode())
    except InvalidIdentifierError as error:
        expected = f"PREFIX/SUFFIX of at most {MAX_IDENTIFIER_OCTETS} octets"
        raise _rejected(str(error), expected, len(prefix)) from None
    except UnicodeEncodeError as error:
        raise _rejected("half a character", "text", error.start) from None


def _bare_prefix(name: str) -> str:
    if not _BARE_PREFIX.fullmatch(name):
        raise _rejected("no slash", "PREFIX/SUFFIX", None)
    if int(name.partition(".")[0][:9]) <= _LARGEST_OID_ROOT:
        raise _rejected("this is an OID", f"PREFIX/SUFFIX, or 0.NA/{name[:64]}", None)
    return name


def _from_proxy(text: str) -> str:
    try:
        host = (urlsplit(text).hostname or "").lower()
    except ValueError as error:
        raise _rejected(f"no URL ({error})", "the address of a proxy", None) from None
    start = text.index("//") + 2
    if host not in PROXY_HOSTS:
        expected = f"one of {', '.join(PROXY_HOSTS)}"
        raise _rejected(f"host {host[:64]!r} is no Handle proxy", expected, start)
    path = urlsplit(text).path
    return _unescaped(path[1:], text, start)


def _unescaped(name: str, text: str, start: int) -> str:
    try:
        return unquote_to_bytes(name).decode()
    except UnicodeDecodeError:
        position = text.find("%", start)
        raise _rejected("escaped octets", "UTF-8", max(position, 0)) from None


def _rejected(reason: str, expected: str, position: int | None) -> CodeError:
    return CodeError(Rejection(_SCHEME, "identifier", reason, position, expected))
