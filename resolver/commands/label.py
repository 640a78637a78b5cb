"""`idis label`: a symbol for an identifier or a code, which a scanner reads back.

Every label is read back before it is written: what does not scan is not printed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from registry.schemes import gs1
from registry.schemes.decoding import decode
from registry.schemes.reading import Reading
from resolver.commands.console import print_json, say
from resolver.commands.running import running_network
from resolver.commands.symbols import draw, png_of, symbols_in
from resolver.errors import SetupError, UnreadableCodeError

DEFAULT_SCALE = 6


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """Arguments of `idis label`."""

    code: str
    out: Path
    symbol: str = "qr"
    link: bool = False
    """Whether it holds a Digital Link URI, which phones open."""

    stem: str = ""
    """What the URI begins with; empty for the running network's resolver."""

    scale: int = DEFAULT_SCALE
    text: bool = True
    json: bool = False


class Content(NamedTuple):
    """What a symbol holds, and what a scanner says of it."""

    drawn: str
    scanned: str
    is_gs1: bool
    shown: str


def run(options: LabelOptions) -> int:
    """Draw a label; 0 when it is written.

    Raises:
        UnreadableCodeError: It is neither an identifier nor a code.
        SetupError: The symbol does not hold the code, or the file cannot be written.
    """
    if options.out.suffix.lower() != ".png":
        message = f"{options.out}: a .png file expected"
        raise SetupError(message)
    content = content_of(options)
    shown = content.shown if options.text and content.shown.isascii() else ""
    picture = draw(
        options.symbol,
        content.drawn,
        is_gs1=content.is_gs1,
        scale=options.scale,
        text=shown,
    )
    if content.scanned not in [symbol.text for symbol in symbols_in(picture)]:
        message = f"the {options.symbol} symbol cannot be read back"
        raise SetupError(message, "try a larger --scale, or --symbol qr")
    try:
        options.out.write_bytes(png_of(picture))
    except OSError as error:
        message = f"{options.out}: {error.strerror or error}"
        raise SetupError(message) from error
    _tell(options, content, picture.size)
    return 0


def _tell(options: LabelOptions, content: Content, size: tuple[int, int]) -> None:
    if not options.json:
        say(f"{options.out}: {options.symbol} with {content.shown}")
        return
    found = {
        "file": str(options.out),
        "symbol": options.symbol,
        "content": content.scanned,
        "gs1": content.is_gs1,
        "width": size[0],
        "height": size[1],
    }
    print_json(found)


def content_of(options: LabelOptions) -> Content:
    """Choose what the symbol holds: a number, an element string, a link, or the text.

    Raises:
        UnreadableCodeError: It is no code.
        SetupError: The kind of symbol or a link does not go with the code.
    """
    decoded = decode(options.code)
    if not decoded.readings:
        reasons = decoded.rejections
        message = f"{options.code[:128]!r} is no code of any scheme: {reasons[0]}"
        raise UnreadableCodeError(message, reasons)
    reading = decoded.readings[0]
    if options.symbol == "ean13":
        return _number(reading)
    if reading.scheme == "gs1":
        return _gs1(reading, options)
    if options.link:
        message = f"{reading.code} is no GS1 code: Digital Link has no URI for it"
        raise SetupError(message, "leave --link out")
    return Content(reading.code, reading.code, is_gs1=False, shown=reading.code)


def _number(reading: Reading) -> Content:
    """Give the thirteen digits of a GTIN; EAN-13 holds nothing else."""
    pairs = gs1.pairs_of(reading)
    if reading.scheme != "gs1" or [ai for ai, _value in pairs] not in (["01"], ["414"]):
        message = f"an EAN-13 symbol holds a GTIN alone, not {reading.code}"
        raise SetupError(message, "try --symbol datamatrix")
    digits = pairs[0][1][-13:]
    if pairs[0][1] not in (digits, "0" + digits):
        message = f"an EAN-13 symbol has no room for the first digit of {pairs[0][1]}"
        raise SetupError(message, "try --symbol datamatrix or code128")
    return Content(digits, digits, is_gs1=False, shown=digits)


def _gs1(reading: Reading, options: LabelOptions) -> Content:
    if options.link:
        uri = gs1.digital_link_uri(reading, options.stem or _own_stem())
        return Content(uri, uri, is_gs1=False, shown=uri)
    # As they are drawn: values of predefined length first.
    pairs = gs1.pairs_of(reading)
    scanned = gs1.plain(pairs)
    ordered = gs1.pairs_in_symbol_order(pairs)
    drawn = "".join(f"[{ai}]{value}" for ai, value in ordered)
    return Content(drawn, scanned, is_gs1=True, shown=reading.code)


def _own_stem() -> str:
    """Give the address of the running network's Digital Link resolver, or GS1's."""
    ready = running_network()
    tops = [node for node in (ready or {"nodes": ()})["nodes"] if node["role"] == "top"]
    return str(tops[0]["http"]) if tops and tops[0].get("http") else gs1.DEFAULT_STEM
