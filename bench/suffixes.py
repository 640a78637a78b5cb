"""How enterprises of each industry name their products, batches and serial numbers.

A suffix follows from the maker's number and the item's number alone, and no two items
of a maker share one, with or without case. Below ten million items in all, widths are
fixed; beyond, numbers grow longer and stay unique.
"""

import datetime as dt
import operator
from collections.abc import Callable
from typing import NamedTuple

_FIRST_DAY = dt.date(2025, 10, 1)
# 7 and 181 share no divisor, so every day of the half year comes once before one
# comes again, and (day, turn) names an item of an enterprise uniquely.
_DAYS = 181
_STRIDE = 7

_DATES = tuple(_FIRST_DAY + dt.timedelta(days) for days in range(_DAYS))
_DAY_TEXTS = {date: f"{date:%Y%m%d}" for date in _DATES}
"""Looked up, because formatting a date takes as long as all else together."""

CLASS_EVERY = 16
"""One of so many numbers of a maker is a product class."""

_CERTIFICATE_EVERY = 11
_LOT_EVERY = 5


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
        return _DAY_TEXTS[self.made]

    @property
    def lot(self) -> str:
        """The batch, like LOT20260301-07."""
        return f"LOT{self.day}-{self.turn:02d}"


Style = Callable[[Item], str]
"""Writes the suffix of an item; different items give different suffixes."""


def item_of(maker: int, number: int) -> Item:
    """Give the item of that number of a maker."""
    made = _DATES[number * _STRIDE % _DAYS]
    return Item(maker, number, made, number // _DAYS + 1)


def is_class(item: Item) -> bool:
    """Tell whether a number is that of a product class, not of an item made."""
    return item.number % CLASS_EVERY == CLASS_EVERY - 1


def class_suffix(item: Item, model: str) -> str:
    """Name a revision of a product class, like MODEL/EV-C200/R03."""
    return f"MODEL/{model}/R{item.number // CLASS_EVERY + 1:02d}"


def item_suffix(style: Style, item: Item) -> str:
    """Mix certificates and whole lots among the items of the industry's own style."""
    if item.number % _CERTIFICATE_EVERY == _CERTIFICATE_EVERY - 1:
        return f"合格证-{item.serial}"
    return (_lot if item.number % _LOT_EVERY == _LOT_EVERY - 1 else style)(item)


def style_of(secondary: str, *, self_run: bool) -> Style:
    """Give the style of an enterprise by the name of its secondary node.

    Where the node is not one of the built-in network, serial numbers.
    """
    own, hosted = STYLES.get(secondary, (_serial, _serial))
    return own if self_run else hosted


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
    return f"{head}{vehicle_check(f'{head}0{tail}')}{tail}"


def vehicle_check(code: str) -> str:
    """Compute the check character of a vehicle number that has a 0 in its place."""
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


STYLES: dict[str, tuple[Style, Style]] = {
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
    "home-appliances": (_serial, _serial),
    "instruments": (_transformer, _serial),
    "machine-tools": (_serial, _lot),
    "chemicals": (_tank_batch, _tank_batch),
    "building-materials": (_lot, _panel),
    "textiles": (_fibre_reel, _fibre_reel),
    "garments": (_lot, _lot),
    "beverages": (_lot, _lot),
    "farm-produce": (_lot, _lot),
    "paper": (_fibre_reel, _lot),
    "printing": (_fibre_reel, _lot),
    "rubber-plastics": (_serial, _lot),
    "metal-products": (_lot, _serial),
    "furniture": (_serial, _serial),
    "nonferrous-metals": (_coil, _coil),
    "electric-power": (_transformer, _serial),
    "gas-supply": (_transformer, _serial),
    "water-supply": (_transformer, _serial),
    "construction": (_serial, _lot),
    "logistics": (_serial, _serial),
    "recycling": (_lot, _lot),
}
"""By secondary node: the style of its self-run enterprise and of its hosted ones."""
