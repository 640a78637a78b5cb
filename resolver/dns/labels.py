"""Octets of identifiers in domain name labels, and back.

Domain names compare without case and tools take no label for granted, so most octets
are escaped. Three spellings are read, all of them of folded (lower-case) labels:

    xn--...     A-label, RFC 5890: the Unicode text it stands for
    hx--a-20b   CNRI: `-XX` is an octet, everything else itself (resolvers notes §2.3)
    a_20b       ours (emulator convention): `_XX` is an octet, letters are capitals

Ours is what identifiers are written in. `dig` and `kdig` refuse labels with hyphens in
the third and fourth place, or at an end, before they ask anybody; underscores they
take. Identifiers of the industrial system are mostly capitals and digits, hence
letters without an escape are capitals, and small ones are escaped.
"""

import re

MAX_LABEL_OCTETS = 63

_A_LABEL, _CNRI = b"xn--", b"hx--"
_ESCAPED = re.compile(rb"[^0-9A-Z-]|(?<![0-9A-Z])-|-(?![0-9A-Z])")
_OURS = re.compile(rb"(?:[0-9A-Z-]|_[0-9A-F]{2})*")
_OURS_ESCAPE = re.compile(rb"_([0-9A-F]{2})")
_CNRI_BODY = re.compile(rb"(?:[!-,.0-~]|-[0-9a-fA-F]{2})+")
_CNRI_ESCAPE = re.compile(rb"-([0-9a-fA-F]{2})")
_CNRI_PLAIN = re.compile(rb"[!-.0-~]+")


class LabelError(ValueError):
    """A label stands for nothing: the text says why."""


def write_label(octets: bytes) -> bytes:
    """Write octets in our spelling; a hyphen stays between capitals and digits only."""
    return _ESCAPED.sub(lambda match: b"_%02x" % match[0][0], octets).lower()


def read_label(label: bytes) -> bytes:
    """Read a label of an identifier in any spelling, letters as capitals.

    Raises:
        LabelError: It follows none.
    """
    if label.startswith(_A_LABEL):
        return _read_a_label(label).upper()
    body = label.upper()
    if label.startswith(_CNRI):
        return _unescape(body[len(_CNRI) :], _CNRI_BODY, _CNRI_ESCAPE, label)
    return _unescape(body, _OURS, _OURS_ESCAPE, label)


def read_cnri_label(label: bytes) -> bytes:
    """Read a label as CNRI's server does, letters as they are.

    Raises:
        LabelError: It has octets that need an escape, or a broken one.
    """
    if label.startswith(_A_LABEL):
        return _read_a_label(label)
    if label.startswith(_CNRI):
        return _unescape(label[len(_CNRI) :], _CNRI_BODY, _CNRI_ESCAPE, label)
    if _CNRI_PLAIN.fullmatch(label) is None:
        raise LabelError(f"label {shown(label)} has octets that need an escape")
    return label


def shown(label: bytes) -> str:
    """Show a label in a message."""
    return repr(label.decode("ascii", "backslashreplace"))


def _unescape(
    body: bytes, whole: re.Pattern[bytes], escape: re.Pattern[bytes], label: bytes
) -> bytes:
    if whole.fullmatch(body) is None:
        raise LabelError(f"label {shown(label)} has an escape that is none")
    return escape.sub(lambda match: bytes((int(match[1], 16),)), body)


def _read_a_label(label: bytes) -> bytes:
    try:
        return label[len(_A_LABEL) :].decode("punycode").encode()
    except (ValueError, OverflowError):
        # Not only UnicodeError: a code point past the last one is a ValueError.
        raise LabelError(f"label {shown(label)} is no A-label") from None
