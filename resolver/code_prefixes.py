"""Prefixes below which product codes are registered (emulator convention).

    88.GS1    88.GS1.95210001       of a GS1 company prefix
    88.OID    88.OID.2.999.100.1    of a registered arc
    88.ECODE  88.ECODE.11001        of a version and number system of Ecode

What stands left is a *scheme's prefix*; it lives at the top-level node, as the arcs above
a registered one do (`88.OID.2`, `88.OID.2.999`, ...): the record of a prefix stands where
its parent lives. A *code prefix* lives where its owner's own prefix lives, and the owner's
administrator administers it.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

from resolver.topology import SCHEMES, Enterprise, Topology


class CodePrefix(NamedTuple):
    """A prefix of codes; `scheme` is one of `resolver.topology.SCHEMES`."""

    scheme: str
    prefix: str
    owner: str
    """Prefix whose administrator administers it."""


def scheme_prefixes(topology: Topology) -> tuple[CodePrefix, ...]:
    """List the prefixes of codes that live at the top-level node, parents first."""
    national = topology.top.prefix
    found = [CodePrefix(name, f"{national}.{name}", national) for name in SCHEMES]
    arcs = (_arcs_above(enterprise.oid or "") for enterprise in topology.enterprises)
    found += (
        CodePrefix("OID", f"{national}.OID.{arc}", national)
        for arc in dict.fromkeys(itertools.chain.from_iterable(arcs))
    )
    return tuple(found)


def code_prefixes(enterprise: Enterprise) -> tuple[CodePrefix, ...]:
    """List the code prefixes of an enterprise: GS1, OID, Ecode, those that it has."""
    national = national_prefix(enterprise)
    codes = (enterprise.gs1_company_prefix, enterprise.oid, enterprise.ecode)
    return tuple(
        CodePrefix(scheme, f"{national}.{scheme}.{code}", enterprise.prefix)
        for scheme, code in zip(SCHEMES, codes, strict=True)
        if code is not None
    )


def national_prefix(enterprise: Enterprise) -> str:
    """Give the prefix two labels above an enterprise's: the top-level node's."""
    return enterprise.prefix.rsplit(".", 2)[0]


def _arcs_above(oid: str) -> Iterator[str]:
    """List the arcs above one, from the root down."""
    numbers = oid.split(".")
    return (".".join(numbers[:count]) for count in range(1, len(numbers)))
