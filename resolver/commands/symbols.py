"""Symbols in pictures: read from a file, and drawn into one.

zxing-cpp finds and makes the symbols (QR, Data Matrix, EAN, UPC, ITF-14, Code 128, DataBar
and others), Pillow reads and writes the files. Both are wheels that need no library of the
system. A picture comes from anywhere: it is opened as one of a few formats, and refused by
its size before its pixels are unpacked.
"""

import io
import logging
import struct
import warnings
import zlib
from pathlib import Path
from typing import Final, NamedTuple

import zxingcpp
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from resolver.errors import SetupError

MAX_FILE_OCTETS: Final = 64 << 20
MAX_PIXELS: Final = 50_000_000
"""A bomb of a few octets can stand for gigabytes of pixels; a large photo has 48 million."""

MAX_SYMBOLS: Final = 256
_FORMATS: Final = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
_DAMAGES: Final = (
    *(OSError, ValueError, TypeError, AttributeError, SyntaxError, EOFError),
    *(ArithmeticError, LookupError, struct.error, zlib.error),
)
"""What Pillow raises on octets that are no picture after all; nobody lists it."""

# It tells of damaged metadata through the log, which nobody set up here.
logging.getLogger("PIL").addHandler(logging.NullHandler())
logging.getLogger("PIL").propagate = False

_MARGIN: Final = 16
_TEXT_PIXELS: Final = 18
_TEXT_WIDTH: Final = 44

KINDS: Final = {
    "qr": zxingcpp.BarcodeFormat.QRCode,
    "datamatrix": zxingcpp.BarcodeFormat.DataMatrix,
    "ean13": zxingcpp.BarcodeFormat.EAN13,
    "code128": zxingcpp.BarcodeFormat.Code128,
}
"""Symbols that can be drawn, by the names the command line has."""

LINEAR: Final = frozenset(("ean13", "code128"))


class Symbol(NamedTuple):
    """One symbol of a picture.

    ``identifier`` is its symbology identifier (`]d2`), ``text`` what it holds, with ASCII 29
    where FNC1 stands.
    """

    kind: str
    identifier: str
    text: str
    is_gs1: bool

    @property
    def code(self) -> str:
        """What a decoder should read: with the identifier where that says how."""
        if self.is_gs1 or self.identifier in ("]E0", "]E4", "]I1"):
            return self.identifier + self.text
        return self.text


def read_picture(file: Path) -> tuple[Symbol, ...]:
    """Find the symbols of a picture; none is no error.

    Raises:
        SetupError: The file cannot be read, is no picture of a known format, is damaged or
            has too many pixels.
    """
    return symbols_in(_open(file))


def symbols_in(picture: Image.Image) -> tuple[Symbol, ...]:
    """Find the symbols of a picture that is open."""
    found = zxingcpp.read_barcodes(picture, text_mode=zxingcpp.TextMode.Plain)
    return tuple(
        Symbol(
            barcode.format.name,
            barcode.symbology_identifier,
            barcode.text,
            barcode.content_type == zxingcpp.ContentType.GS1,
        )
        for barcode in found[:MAX_SYMBOLS]
        if barcode.valid
    )


def _open(file: Path) -> Image.Image:
    try:
        # A device or a pipe does not say how much will come.
        with file.open("rb") as opened:
            octets = opened.read(MAX_FILE_OCTETS + 1)
    except OSError as error:
        message = f"{file}: {error.strerror or error}"
        raise SetupError(message, "name a picture file") from error
    if len(octets) > MAX_FILE_OCTETS:
        message = f"{file}: more than {MAX_FILE_OCTETS:,} octets, which are not read"
        raise SetupError(message)
    with warnings.catch_warnings():
        # Pillow warns of bombs, which are refused here, and of odd metadata.
        warnings.simplefilter("ignore")
        return _unpack(file, octets)


def _unpack(file: Path, octets: bytes) -> Image.Image:
    hint = "a PNG, JPEG, GIF, BMP, TIFF, WebP or PPM file is expected"
    try:
        picture = Image.open(io.BytesIO(octets), formats=_FORMATS)
        pixels = picture.width * picture.height
        if pixels > MAX_PIXELS:
            message = f"{file}: {pixels:,} pixels, at most {MAX_PIXELS:,} are unpacked"
            raise SetupError(message, "make the picture smaller")
        return _grey(picture)
    except Image.DecompressionBombError as error:
        message = f"{file}: far too many pixels: {error}"
        raise SetupError(message, "make the picture smaller") from error
    except UnidentifiedImageError as error:
        message = f"{file}: not a picture"
        raise SetupError(message, hint) from error
    except _DAMAGES as error:
        message = f"{file}: the picture is damaged: {error}"
        raise SetupError(message, hint) from error


def _grey(picture: Image.Image) -> Image.Image:
    """Lay a picture on white and take its brightness; symbols need no more."""
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        solid = picture.convert("RGBA")
        white = Image.new("RGBA", solid.size, "white")
        return Image.alpha_composite(white, solid).convert("L")
    return picture.convert("L")


def draw(
    kind: str, content: str, *, is_gs1: bool, scale: int, text: str
) -> Image.Image:
    """Draw a symbol with its quiet zone, and a line of text below it.

    Args:
        kind: A key of `KINDS`.
        content: What it holds; of GS1 element strings with square brackets around the
            application identifiers, which no value can have.
        is_gs1: Whether it says so (FNC1 in front).
        scale: Pixels of a module.
        text: For people; empty for none.

    Raises:
        SetupError: The symbol does not hold the content.
    """
    try:
        barcode = zxingcpp.create_barcode(content, KINDS[kind], gs1=is_gs1)
        view = barcode.to_image(scale=scale)
    except ValueError as error:
        message = f"a {kind} symbol does not hold {content[:60]!r}: {error}"
        raise SetupError(message, "try --symbol qr or datamatrix") from error
    return _framed(Image.fromarray(view), text)


def _framed(symbol: Image.Image, text: str) -> Image.Image:
    lines = [text[at : at + _TEXT_WIDTH] for at in range(0, len(text), _TEXT_WIDTH)]
    font = ImageFont.load_default(_TEXT_PIXELS)
    widest = max((int(font.getlength(line)) for line in lines), default=0)
    width = max(symbol.width, widest) + 2 * _MARGIN
    height = symbol.height + 2 * _MARGIN + len(lines) * (_TEXT_PIXELS + 6)
    label = Image.new("L", (width, height), 255)
    label.paste(symbol, ((width - symbol.width) // 2, _MARGIN))
    pen = ImageDraw.Draw(label)
    for number, line in enumerate(lines):
        top = _MARGIN + symbol.height + number * (_TEXT_PIXELS + 6)
        left = (width - int(font.getlength(line))) // 2
        pen.text((left, top), line, fill=0, font=font)
    return label


def png_of(picture: Image.Image) -> bytes:
    """Write a picture as a PNG file."""
    output = io.BytesIO()
    picture.save(output, "PNG", optimize=True)
    return output.getvalue()
