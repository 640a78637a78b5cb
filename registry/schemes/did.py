"""Decentralised identifiers, read as identifiers only (DID Core §3.1; bif notes §2.3, §4).

    did:bid:[AC:]efSUFFIX           an account of the chain; AC four characters
    did:cn:88.100.12345             issuer, industry, enterprise: names an IDIS prefix
    did:vaa:SUFFIX                  27 to 31 characters of base58
    did:METHOD:ID                   any other method: the syntax is checked, no more

No product is looked up by a DID: it names who, not what. A DID URL (with a path, query
or fragment) is no identifier.
"""

import re

from registry.schemes.reading import CodeError, Part, Reading, Rejection

_SCHEME = "did"
_MAX_CHARACTERS = 512
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_METHOD = re.compile(r"[a-z0-9]{1,32}")
_GENERAL = re.compile(
    r"(?:[A-Za-z0-9._:-]|%[0-9A-Fa-f]{2})*(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})"
)
_BID = re.compile(rf"(?:([a-z0-9]{{4}}):)?([ez])f([{_BASE58}]{{22,31}})")
_CN = re.compile(r"([0-9]{2})\.([0-9]{3,5})\.([0-9]{1,128})")
_VAA = re.compile(rf"[{_BASE58}]{{27,31}}|IDcontract[0-9]+:[^:]+")
_KEYS = {"e": "Ed25519", "z": "SM2"}
_NOTE = "an identifier of someone or something, not of a product: nothing is looked up"


def read(text: str) -> tuple[Reading, ...]:
    """Read a DID.

    Raises:
        CodeError: It is none.
    """
    if text[:4].lower() != "did:":
        raise _rejected("no DID", "did:METHOD:ID", 0)
    if len(text) > _MAX_CHARACTERS:
        expected = f"at most {_MAX_CHARACTERS}"
        raise _rejected(f"{len(text)} characters", expected, _MAX_CHARACTERS)
    method, colon, rest = text[4:].partition(":")
    if text[:4] != "did:" or not colon or not _METHOD.fullmatch(method):
        raise _rejected("no method", "did: and a method in lower case", 4)
    parts = _parts(method, rest, 5 + len(method))
    return (Reading(_SCHEME, f"did:{method}", text, parts, (_NOTE,)),)


def _parts(method: str, rest: str, start: int) -> tuple[Part, ...]:
    named = Part("method", method, "method")
    if method == "bid":
        found = _BID.fullmatch(rest)
        if found is None:
            expected = "[AC:]ef or zf and 22 octets in base58"
            raise _rejected("no address of the chain", expected, start)
        ac, key, suffix = found.groups()
        chain = (Part("ac", ac, "sub-chain"),) if ac else ()
        kind = Part("key", key, "key", _KEYS[key])
        return (named, *chain, kind, Part("suffix", suffix, "suffix"))
    if method == "cn":
        if not _CN.fullmatch(rest):
            expected = "ISSUER.INDUSTRY.ENTERPRISE: 2, 3 to 5 and 1 to 128 digits"
            raise _rejected("no issuer, industry and enterprise", expected, start)
        return (named, Part("prefix", rest, "IDIS prefix", f"its record: 0.NA/{rest}"))
    if method == "vaa" and not _VAA.fullmatch(rest):
        raise _rejected("no suffix of did:vaa", "27 to 31 characters of base58", start)
    found = _GENERAL.match(rest)
    end = found.end() if found else 0
    if method != "vaa" and (end < len(rest) or not rest):
        expected = "letters, digits, . _ - : and percent escapes"
        raise _rejected("not in an identifier", expected, start + end)
    return (named, Part("id", rest, "identifier of the method"))


def _rejected(reason: str, expected: str, position: int) -> CodeError:
    return CodeError(Rejection(_SCHEME, "did", reason, position, expected))
