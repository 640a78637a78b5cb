"""The compressed form of Digital Link: application identifiers as bits, bits as base 64.

GS1 Digital Link Standard: Compression 1.x. A stream of bits holds, one after another, an
application identifier (four bits a digit) or a shorthand for several (one octet whose first
half is A to F), then the values, component by component::

    BITS                 COMPONENT
    v(n)                 n digits, fixed: one number in the fewest bits that hold 10^n - 1
    l(max) v(n)          digits, variable: their number, then the number they make
    3 n*b                characters, fixed: encoding, then b bits each
    3 l(max) n*b         characters, variable: encoding, number, b bits each

Encodings: 0 digits as one number, 1 lower and 2 upper hexadecimal (4 bits), 3 file-safe
base 64 (6 bits), 4 ASCII (7 bits). An octet of F introduces a key that is not GS1's.

Bombs: the stream is at most what a text of 2,048 characters holds, a value at most what its
application identifier allows, and no identifier comes twice; nothing here grows beyond that.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from registry.schemes.gs1.application_identifiers import LENGTHS, TABLE, Component
from registry.schemes.gs1.digital_link import COMPRESSED
from registry.schemes.gs1.fields import rejected

ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
MAX_CHARACTERS: Final = 2048

_SHORTHANDS_TEXT: Final = """
0A 01 22
0B 01 10
0C 01 21
0D 01 17
0E 01 7003
0F 01 30
1A 01 10 21 17
1B 01 15
1C 01 11
1D 01 16
1E 01 91
1F 01 10 15
9A 8010 8011
9B 8017 8019
9C 8018 8019
9D 414 254
"""
_FAMILIES: Final = (
    ("2", "ABCDEF", "01", "310"),
    ("3", "ABCDEF", "01", "320"),
    ("A", "0123456789", "01", "392"),
    ("C", "0123456789", "255", "390"),
)


def _build_shorthands() -> dict[str, tuple[str, ...]]:
    lines = [line.split() for line in _SHORTHANDS_TEXT.strip().splitlines()]
    shorthands = {line[0]: tuple(line[1:]) for line in lines}
    for first, seconds, key, family in _FAMILIES:
        for digit, second in enumerate(seconds):
            shorthands[first + second] = (key, f"{family}{digit}")
    for digit, second in enumerate("ABCD"):
        shorthands["C" + second] = ("255", f"394{digit}")
    return shorthands


SHORTHANDS: Final = _build_shorthands()
"""Application identifiers that one octet stands for, in the order of their values."""

_DISPUTED: Final = frozenset({"1A", "9D"})
"""The published toolkit writes these two in the order of the digits, the standard's table
has another. Both are read; none is written (emulator convention)."""

_ENCODINGS: Final = (
    (0, re.compile("[0-9]+")),
    (2, re.compile("[0-9A-F]+")),
    (1, re.compile("[0-9a-f]+")),
    (3, re.compile("[-0-9A-Z_a-z]+")),
)
_BITS_A_CHARACTER: Final = {1: 4, 2: 4, 3: 6, 4: 7}
_ASCII: Final = 4
_FOREIGN: Final = "F"


def _value_bits(digits: int) -> int:
    return int(10**digits - 1).bit_length()


def _components(ai: str) -> Iterator[Component]:
    """Give the components as the standard's table F has them: runs of digits joined."""
    held: Component | None = None
    for component in TABLE[ai].components:
        is_fixed = component.least == component.most
        if held and is_fixed and held.kind == component.kind == "N":
            length = held.most + component.most
            held = Component("N", length, length)
            continue
        if held:
            yield held
        held = component if is_fixed and component.kind == "N" else None
        if not held:
            yield component
    if held:
        yield held


_LAYOUTS: Final = {
    ai: (Component("X", 3, 30),) if ai[:3] == "723" else tuple(_components(ai))
    for ai in TABLE
}


# Writing.


def compress(pairs: tuple[tuple[str, str], ...]) -> str:
    """Write application identifiers and values as one base-64 word."""
    values = dict(pairs)
    bits = ""
    for name in _best_shorthands(set(values)):
        bits += _nibbles(name)
        for ai in SHORTHANDS[name]:
            bits += _value(ai, values.pop(ai))
    for ai, value in sorted(values.items()):
        bits += _nibbles(ai) + _value(ai, value)
    bits += "0" * (-len(bits) % 6)
    return "".join(ALPHABET[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6))


def _best_shorthands(ais: set[str]) -> list[str]:
    """Pick shorthands greedily, the one that saves most digits first."""
    chosen: list[str] = []
    left = set(ais)
    usable = {name: v for name, v in SHORTHANDS.items() if name not in _DISPUTED}
    while True:
        fits = [name for name, members in usable.items() if left >= set(members)]
        if not fits:
            return chosen
        best = max(fits, key=lambda name: len("".join(usable[name])))
        chosen.append(best)
        left -= set(usable[best])


def _nibbles(name: str) -> str:
    return "".join(f"{int(digit, 16):04b}" for digit in name)


def _value(ai: str, value: str) -> str:
    bits = ""
    for component in _LAYOUTS[ai]:
        if component.least == component.most:
            run, value = value[: component.most], value[component.most :]
            bits += _run(component, run, "")
        else:
            length = f"{len(value):0{component.most.bit_length()}b}"
            bits += _run(component, value, length)
            value = ""
    return bits


def _run(component: Component, run: str, length: str) -> str:
    if component.kind == "N":
        return length + _number(run)
    encoding = next((code for code, fits in _ENCODINGS if fits.fullmatch(run)), _ASCII)
    head = f"{encoding:03b}{length}"
    if encoding == 0:
        return head + _number(run)
    width = _BITS_A_CHARACTER[encoding]
    return head + "".join(f"{_index(encoding, c):0{width}b}" for c in run)


def _number(digits: str) -> str:
    return f"{int(digits):0{_value_bits(len(digits))}b}" if digits else ""


def _index(encoding: int, character: str) -> int:
    if encoding == _ASCII:
        return ord(character)
    return int(character, 16) if encoding < 3 else ALPHABET.index(character)


# Reading.


class _Bits:
    """A cursor over a stream of bits; running out is a rejection."""

    def __init__(self, word: str, at: int) -> None:
        self._word_at = at
        self._bits = "".join(f"{ALPHABET.index(character):06b}" for character in word)
        self._cursor = 0

    @property
    def left(self) -> int:
        return len(self._bits) - self._cursor

    def take(self, count: int) -> int:
        """Take `count` bits as a number; 0 bits are 0."""
        if count > self.left:
            raise self.wrong("the compressed text ends inside a value", "more of it")
        start, self._cursor = self._cursor, self._cursor + count
        return int(self._bits[start : self._cursor] or "0", 2)

    def wrong(self, reason: str, expected: str) -> Exception:
        """Make the error of what stands at the cursor."""
        position = self._word_at + min(self._cursor, max(len(self._bits) - 1, 0)) // 6
        return rejected(COMPRESSED, reason, position, expected)


class Decompressed(NamedTuple):
    """What a word held: application identifiers with values, and keys that are not GS1's."""

    pairs: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, str], ...]


def decompress(word: str, at: int = 0, *, by_digits: bool = False) -> Decompressed:
    """Read one base-64 word, which begins at character `at` of the text.

    `by_digits` reads the two disputed shorthands in the order of their digits.

    Raises:
        CodeError: A character outside the alphabet, an unknown identifier or shorthand,
            one that comes twice, a stream that ends inside a value or does not end in zeros.
    """
    _check_word(word, at)
    bits = _Bits(word, at)
    pairs: dict[str, str] = {}
    others: dict[str, str] = {}
    while bits.left >= 8:
        octet = f"{bits.take(8):02X}"
        if octet[0] == _FOREIGN:
            key, value = _foreign(bits, int(octet[1], 16))
            others[key] = value
            continue
        for ai in _identifiers(bits, octet, by_digits):
            if ai in pairs:
                raise bits.wrong(f"({ai}) comes twice", "each identifier once")
            pairs[ai] = "".join(_take_run(bits, part) for part in _LAYOUTS[ai])
    if bits.left and bits.take(bits.left):
        raise bits.wrong(
            "bits are left over at the end", "zeros that fill the last character"
        )
    return Decompressed(tuple(pairs.items()), tuple(others.items()))


def _check_word(word: str, at: int) -> None:
    if len(word) > MAX_CHARACTERS:
        raise rejected(
            COMPRESSED, f"{len(word)} characters", at, f"at most {MAX_CHARACTERS}"
        )
    for index, character in enumerate(word):
        if character not in ALPHABET:
            expected = "a letter, a digit, - or _"
            raise rejected(COMPRESSED, f"{character!r}", at + index, expected)


def _identifiers(bits: _Bits, octet: str, by_digits: bool) -> tuple[str, ...]:
    if octet in SHORTHANDS:
        members = SHORTHANDS[octet]
        return tuple(sorted(members)) if by_digits and octet in _DISPUTED else members
    ai = octet
    for _ in range(LENGTHS.get(octet, 2) - 2):
        ai += f"{bits.take(4):X}"
    if ai not in TABLE:
        raise bits.wrong(f"{ai} is no application identifier", "one, or a shorthand")
    return (ai,)


def _take_run(bits: _Bits, component: Component) -> str:
    is_fixed = component.least == component.most
    encoding = 0 if component.kind == "N" else bits.take(3)
    length = component.most if is_fixed else bits.take(component.most.bit_length())
    if length > component.most:
        raise bits.wrong(f"a value of {length} characters", f"at most {component.most}")
    return _take_characters(bits, encoding, length)


def _take_characters(bits: _Bits, encoding: int, length: int) -> str:
    if encoding == 0:
        number = str(bits.take(_value_bits(length) if length else 0))
        if len(number) > length and length:
            raise bits.wrong(f"a number of {len(number)} digits", f"{length} digits")
        return number.zfill(length) if length else ""
    width = _BITS_A_CHARACTER.get(encoding)
    if width is None:
        raise bits.wrong(f"encoding {encoding}", "0 to 4")
    return "".join(_character(encoding, bits.take(width)) for _ in range(length))


def _character(encoding: int, index: int) -> str:
    if encoding == _ASCII:
        return chr(index)
    if encoding == 3:
        return ALPHABET[index]
    return f"{index:X}" if encoding == 2 else f"{index:x}"


def _foreign(bits: _Bits, high: int) -> tuple[str, str]:
    """Read a key that is not GS1's: seven bits of length, of which the octet had four."""
    length = high << 3 | bits.take(3)
    key = "".join(ALPHABET[bits.take(6)] for _ in range(length))
    encoding = bits.take(3)
    return key, _take_characters(bits, encoding, bits.take(7))
