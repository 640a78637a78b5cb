"""The identifiers that exist after boot, for each enterprise of a topology.

They follow from the topology alone, so two starts give the same. `SN0002` is never one
of them: it is for people to register.
"""

import datetime as dt
import zlib
from typing import NamedTuple

from resolver.topology import Enterprise, Product

_FIRST_DAY = dt.date(2025, 10, 1)
_DAYS = 150
_SEEDED_SUFFIXES = ("SN0001", "SN0042", "LOT0001")


class SeededValue(NamedTuple):
    """One value of an identifier: its type, like URL, and its text."""

    type: str
    data: str


class SeededIdentifier(NamedTuple):
    """An identifier that exists after boot."""

    identifier: str
    values: tuple[SeededValue, ...]


def seeded_identifiers(enterprise: Enterprise) -> tuple[SeededIdentifier, ...]:
    """Return what exists under an enterprise after boot (emulator convention).

    Two serial numbers, their batch, and a product class for every product. SN0002 is
    left for users to register.
    """
    items = (_seeded_item(enterprise, suffix) for suffix in _SEEDED_SUFFIXES)
    classes = (_seeded_class(enterprise, product) for product in enterprise.products)
    return (*items, *classes)


def _seeded_item(enterprise: Enterprise, suffix: str) -> SeededIdentifier:
    """Make an item of the first batch; without products it bears the maker's title."""
    product = enterprise.products[0] if enterprise.products else None
    days = zlib.crc32(enterprise.prefix.encode()) % _DAYS
    return _seeded(
        enterprise,
        suffix,
        NAME=product.name if product else enterprise.title,
        MODEL=product.model if product else None,
        BATCH="LOT0001",
        MADE=(_FIRST_DAY + dt.timedelta(days)).isoformat(),
        GTIN=product.gtin if product else None,
    )


def _seeded_class(enterprise: Enterprise, product: Product) -> SeededIdentifier:
    return _seeded(
        enterprise,
        f"MODEL/{product.model}",
        NAME=product.name,
        NAME_EN=product.name_en,
        MODEL=product.model,
        GTIN=product.gtin,
    )


def _seeded(
    enterprise: Enterprise, suffix: str, **values: str | None
) -> SeededIdentifier:
    url = f"https://{enterprise.name}.example.com/{suffix}"
    present = ((kind, data) for kind, data in values.items() if data is not None)
    return SeededIdentifier(
        f"{enterprise.prefix}/{suffix}",
        (SeededValue("URL", url), *(SeededValue(*pair) for pair in present)),
    )
