"""What a node's registry holds at its first start, as changes to be made.

Homes first, then prefix records, administrators, products: each in the order in which
the one needs the other. All of it is an ordinary part of the registry's history.
"""

from collections.abc import Iterator, Sequence

from registry.change import Change
from registry.journal import Operation
from registry.model.identifier import PREFIX_AUTHORITY, canonical, prefix_handle
from registry.model.value import Value
from registry.prefixes import admin_value, prefix_values
from resolver.identities import Administrator
from resolver.plan import PlannedNode
from resolver.seeded import seeded_identifiers
from resolver.topology import Enterprise


def seed_changes(
    planned: PlannedNode,
    administrators: dict[str, Administrator],
    sites: Sequence[bytes],
) -> list[Change]:
    """List the changes that seed a node which answers at these sites."""
    return list(_changes(planned, administrators, sites))


def _changes(
    planned: PlannedNode,
    administrators: dict[str, Administrator],
    sites: Sequence[bytes],
) -> Iterator[Change]:
    own = planned.settings.prefix
    if planned.settings.role == "top":
        # The root of this network: it allocates one-label prefixes, its own first.
        yield home(PREFIX_AUTHORITY, administrators[own])
        yield prefix_record(own, administrators[own], sites)
    for prefix in planned.prefixes:
        yield home(prefix.encode(), administrators[prefix])
    for prefix in planned.prefixes:
        if prefix != own:
            yield prefix_record(prefix, administrators[prefix], sites)
        yield _create(f"{prefix}/admin", administrators[prefix].values)
    for enterprise in planned.served:
        yield from _products(enterprise)


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
        values = tuple(
            Value(number, value.type, value.data.encode())
            for number, value in enumerate(item.values, 1)
        )
        yield _create(item.identifier, values)


def _create(identifier: str, values: tuple[Value, ...]) -> Change:
    return Change(
        Operation.CREATE, canonical(identifier.encode()), values, trusted=True
    )
