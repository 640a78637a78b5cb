"""Makes a table of product identifiers, as an enterprise would import it.

`examples/products.csv` is its output for 1000 rows and seed 1. The first column is
the identifier, every other column a value type; an empty cell is no value. The rows
lie under the enterprises of the built-in network's 14 default secondary nodes, and
their suffixes follow the habits of each industry. A larger table begins with the rows
of a smaller one of the same seed.

Only `Random.random` is used: it alone promises the same sequence for a seed in every
version of Python.
"""

import argparse
import csv
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from bench.suffixes import (
    Item,
    Style,
    class_suffix,
    is_class,
    item_of,
    item_suffix,
    style_of,
)
from resolver.topology import Enterprise, Product, builtin_topology

COLUMNS = ("identifier", "URL", "NAME", "MODEL", "BATCH", "MADE", "GTIN")
MAX_ROWS = 10_000_000
"""Beyond, the fixed widths of some suffixes run out."""

REMARKS = ("", "", "", "", ", 出口型", ' "江城" 系列', ", 2026 款, 首批")


def rows(count: int, seed: int = 1) -> Iterator[list[str]]:
    """Yield `count` rows in the order of COLUMNS, without a header."""
    dice = random.Random(seed)
    makers = [
        (enterprise, style_of(secondary.name, self_run=enterprise.self_run))
        for secondary in builtin_topology().secondaries
        for enterprise in secondary.enterprises
    ]
    made = [0] * len(makers)
    for _ in range(count):
        at = _below(dice, len(makers))
        enterprise, style = makers[at]
        yield _row(dice, enterprise, style, item_of(at, made[at]))
        made[at] += 1


def write_products(path: Path, count: int, seed: int = 1) -> None:
    """Write a header and `count` rows as UTF-8 with Unix line ends."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows(count, seed))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table that the command line asks for."""
    parser = argparse.ArgumentParser(prog="bench.products", description=__doc__)
    parser.add_argument(
        "--rows", type=_count, default=1000, help="how many, default 1000"
    )
    parser.add_argument("--out", type=Path, required=True, help="the CSV to write")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the random choices, default 1"
    )
    options = parser.parse_args(arguments)
    try:
        write_products(options.out, options.rows, options.seed)
    except OSError as error:
        parser.error(f"--out {options.out}: {error.strerror or error}")
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_ROWS:
        message = f"expected 1 to {MAX_ROWS}, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _below(dice: random.Random, limit: int) -> int:
    return int(dice.random() * limit)


def _row(
    dice: random.Random, enterprise: Enterprise, style: Style, item: Item
) -> list[str]:
    product = enterprise.products[_below(dice, len(enterprise.products))]
    remark = REMARKS[_below(dice, len(REMARKS))]
    if is_class(item):
        suffix = class_suffix(item, product.model)
        return _cells(enterprise, product, suffix, ("", "", ""))
    batch = "" if _below(dice, 12) == 0 else item.lot
    values = (remark, batch, item.made.isoformat())
    return _cells(enterprise, product, item_suffix(style, item), values)


def _cells(
    enterprise: Enterprise, product: Product, suffix: str, values: tuple[str, str, str]
) -> list[str]:
    remark, batch, made = values
    return [
        f"{enterprise.prefix}/{suffix}",
        f"https://{enterprise.name}.example.com/{quote(suffix)}",
        f"{product.name}{remark}",
        product.model,
        batch,
        made,
        product.gtin or "",
    ]


if __name__ == "__main__":
    sys.exit(main())
