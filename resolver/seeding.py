"""What a node's registry holds at its first start, as changes to be made.

Homes first, then prefix records, administrators, products, product codes: each in the
order in which the one needs the other. All of it is an ordinary part of the registry's
history. A prefix is seeded once: what is new in a later version comes with a prefix of
its own to a data directory that an earlier one made.
"""

from collections.abc import Iterator, Mapping, Sequence

from registry.change import Change
from registry.journal import Operation
from registry.model.identifier import PREFIX_AUTHORITY, canonical, prefix_handle
from registry.model.value import DEFAULT_TTL_SECONDS, Value
from registry.prefixes import admin_value, prefix_values
from resolver.identities import Administrator
from resolver.plan import PlannedNode
from resolver.seeded import SeededIdentifier, seeded_identifiers
from resolver.seeded_codes import ALIAS_TTL_SECONDS, code_records
from resolver.topology import Enterprise

Sites = Mapping[str, Sequence[bytes]]
"""For each prefix that is to be seeded, the HS_SITE data of the node that serves it."""


def seed_changes(
    planned: PlannedNode, administrators: dict[str, Administrator], sites: Sites
) -> list[Change]:
    """List the changes that seed the prefixes in `sites` at a node."""
    return list(_changes(planned, administrators, sites))


def _changes(
    planned: PlannedNode, administrators: dict[str, Administrator], sites: Sites
) -> Iterator[Change]:
    here = [prefix for prefix in planned.prefixes if prefix in sites]
    yield from _homes(planned, administrators, sites)
    yield from _prefix_records(planned, administrators, sites)
    for prefix in here:
        yield _create(f"{prefix}/admin", administrators[prefix].values)
    for enterprise in planned.served:
        if enterprise.prefix in sites:
            yield from _products(enterprise)
        yield from _codes(enterprise, sites)


def _homes(
    planned: PlannedNode, administrators: dict[str, Administrator], sites: Sites
) -> Iterator[Change]:
    own = planned.settings.prefix
    if planned.settings.role == "top" and own in sites:
        # The root of this network: it allocates one-label prefixes, its own first.
        yield home(PREFIX_AUTHORITY, administrators[own])
    owned = [(prefix, prefix) for prefix in planned.prefixes]
    owned += [(code.prefix, code.owner) for code in planned.codes]
    for prefix, owner in owned:
        if prefix in sites:
            yield home(prefix.encode(), administrators[owner])


def _prefix_records(
    planned: PlannedNode, administrators: dict[str, Administrator], sites: Sites
) -> Iterator[Change]:
    own, is_top = planned.settings.prefix, planned.settings.role == "top"
    owned = [(prefix, prefix) for prefix in (*planned.prefixes, *planned.delegated)]
    if is_top:
        codes = (*planned.codes, *planned.delegated_codes)
        owned += [(code.prefix, code.owner) for code in codes]
    for prefix, owner in owned:
        # A node's own prefix has its record at the parent, which the top has not.
        if prefix in sites and (prefix != own or is_top):
            yield prefix_record(prefix, administrators[owner], sites[prefix])


def home(prefix: bytes, administrator: Administrator) -> Change:
    """Make the change that homes a seeded prefix."""
    values = (admin_value(administrator.reference),)
    return Change(Operation.HOME, prefix.upper(), values, trusted=True)


def prefix_record(
    prefix: str, administrator: Administrator, sites: Sequence[bytes]
) -> Change:
    """Make the change that allocates and delegates a seeded prefix."""
    values = prefix_values(administrator.reference, sites)
    name = prefix_handle(prefix.encode().upper())
    return Change(Operation.CREATE, name, values, trusted=True)


def _products(enterprise: Enterprise) -> Iterator[Change]:
    for item in seeded_identifiers(enterprise):
        yield _create(item.identifier, _values(item))


def _codes(enterprise: Enterprise, sites: Sites) -> Iterator[Change]:
    for prefix, records in code_records(enterprise).items():
        for item in records if prefix in sites else ():
            yield _create(item.identifier, _values(item, ALIAS_TTL_SECONDS))


def _values(
    item: SeededIdentifier, ttl_seconds: int = DEFAULT_TTL_SECONDS
) -> tuple[Value, ...]:
    return tuple(
        Value(number, value.type, value.data.encode(), ttl_seconds)
        for number, value in enumerate(item.values, 1)
    )


def _create(identifier: str, values: tuple[Value, ...]) -> Change:
    return Change(
        Operation.CREATE, canonical(identifier.encode()), values, trusted=True
    )
