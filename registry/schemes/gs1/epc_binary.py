"""The bits of an EPC on a tag: SGTIN-96, SSCC-96, SGLN-195, CPI-var and the others.

GS1 EPC Tag Data Standard 1.13/2.x §14, coding tables 14-2 to 14-28. Every encoding begins::

    BITS  FIELD
    8     header, which names the encoding
    3     filter value
    3     partition: 12 minus the digits of the company prefix
    n     company prefix, 40 bits for 12 digits down to 20 for 6
    m     reference

then one or more fields of its own, zeros to a whole number of 16-bit words. Not read: the
`+` encodings of 2.0 (headers F0 to FB), GID, USDOD and ADI, which hold no GS1 key.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

MIN_DIGITS: Final = 22
"""Hexadecimal digits of the shortest encoding, CPI-var with one character, zeros left out."""

MAX_DIGITS: Final = 128
_COMPANY_BITS: Final = {12: 40, 11: 37, 10: 34, 9: 30, 8: 27, 7: 24, 6: 20}
_WORD_BITS: Final = 16


class Field(NamedTuple):
    """A run of bits and how they are read.

    ``kind`` is `number`, `fixed` (a number padded to ``digits``), `text` (7 bits a
    character, zeros behind), `numeric` (digits, with a 1 in front) or, of references only,
    `digits` (padded to what the partition leaves) and `characters` (6 bits each, ended by
    six zeros).
    """

    kind: str
    bits: int
    digits: int = 0


class Encoding(NamedTuple):
    """One binary encoding; ``joint_bits`` is what company prefix and reference share."""

    name: str
    header: int
    scheme: str
    joint_bits: int
    reference: str
    joint_digits: int
    fields: tuple[Field, ...]
    padding: int = 0


_PIECE: Final = Field("fixed", 7, 2)


def _rows() -> Iterator[Encoding]:
    number, text, numeric = "number", "text", "numeric"
    yield Encoding("sgtin-96", 0x30, "sgtin", 44, "digits", 13, (Field(number, 38),))
    yield Encoding("sgtin-198", 0x36, "sgtin", 44, "digits", 13, (Field(text, 140),))
    yield Encoding("sscc-96", 0x31, "sscc", 58, "digits", 17, (), 24)
    yield Encoding("sgln-96", 0x32, "sgln", 41, "digits", 12, (Field(number, 41),))
    yield Encoding("sgln-195", 0x39, "sgln", 41, "digits", 12, (Field(text, 140),))
    yield Encoding("grai-96", 0x33, "grai", 44, "digits", 12, (Field(number, 38),))
    yield Encoding("grai-170", 0x37, "grai", 44, "digits", 12, (Field(text, 112),))
    yield Encoding("giai-96", 0x34, "giai", 82, number, 0, ())
    yield Encoding("giai-202", 0x38, "giai", 188, text, 0, ())
    yield Encoding("gsrn-96", 0x2D, "gsrn", 58, "digits", 17, (), 24)
    yield Encoding("gsrnp-96", 0x2E, "gsrnp", 58, "digits", 17, (), 24)
    yield Encoding("gdti-96", 0x2C, "gdti", 41, "digits", 12, (Field(number, 41),))
    yield Encoding("gdti-113", 0x3A, "gdti", 41, "digits", 12, (Field(numeric, 58),))
    yield Encoding("gdti-174", 0x3E, "gdti", 41, "digits", 12, (Field(text, 119),))
    yield Encoding("sgcn-96", 0x3F, "sgcn", 41, "digits", 12, (Field(numeric, 41),))
    yield Encoding("cpi-96", 0x3C, "cpi", 51, number, 0, (Field(number, 31),))
    yield Encoding("cpi-var", 0x3D, "cpi", 0, "characters", 0, (Field(number, 40),))
    itip = (_PIECE, _PIECE)
    yield Encoding(
        "itip-110", 0x40, "itip", 44, "digits", 13, (*itip, Field(number, 38))
    )
    yield Encoding(
        "itip-212", 0x41, "itip", 44, "digits", 13, (*itip, Field(text, 140))
    )


ENCODINGS: Final = {encoding.name: encoding for encoding in _rows()}
"""By name; the shorter encoding of a scheme comes first."""

_BY_HEADER: Final = {encoding.header: encoding for encoding in ENCODINGS.values()}


class BitsError(ValueError):
    """Bits are no EPC: the hexadecimal digit, the reason, what was expected."""

    def __init__(self, digit: int, reason: str, expected: str) -> None:
        super().__init__(f"{reason}; expected {expected}")
        self.digit, self.reason, self.expected = digit, reason, expected


class DecodedBits(NamedTuple):
    """An EPC's encoding, filter value and fields as its URI has them."""

    encoding: Encoding
    filter_value: int
    fields: tuple[str, ...]


def header_of(text: str) -> Encoding | None:
    """Give the encoding that the first two hexadecimal digits name."""
    if not re.fullmatch("[0-9A-Fa-f]{2}", text[:2]):
        return None
    return _BY_HEADER.get(int(text[:2], 16))


class _Reader:
    """A cursor over bits that names the digit where they run out."""

    def __init__(self, text: str) -> None:
        self._bits = f"{int(text, 16):0{len(text) * 4}b}"
        self.at = 0

    @property
    def left(self) -> str:
        return self._bits[self.at :]

    def take(self, count: int) -> int:
        bits = self._bits[self.at : self.at + count]
        if len(bits) < count:
            raise self.wrong(f"only {len(self._bits)} bits", "more")
        self.at += count
        return int(bits, 2) if bits else 0

    def wrong(self, reason: str, expected: str) -> BitsError:
        return BitsError(min(self.at, len(self._bits) - 1) // 4, reason, expected)


def decode(text: str) -> DecodedBits:
    """Read the hexadecimal digits of an EPC.

    Raises:
        BitsError: Not hexadecimal, an unknown header or partition, too short, a field out
            of its range, or something but zeros at the end.
    """
    bad = re.search("[^0-9A-Fa-f]", text)
    if bad:
        raise BitsError(bad.start(), f"{bad[0]!r}", "hexadecimal digits")
    if not MIN_DIGITS <= len(text) <= MAX_DIGITS:
        expected = f"{MIN_DIGITS} to {MAX_DIGITS} (24 for a 96-bit tag)"
        raise BitsError(0, f"{len(text)} hexadecimal digits", expected)
    encoding = header_of(text)
    if encoding is None:
        expected = ", ".join(f"{header:02X}" for header in _BY_HEADER)
        raise BitsError(0, f"unknown EPC header {text[:2]}", expected)
    bits = _Reader(text)
    bits.take(8)
    filter_value = bits.take(3)
    company = _take_company(bits)
    fields = [company, _take_reference(bits, encoding, len(company))]
    fields += [_take(bits, field) for field in encoding.fields]
    _check_end(bits)
    return DecodedBits(encoding, filter_value, tuple(fields))


def _check_end(bits: _Reader) -> None:
    if "1" in bits.left:
        bits.at += bits.left.index("1")
        raise bits.wrong("bits after the end of the EPC", "zeros")


def _take_company(bits: _Reader) -> str:
    partition = bits.take(3)
    digits = 12 - partition
    if digits not in _COMPANY_BITS:
        raise bits.wrong(f"partition {partition}", "0 to 6")
    company = bits.take(_COMPANY_BITS[digits])
    if company >= 10**digits:
        raise bits.wrong(f"company prefix {company}", f"{digits} digits")
    return str(company).zfill(digits)


def _take_reference(bits: _Reader, encoding: Encoding, company_digits: int) -> str:
    if encoding.reference == "characters":
        return _take_characters(bits)
    width = encoding.joint_bits - _COMPANY_BITS[company_digits]
    digits = encoding.joint_digits - company_digits
    kind = "fixed" if encoding.reference == "digits" else encoding.reference
    return _take(bits, Field(kind, width, digits))


def _take(bits: _Reader, field: Field) -> str:
    if field.kind == "text":
        return _take_text(bits, field.bits)
    number = bits.take(field.bits)
    if field.kind == "number":
        return str(number)
    if field.kind == "numeric":
        if str(number)[0] != "1":
            raise bits.wrong(f"numeric string {number}", "a number that begins with 1")
        return str(number)[1:]
    if number >= 10**field.digits:
        raise bits.wrong(f"{number}", f"{field.digits} digits")
    return str(number).zfill(field.digits) if field.digits else ""


def _take_text(bits: _Reader, width: int) -> str:
    codes = [bits.take(7) for _ in range(width // 7)]
    if width % 7:
        bits.take(width % 7)
    text = "".join(chr(code) for code in codes).rstrip("\0")
    if "\0" in text or not text:
        raise bits.wrong("zeros inside a text", "characters, then zeros")
    return text


def _take_characters(bits: _Reader) -> str:
    characters = ""
    while code := bits.take(6):
        characters += chr(code | 0x40 if code < 0x20 else code)
    return characters


# Writing.


def encode(
    encoding: Encoding, fields: tuple[str, ...], filter_value: int = 0
) -> str | None:
    """Write fields as upper-case hexadecimal digits; None when the encoding has no room.

    Numbers have room for no leading zeros, texts for a certain number of characters.
    """
    company, reference, *rest = fields
    bits = f"{encoding.header:08b}{filter_value:03b}{12 - len(company):03b}"
    bits += f"{int(company):0{_COMPANY_BITS[len(company)]}b}"
    runs = [_put_reference(encoding, company, reference)]
    runs += [
        _put(field, value) for field, value in zip(encoding.fields, rest, strict=True)
    ]
    for run in runs:
        if run is None:
            return None
        bits += run
    bits += "0" * encoding.padding
    bits += "0" * (-len(bits) % _WORD_BITS)
    return f"{int(bits, 2):0{len(bits) // 4}X}"


def _put_reference(encoding: Encoding, company: str, reference: str) -> str | None:
    if encoding.reference == "characters":
        return (
            "".join(f"{ord(character) & 0x3F:06b}" for character in reference) + "0" * 6
        )
    width = encoding.joint_bits - _COMPANY_BITS[len(company)]
    kind = "fixed" if encoding.reference == "digits" else encoding.reference
    return _put(Field(kind, width, len(reference)), reference)


def _put(field: Field, value: str) -> str | None:
    if field.kind == "text":
        if not value or len(value) > field.bits // 7 or not value.isascii():
            return None
        bits = "".join(f"{ord(character):07b}" for character in value)
        return bits.ljust(field.bits, "0")
    if not re.fullmatch("[0-9]*", value):
        return None
    if field.kind == "number" and (not value or (len(value) > 1 and value[0] == "0")):
        return None
    number = int(("1" if field.kind == "numeric" else "") + value or "0")
    return f"{number:0{field.bits}b}" if number < 1 << field.bits else None
