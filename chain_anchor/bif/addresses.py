"""Addresses of accounts and contracts, which are decentralised identifiers.

    did:bid:[AC:]KTSUFFIX      bif notes §2.3, §4.1

    AC      4 characters of a-z 0-9: the code of a sub-chain; none on the main chain
    K       e Ed25519, z SM2
    T       f base58
    SUFFIX  base58 of the last 22 octets of the hash over the raw public key

A contract has no key: its address is made of the transaction that created it, with
type e (§2.5, verified).

In the state an account lies at AC || KT || 22 octets. That K and T belong to the
decoded address is known from published logs of EVM contracts, whose words hold 24
octets that begin with 6566; that an AC belongs to it is emulator convention. Without
them, addresses that differ only there would share an account.
"""

import re
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from chain_anchor.bif import base58
from chain_anchor.bif.errors import EncodingError

PREFIX: Final = "did:bid:"
SUFFIX_OCTETS: Final = 22
_MAX_CHARACTERS: Final = 64
_AC: Final = re.compile("[a-z0-9]{4}")
_KINDS: Final = frozenset({"ef", "zf"})
_REMEMBERED: Final = 16_384
"""Addresses whose parsed form is kept: a block of 10 000 accounts names each twice."""


class Address(NamedTuple):
    """The parts of an address."""

    ac: str
    """Code of the sub-chain, or empty."""

    kind: str
    """Key type and encoding, "ef" or "zf"."""

    suffix: bytes
    """22 octets."""

    @property
    def text(self) -> str:
        """The address as people write it."""
        ac = f"{self.ac}:" if self.ac else ""
        return f"{PREFIX}{ac}{self.kind}{base58.encode(self.suffix)}"

    @property
    def state_key(self) -> bytes:
        """Where the account lies in the state: 24 octets, or 28 with an AC."""
        return self.ac.encode() + self.kind.encode() + self.suffix


@lru_cache(maxsize=_REMEMBERED)
def parse(text: str) -> Address:
    """Read an address.

    Raises:
        EncodingError: it is none.
    """
    if not text.startswith(PREFIX) or len(text) > _MAX_CHARACTERS:
        raise EncodingError(f"address: {PREFIX} and a suffix expected, got {text!r}")
    ac, _, last = text[len(PREFIX) :].rpartition(":")
    kind, suffix = last[:2], base58.decode(last[2:])
    if kind not in _KINDS or len(suffix) != SUFFIX_OCTETS:
        raise EncodingError(
            f"address: ef or zf and 22 octets in base58 expected, got {text!r}"
        )
    if text[len(PREFIX)] == ":" or (ac and not _AC.fullmatch(ac)):
        raise EncodingError(f"address: an AC of 4 characters expected, got {text!r}")
    return Address(ac, kind, suffix)


def is_address(text: str) -> bool:
    """Say whether text is an address."""
    try:
        parse(text)
    except EncodingError:
        return False
    return True


@lru_cache(maxsize=_REMEMBERED)
def without_ac(text: str) -> str:
    """Give the address of the same key on the main chain.

    Raises:
        EncodingError: it is no address.
    """
    return parse(text)._replace(ac="").text


def with_ac(text: str, ac: str) -> str:
    """Give the address of the same key on a sub-chain.

    Raises:
        EncodingError: it is no address.
    """
    return parse(text)._replace(ac=ac).text


def of_hash(digest: bytes, kind: str, ac: str = "") -> str:
    """Make the address of a hash over a raw public key."""
    return Address(ac, kind, digest[-SUFFIX_OCTETS:]).text


def of_state_key(octets: bytes) -> str:
    """Give the address that has a state key."""
    ac, kind = octets[: -SUFFIX_OCTETS - 2], octets[-SUFFIX_OCTETS - 2 : -SUFFIX_OCTETS]
    return Address(ac.decode(), kind.decode(), octets[-SUFFIX_OCTETS:]).text


def of_contract(source: str, nonce: int, operation_index: int, ac: str = "") -> str:
    """Make the address of a contract that a transaction creates (bif notes §2.5).

    Args:
        source: source address of the transaction, not of the operation.
        nonce: nonce of the transaction.
        operation_index: which operation creates it, from 0.
        ac: code of the sub-chain it is created on.
    """
    return _of_text(f"{source}-{nonce}-{operation_index}", ac)


def of_system_contract(number: int, ac: str = "") -> str:
    """Make the address of a system contract, by its number (bif notes §2.5)."""
    return _of_text(str(number), ac)


def _of_text(text: str, ac: str) -> str:
    return of_hash(sha256(text.encode()).digest(), "ef", ac)
