"""What an identifier is: its canonical octets, its prefix, its parents.

An identifier is `PREFIX/SUFFIX` in UTF-8, at most 2 048 octets. A prefix is
labels joined by dots (`88.118.7`); its own record is the *prefix handle*
`0.NA/PREFIX`, and a name without a slash means that record (handle notes §1.9).

Names compare without regard to ASCII case, as CNRI's default does (handle notes
§3); `CaseRule.EXACT` keeps the suffix as written. Prefixes always fold. All
functions work on octets, because that is what arrives and what is stored.
"""

import enum
import functools
import re

from registry.errors import InvalidIdentifierError

MAX_IDENTIFIER_OCTETS = 2048
MAX_PREFIX_OCTETS = 255
"""Longest prefix (emulator convention): a store's key holds it whole."""

PREFIX_AUTHORITY = b"0.NA"
"""Prefix of all prefix handles; who homes it allocates one-label prefixes."""

_PREFIX_HANDLE = PREFIX_AUTHORITY + b"/"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class CaseRule(enum.Enum):
    """How suffixes compare."""

    FOLD = "fold"
    """ASCII letters compare without case: CNRI's default."""

    EXACT = "exact"
    """Octet by octet."""


_FOLD = CaseRule.FOLD


def canonical(octets: bytes, rule: CaseRule = CaseRule.FOLD) -> bytes:
    """Give the canonical octets of a name as it came from outside.

    Raises:
        InvalidIdentifierError: Empty, too long, not UTF-8, no prefix before or
            no suffix after the slash, a control character, or a prefix that is
            too long or has an empty label.
    """
    if 0 < len(octets) <= MAX_IDENTIFIER_OCTETS and octets.isascii():
        # As nearly all are; every other name, and every error, goes the long way.
        folded = octets.upper()
        prefix, _, suffix = folded.partition(b"/")
        if suffix and _is_common_prefix(prefix) and octets.decode().isprintable():
            return folded if rule is _FOLD else prefix + octets[len(prefix) :]
    return _canonical(octets, rule)


def _canonical(octets: bytes, rule: CaseRule) -> bytes:
    _check_octets(octets)
    prefix, slash, suffix = octets.partition(b"/")
    if not slash:
        prefix, suffix = PREFIX_AUTHORITY, prefix
    if not prefix or not suffix:
        raise _invalid(octets, "a prefix, a slash and a suffix")
    folded = prefix.upper()
    if folded == PREFIX_AUTHORITY:
        return _PREFIX_HANDLE + _checked_prefix(suffix.upper(), octets)
    _checked_prefix(folded, octets)
    if rule is CaseRule.FOLD:
        return folded + b"/" + suffix.upper()
    return folded + b"/" + suffix


@functools.lru_cache(maxsize=4096)
def _is_common_prefix(prefix: bytes) -> bool:
    try:
        return prefix != PREFIX_AUTHORITY and _checked_prefix(prefix, prefix) != b""
    except InvalidIdentifierError:
        return False


def prefix_of(name: bytes) -> bytes:
    """Give the part before the slash of a canonical name."""
    return name.partition(b"/")[0]


def suffix_of(name: bytes) -> bytes:
    """Give the part after the first slash of a canonical name."""
    return name.partition(b"/")[2]


def is_prefix_handle(name: bytes) -> bool:
    """Tell whether a canonical name is the record of a prefix."""
    return name.startswith(_PREFIX_HANDLE)


def prefix_handle(prefix: bytes) -> bytes:
    """Name the record of a prefix."""
    return _PREFIX_HANDLE + prefix


def parent_prefix(prefix: bytes) -> bytes:
    """Give the prefix one label shorter; one label belongs to `0.NA`, as it does."""
    if prefix == PREFIX_AUTHORITY:
        return PREFIX_AUTHORITY
    parent = prefix.rpartition(b".")[0]
    return parent or PREFIX_AUTHORITY


def home_of(name: bytes) -> bytes:
    """Name the prefix whose node is responsible for a canonical name.

    `88.118.7/SN1` lives where `88.118.7` is homed; the record of the prefix
    `88.118.7` lives where its parent `88.118` is homed.
    """
    prefix, _, suffix = name.partition(b"/")
    return parent_prefix(suffix) if prefix == PREFIX_AUTHORITY else prefix


def lineage(prefix: bytes) -> tuple[bytes, ...]:
    """List the prefixes from the first label down to `prefix` itself."""
    labels = prefix.split(b".")
    return tuple(b".".join(labels[: n + 1]) for n in range(len(labels)))


def _check_octets(octets: bytes) -> None:
    if not 0 < len(octets) <= MAX_IDENTIFIER_OCTETS:
        message = (
            f"identifier of {len(octets)} octets, 1 to {MAX_IDENTIFIER_OCTETS} allowed"
        )
        raise InvalidIdentifierError(message)
    if octets.isascii():
        printable = octets.isalnum() or octets.decode("ascii").isprintable()
    else:
        try:
            printable = _CONTROL.search(octets.decode()) is None
        except UnicodeDecodeError as error:
            message = f"identifier is not UTF-8 at octet {error.start}: {error.reason}"
            raise InvalidIdentifierError(message) from None
    if not printable:
        raise _invalid(octets, "no control characters")


def _checked_prefix(prefix: bytes, whole: bytes) -> bytes:
    if b"/" in prefix or b".." in prefix or prefix[:1] == b"." or prefix[-1:] == b".":
        raise _invalid(whole, "a prefix of labels joined by single dots")
    if len(prefix) > MAX_PREFIX_OCTETS:
        raise _invalid(whole, f"a prefix of at most {MAX_PREFIX_OCTETS} octets")
    return prefix


def _invalid(octets: bytes, expected: str) -> InvalidIdentifierError:
    shown = octets[:64].decode(errors="replace")
    return InvalidIdentifierError(f"identifier {shown!r}: {expected} expected")
