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
import datetime as dt
import operator
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from resolver.topology import Enterprise, Product, builtin_topology

COLUMNS = ("identifier", "URL", "NAME", "MODEL", "BATCH", "MADE", "GTIN")
MAX_ROWS = 10_000_000
"""Beyond, the fixed widths of some suffixes run out."""

_FIRST_DAY = dt.date(2025, 10, 1)
# 7 and 181 share no divisor, so every day of the half year comes once before one
# comes again, and (day, turn) names an item of an enterprise uniquely.
_DAYS = 181
_STRIDE = 7

_CLASS_EVERY = 16
_CERTIFICATE_EVERY = 11
_LOT_EVERY = 5

_REMARKS = ("", "", "", "", ", 出口型", ' "江城" 系列', ", 2026 款, 首批")


class Item(NamedTuple):
    """One product: its maker and number, both from 0, and the day it was made.

    `turn` counts the items of that maker and day, from 1.
    """

    maker: int
    number: int
    made: dt.date
    turn: int

    @property
    def serial(self) -> str:
        """Six digits and more, above every seeded serial number."""
        return str(100_001 + self.number)

    @property
    def day(self) -> str:
        """The day of production, like 20260301."""
        return f"{self.made:%Y%m%d}"

    @property
    def lot(self) -> str:
        """The batch, like LOT20260301-07."""
        return f"LOT{self.day}-{self.turn:02d}"


Style = Callable[[Item], str]
"""Writes the suffix of an item; different items give different suffixes."""


def rows(count: int, seed: int = 1) -> Iterator[list[str]]:
    """Yield `count` rows in the order of COLUMNS, without a header."""
    dice = random.Random(seed)
    makers = [
        (enterprise, _STYLES[secondary.name][0 if enterprise.self_run else 1])
        for secondary in builtin_topology().secondaries
        for enterprise in secondary.enterprises
    ]
    made = [0] * len(makers)
    for _ in range(count):
        at = _below(dice, len(makers))
        enterprise, style = makers[at]
        yield _row(dice, enterprise, style, _item(at, made[at]))
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


def _item(maker: int, number: int) -> Item:
    days = number * _STRIDE % _DAYS
    made = _FIRST_DAY + dt.timedelta(days)
    return Item(maker, number, made, number // _DAYS + 1)


def _row(
    dice: random.Random, enterprise: Enterprise, style: Style, item: Item
) -> list[str]:
    product = enterprise.products[_below(dice, len(enterprise.products))]
    remark = _REMARKS[_below(dice, len(_REMARKS))]
    if item.number % _CLASS_EVERY == _CLASS_EVERY - 1:
        revision = item.number // _CLASS_EVERY + 1
        suffix = f"MODEL/{product.model}/R{revision:02d}"
        return _cells(enterprise, product, suffix, ("", "", ""))
    batch = "" if _below(dice, 12) == 0 else item.lot
    values = (remark, batch, item.made.isoformat())
    return _cells(enterprise, product, _suffix(style, item), values)


def _suffix(style: Style, item: Item) -> str:
    """Mix certificates and whole lots among the items of the industry's own style."""
    if item.number % _CERTIFICATE_EVERY == _CERTIFICATE_EVERY - 1:
        return f"合格证-{item.serial}"
    return (_lot if item.number % _LOT_EVERY == _LOT_EVERY - 1 else style)(item)


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


def _serial(item: Item) -> str:
    return f"SN{item.serial}"


def _lot(item: Item) -> str:
    return item.lot


def _fibre_reel(item: Item) -> str:
    return f"REEL/{item.day}/{item.turn:02d}"


def _wafer(item: Item) -> str:
    """Write a wafer of a lot of 25, as fabs carry them."""
    lot, wafer = divmod(item.number, 25)
    return f"W26K{lot:05d}.{wafer + 1:02d}"


def _panel(item: Item) -> str:
    return f"PNL{item.made:%y%j}{item.turn:03d}A{item.number % 4 + 1}"


def _vehicle(item: Item) -> str:
    """Write 17 characters with the check digit of GB 16735 in the ninth place.

    The maker's code L00 is not issued to anyone (emulator convention).
    """
    head, tail = "L00CVEB2", f"TW{item.number + 1:06d}"
    return f"{head}{_vehicle_check(f'{head}0{tail}')}{tail}"


def _vehicle_check(code: str) -> str:
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    rest = sum(map(operator.mul, weights, map(_vehicle_value, code))) % 11
    return "X" if rest == 10 else str(rest)


def _vehicle_value(character: str) -> int:
    """Map letters to digits: A-H to 1-8, J-R to 1-9, S-Z to 2-9; no I, O or Q."""
    if character.isdigit():
        return int(character)
    return "ABCDEFGHIJKLMNOPQR/STUVWXYZ".index(character) % 9 + 1


def _coil(item: Item) -> str:
    heat, coil = divmod(item.number, 8)
    return f"HEAT26{heat:05d}/COIL-{coil + 1:02d}"


def _medicine(item: Item) -> str:
    """Write 20 digits, the length of a medicine's trace code."""
    scrambled = item.number * 7_919 % 1_000_000
    return f"8{item.maker:03d}{item.day[2:]}{item.turn:04d}{scrambled:06d}"


def _ship_block(item: Item) -> str:
    """Write a block of a hull: 30 frames, port, starboard or centre."""
    hull, block = divmod(item.number, 90)
    return f"HULL26{hull + 1:02d}/BLOCK-B{block // 3 + 1:02d}{'PSC'[block % 3]}"


def _laser(item: Item) -> str:
    return f"LSR-{item.made:%y%m}-{item.serial}"


def _transformer(item: Item) -> str:
    return f"No.{item.made:%Y}-{item.serial}"


def _tank_batch(item: Item) -> str:
    return f"BATCH{item.day}/TK-{item.turn:02d}"


def _device(item: Item) -> str:
    """Write production date, lot and serial as GS1 element strings (11), (10), (21)."""
    return f"(11){item.day[2:]}(10){item.turn:02d}(21){item.serial}"


def _rail_car(item: Item) -> str:
    trainset, car = divmod(item.number, 6)
    return f"TRAINSET-{trainset + 1:04d}/CAR-{car + 1:02d}"


def _flight_model(item: Item) -> str:
    model, unit = divmod(item.number, 12)
    return f"FM{model + 1:02d}/单机-{unit + 1:02d}"


_STYLES: dict[str, tuple[Style, Style]] = {
    "optics-valley": (_fibre_reel, _serial),
    "automobiles": (_vehicle, _serial),
    "chips": (_wafer, _serial),
    "displays": (_panel, _panel),
    "steel": (_coil, _coil),
    "pharma": (_medicine, _medicine),
    "shipbuilding": (_ship_block, _serial),
    "food": (_lot, _lot),
    "lasers": (_laser, _laser),
    "power-equipment": (_transformer, _transformer),
    "petrochemicals": (_tank_batch, _tank_batch),
    "medical-devices": (_device, _device),
    "rail-transit": (_rail_car, _serial),
    "aerospace": (_flight_model, _flight_model),
}
"""By secondary node: the style of its self-run enterprise and of its hosted ones."""


if __name__ == "__main__":
    sys.exit(main())
