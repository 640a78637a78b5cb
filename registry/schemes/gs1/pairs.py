"""Which application identifiers go together, and which make a key's path.

GS1 General Specifications §4.13 (invalid pairs) and §4.14 (mandatory ones); GS1 Digital Link:
URI Syntax 1.6 §4 for keys and their qualifiers. A forbidden pair makes a code wrong. A missing
companion is only a note: it may stand in another symbol on the same item.
"""

import functools
from typing import Final, NamedTuple

from registry.schemes.gs1.application_identifiers import TABLE

KEYS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "01": (("22", "10", "21"), ("235",)),
    "00": (),
    "8006": (("22", "10", "21"),),
    "8013": (),
    "8010": (("8011",),),
    "414": (("254",), ("7040",)),
    "417": (("7040",),),
    "415": (("8020",),),
    "8017": (("8019",),),
    "8018": (("8019",),),
    "255": (),
    "253": (),
    "401": (),
    "402": (),
    "8003": (),
    "8004": (("7040",),),
    "410": (),
    "411": (),
    "412": (),
    "413": (),
    "416": (),
}
"""Primary keys and the sequences of qualifiers each allows. When several stand in one code
the first of this order is the primary one: the item before the party or the place."""

_FORBIDDEN: Final = """
01    255 37
02    01 03
03    01 02 37 235
21    235
255   01 02 415 8006 8020 8026
390n  390n 391n 394n 8111
391n  391n
392n  392n 393n
393n  393n
394n  394n 8111
395n  392n 393n 395n 8005
420   421
421   4307
422   426
423   426
424   426
425   426
4330  4331
4332  4333
7240  03
7250  7251
7253  7256 7259
7254  7256 7259
7255  7256 7259
7256  7259
8006  01 03 37
8017  8018
8026  02 03 8006
"""
"""An application identifier and those that must not stand beside it; `n` is any digit. Of
each trade measure (31nn to 36nn) one number of decimals only: see `_is_same_measure`."""

_COMPANIONS: Final = """
01|02|03|8006|8026        10 11 13 15 16 20 240 241 422
01|02|8006|8026           242 7001
01|02|03|255|8006|8026    17
01|03|8006                21 251 7021 8012
01+21|03+21|8006+21       250
01                        22 235 337n 710 711 712 713 714 715 716 717 8001 8014 8200
01|03                     243
01|02                     30 31nn 320n 321n 322n 323n 324n 325n 326n 327n 328n 329n
01|02                     350n 351n 352n 356n 357n 360n 361n 364n 365n 366n
00|01                     330n 331n 332n 333n 334n 335n 336n 340n 341n 342n 343n 344n
00|01                     345n 346n 347n 348n 349n 353n 354n 355n 362n 363n 367n 368n 369n
37                        02 8026
00+02|00+8026             37
8020                      12 391n 415
415                       8007 8020
255|8020                  390n
01+30|01+31nn|01+32nn|01+35nn|01+36nn    392n
30|31nn|32nn|35nn|36nn    393n 395n
255                       394n 8111
414                       254
00                        403 43nn 7041
01|02|03                  423 424 425 426 7003 7010 7011 8008
01+422|02+422|03+422      427
01+10|03+10               7004
01|02                     7002 7005 7006 7007 7008 7009 703n 8005
01+416|03+416|8006+416    7020
01+7021|03+7021|8006+7021 7022
01|8004                   723n
01|8006                   7240
8017|8018                 7241 7242 7253 7254 7255 7256 8019
8018                      7250 7251 7252 7257 7258 7259
00|01|03                  8009
8010                      8011
01+21                     8040
01+21+8040                8041 8042 8043
"""
"""What must stand beside an application identifier: one of the groups, all of it."""


class Shape(NamedTuple):
    """What follows from the application identifiers alone, whatever their values.

    ``order`` has their positions in canonical order (None when they stand in it already),
    ``key`` the primary key or the empty string, ``path`` the qualifiers' identifiers in the
    order of the path, ``notes`` what is missing, ``forbidden`` a pair that must not be.
    """

    order: tuple[int, ...] | None
    key: str
    path: tuple[str, ...]
    notes: tuple[str, ...]
    forbidden: tuple[str, str] | None


def _matches(ai: str, pattern: str) -> bool:
    return len(ai) == len(pattern) and all(
        wanted in ("n", digit) for digit, wanted in zip(ai, pattern, strict=True)
    )


def _rules(text: str) -> list[tuple[str, list[str]]]:
    return [(line.split()[0], line.split()[1:]) for line in text.strip().splitlines()]


_FORBIDDEN_RULES: Final = _rules(_FORBIDDEN)
_COMPANION_RULES: Final = _rules(_COMPANIONS)


def _is_same_measure(one: str, other: str) -> bool:
    """Tell if both are one trade measure with other decimals: 3102 and 3103."""
    return one != other and one[:3] == other[:3] and "31" <= one[:2] <= "36"


def _is_forbidden(one: str, other: str) -> bool:
    return one != other and any(
        _matches(one, pattern) and any(_matches(other, item) for item in others)
        for pattern, others in _FORBIDDEN_RULES
    )


def _forbidden_pair(ais: tuple[str, ...]) -> tuple[str, str] | None:
    for one in ais:
        for other in ais:
            if _is_forbidden(one, other) or _is_same_measure(one, other):
                return one, other
    return None


def _has_group(ais: tuple[str, ...], group: str) -> bool:
    return all(any(_matches(ai, pattern) for ai in ais) for pattern in group.split("+"))


def _missing(ais: tuple[str, ...]) -> tuple[str, ...]:
    notes = []
    for ai in ais:
        for groups, patterns in _COMPANION_RULES:
            if not any(_matches(ai, pattern) for pattern in patterns):
                continue
            if not any(_has_group(ais, group) for group in groups.split("|")):
                needed = " or ".join(
                    "".join(f"({member})" for member in group.split("+"))
                    for group in groups.split("|")
                )
                notes.append(
                    f"({ai}) {TABLE[ai].title} needs {needed} on the same item"
                )
            break
    return tuple(notes)


def qualifiers_of(key: str, ais: tuple[str, ...]) -> tuple[str, ...]:
    """Give the qualifiers of a key that are among `ais`, in the order of the path."""
    for sequence in KEYS[key]:
        found = tuple(ai for ai in sequence if ai in ais)
        if found:
            return found
    return ()


@functools.lru_cache(maxsize=4096)
def shape_of(ais: tuple[str, ...]) -> Shape:
    """Work out what a sequence of application identifiers means; remembered."""
    key = next((ai for ai in KEYS if ai in ais), "")
    path = qualifiers_of(key, ais) if key else ()
    rank = {ai: place for place, ai in enumerate((key, *path) if key else ())}
    order = tuple(
        sorted(range(len(ais)), key=lambda at: (rank.get(ais[at], len(rank)), ais[at]))
    )
    is_ordered = order == tuple(range(len(ais)))
    return Shape(
        None if is_ordered else order, key, path, _missing(ais), _forbidden_pair(ais)
    )
