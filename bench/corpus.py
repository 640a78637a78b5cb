"""Test identifiers by number: what each is called, and what is registered under it.

Nothing is stored: identifier and values of a number are computed, in the same way on
every machine, so that a load generator, a loader and a checker agree without a file.
Makers take turns: number n belongs to prefix n modulo their count. A larger corpus
begins with the smaller one of the same prefixes and seed. Another seed gives the same
identifiers with other values.

The suffixes are those that `bench.products` gives the same makers: do not import
`examples/products.csv` into a network that holds a corpus.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote

from bench.products import REMARKS
from bench.suffixes import (
    CLASS_EVERY,
    Item,
    Style,
    class_suffix,
    is_class,
    item_of,
    item_suffix,
    style_of,
)
from registry.model.value import Value
from resolver.errors import SetupError
from resolver.topology import BUILTIN_SECONDARIES, Product, builtin_topology

_MIXER = 0x9E37_79B9_7F4A_7C15
_WORD = (1 << 64) - 1
_SEED_MIXER = 0xD1B5_4A32_D192_ED03
_PLAIN = re.compile(r"[0-9A-Za-z/._~-]*\Z").match
_UNKNOWN_PRODUCTS = (Product("STD-1", "标准件", "Standard part", None),)


@dataclass(frozen=True, slots=True)
class Corpus:
    """`count` identifiers under some prefixes, numbered from 0."""

    prefixes: tuple[str, ...]
    """Of enterprises, like 88.118.7."""

    count: int
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.prefixes:
            message = "a corpus without prefixes: at least one expected"
            raise SetupError(message, "enterprise prefixes stand in the ready file")
        if self.count < 1:
            message = f"a corpus of {self.count} identifiers: at least 1 expected"
            raise SetupError(message)

    def identifier(self, number: int) -> str:
        """Name an identifier.

        Raises:
            IndexError: The corpus has no such number.
        """
        maker, item = self._at(number)
        return f"{maker.prefix}/{maker.suffix(item)}"

    def values(self, number: int) -> tuple[Value, ...]:
        """Give what is registered under an identifier: about 160 octets of data.

        Timestamps are 0; the server sets them.

        Raises:
            IndexError: The corpus has no such number.
        """
        maker, item = self._at(number)
        dice = (number * _MIXER ^ self.seed * _SEED_MIXER) * _MIXER & _WORD
        url = f"{maker.address}{_quoted(maker.suffix(item))}"
        if is_class(item):
            product = maker.class_product(item)
            texts = [("URL", url), ("NAME", _name(maker, product, ""))]
            texts.append(("MODEL", product.model))
        else:
            product = maker.product(dice >> 40)
            remark = REMARKS[(dice >> 20) % len(REMARKS)]
            texts = [("URL", url), ("NAME", _name(maker, product, remark))]
            texts += [("MODEL", product.model), ("BATCH", item.lot)]
            texts.append(("MADE", item.made.isoformat()))
        if product.gtin:
            texts.append(("GTIN", product.gtin))
        return tuple(
            Value(index, kind, text.encode())
            for index, (kind, text) in enumerate(texts, 1)
        )

    def names(self, start: int, stop: int) -> Iterator[str]:
        """Name the identifiers from `start` up to `stop`."""
        return map(self.identifier, range(start, stop))

    def numbers_of(self, prefix: str) -> range:
        """Give the numbers of the identifiers under one of the prefixes.

        Raises:
            ValueError: It is none of them.
        """
        return range(self.prefixes.index(prefix), self.count, len(self.prefixes))

    def _at(self, number: int) -> "tuple[_Maker, Item]":
        if not 0 <= number < self.count:
            message = f"number {number} in a corpus of {self.count}"
            raise IndexError(message)
        order, at = divmod(number, len(self.prefixes))
        return _makers(self.prefixes)[at], item_of(at, order)


def corpus_of(ready: Mapping[str, Any], count: int, seed: int = 1) -> Corpus:
    """Make a corpus for a running network: under its enterprises, hosted or not.

    Raises:
        SetupError: It has no enterprises.
    """
    return Corpus(enterprise_prefixes(ready), count, seed)


def enterprise_prefixes(ready: Mapping[str, Any]) -> tuple[str, ...]:
    """List the prefixes of enterprises in a ready file, in order."""
    found: list[str] = []
    for node in ready["nodes"]:
        prefixes: Sequence[str] = node["prefixes"]
        # A secondary node's own prefix comes first, then those that it hosts.
        found += prefixes[1:] if node["role"] == "secondary" else ()
        found += prefixes if node["role"] == "enterprise" else ()
    return in_order(found)


def in_order(prefixes: Iterable[str]) -> tuple[str, ...]:
    """Put prefixes in the order in which a corpus numbers them: 88.118.7 before .20."""

    def key(prefix: str) -> list[tuple[int, str]]:
        return [(len(label), label) for label in prefix.split(".")]

    return tuple(sorted(prefixes, key=key))


class _Maker(NamedTuple):
    """One enterprise of a corpus."""

    prefix: str
    title: str
    address: str
    """What its URLs begin with."""

    style: Style
    products: tuple[Product, ...]

    def product(self, order: int) -> Product:
        return self.products[order % len(self.products)]

    def class_product(self, item: Item) -> Product:
        return self.product(item.number // CLASS_EVERY)

    def suffix(self, item: Item) -> str:
        if is_class(item):
            return class_suffix(item, self.class_product(item).model)
        return item_suffix(self.style, item)


@lru_cache(maxsize=16)
def _makers(prefixes: tuple[str, ...]) -> tuple[_Maker, ...]:
    known = _known_makers()
    return tuple(known.get(prefix) or _unknown_maker(prefix) for prefix in prefixes)


@lru_cache(maxsize=1)
def _known_makers() -> dict[str, _Maker]:
    return {
        enterprise.prefix: _Maker(
            enterprise.prefix,
            enterprise.title,
            f"https://{enterprise.name}.example.com/",
            style_of(secondary.name, self_run=enterprise.self_run),
            enterprise.products,
        )
        for secondary in builtin_topology(BUILTIN_SECONDARIES).secondaries
        for enterprise in secondary.enterprises
    }


def _unknown_maker(prefix: str) -> _Maker:
    name = f"maker-{prefix.replace('.', '-').lower()}"
    address = f"https://{name}.example.com/"
    return _Maker(prefix, name, address, style_of("", self_run=True), _UNKNOWN_PRODUCTS)


def _name(maker: _Maker, product: Product, remark: str) -> str:
    return f"{maker.title} {product.name} {product.name_en}{remark}"


def _quoted(suffix: str) -> str:
    # Most need no quoting, and quoting takes as long as all else together.
    return suffix if _PLAIN(suffix) else quote(suffix)
