"""Check digits and check characters of GS1 keys.

GS1 General Specifications §7.9: the digits are weighted 3, 1, 3, ... from the right, the
check digit itself 1, and the sum is a multiple of ten. Four digits at a time are looked up:
that costs a third of summing them, and a character that is no digit is not in the table.
"""

from typing import Final

_PAIRS: Final = {f"{a}{b}": (3 * a + b) % 10 for a in range(10) for b in range(10)}
_FOURS: Final = {
    first + second: (one + two) % 10
    for first, one in _PAIRS.items()
    for second, two in _PAIRS.items()
}

_SET_82: Final = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_SET_32: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_PRIMES: Final = (
    *(2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37),
    *(41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83),
)
_PAIR_MODULUS: Final = 1021
_PAIR_BITS: Final = 5


def is_right_14(digits: str) -> bool:
    """Tell if fourteen characters are digits that end in their check digit."""
    try:
        return (
            _FOURS[digits[:4]]
            + _FOURS[digits[4:8]]
            + _FOURS[digits[8:12]]
            + _PAIRS[digits[12:]]
        ) % 10 == 0
    except KeyError:
        return False


def is_right_18(digits: str) -> bool:
    """Tell if eighteen characters are digits that end in their check digit."""
    try:
        return (
            _FOURS[digits[:4]]
            + _FOURS[digits[4:8]]
            + _FOURS[digits[8:12]]
            + _FOURS[digits[12:16]]
            + _PAIRS[digits[16:]]
        ) % 10 == 0
    except KeyError:
        return False


def check_digit(digits: str) -> str:
    """Give the check digit that follows `digits` (ASCII digits, without it)."""
    total = sum(
        int(digit) * (1 if index % 2 else 3)
        for index, digit in enumerate(reversed(digits))
    )
    return str(-total % 10)


def check_pair(text: str) -> str:
    """Give the two check characters that follow `text`.

    GS1 General Specifications §7.9.5, of the Global Model Number: prime weights from the
    right, modulo 1021, written in two characters of a set of 32. `text` has at most 23
    characters of set 82.
    """
    total = sum(
        _SET_82.index(character) * weight
        for character, weight in zip(reversed(text), _PRIMES, strict=False)
    )
    high, low = divmod(total % _PAIR_MODULUS, 1 << _PAIR_BITS)
    return _SET_32[high] + _SET_32[low]
