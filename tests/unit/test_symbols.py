"""Symbols in pictures: what is drawn is read, what is no picture is told."""

import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from resolver.commands.label import LabelOptions, content_of
from resolver.commands.symbols import KINDS, MAX_PIXELS, draw, png_of, read_picture
from resolver.errors import SetupError, UnreadableCodeError

CODE = "(01)09521000100015(10)LOT7(21)SN42"


def label(tmp_path, code: str, **options) -> tuple:
    """Draw a label as the command does and read the file back."""
    file = tmp_path / "label.png"
    asked = LabelOptions(code, file, **options)
    content = content_of(asked)
    picture = draw(
        asked.symbol, content.drawn, is_gs1=content.is_gs1, scale=4, text="a"
    )
    file.write_bytes(png_of(picture))
    return read_picture(file)


@pytest.mark.parametrize("symbol", ["qr", "datamatrix", "code128"])
def test_element_strings_keep_their_separators(tmp_path, symbol):
    (found,) = label(tmp_path, CODE, symbol=symbol)

    assert found.is_gs1
    assert found.text == "010952100010001510LOT7\x1d21SN42"
    assert found.code == found.identifier + found.text


@pytest.mark.parametrize("symbol", ["qr", "datamatrix", "code128"])
def test_identifiers_are_plain_text(tmp_path, symbol):
    (found,) = label(tmp_path, "88.100.1/SN0042", symbol=symbol)

    assert (found.code, found.is_gs1) == ("88.100.1/SN0042", False)


def test_brackets_inside_a_value_survive(tmp_path):
    (found,) = label(tmp_path, "(01)09521000100015(10)A(B)C", symbol="datamatrix")

    assert found.text == "010952100010001510A(B)C"


def test_chinese_text_survives(tmp_path):
    (found,) = label(tmp_path, "88.100.1/标识0042")

    assert found.code == "88.100.1/标识0042"


def test_an_ean_symbol_says_that_it_is_a_gtin(tmp_path):
    (found,) = label(tmp_path, "9521000100015", symbol="ean13")

    assert found.code == "]E09521000100015"


def test_a_link_begins_with_the_stem(tmp_path):
    (found,) = label(tmp_path, CODE, link=True, stem="https://id.example.cn/")

    assert found.code == "https://id.example.cn/01/09521000100015/10/LOT7/21/SN42"


def test_several_symbols_of_one_picture_are_all_read(tmp_path):
    file = tmp_path / "two.png"
    one = draw("qr", "88.1/A", is_gs1=False, scale=5, text="")
    two = draw("datamatrix", "88.1/B", is_gs1=False, scale=5, text="")
    sheet = Image.new("L", (one.width + two.width, max(one.height, two.height)), 255)
    sheet.paste(one, (0, 0))
    sheet.paste(two, (one.width, 0))
    file.write_bytes(png_of(sheet))

    assert {symbol.text for symbol in read_picture(file)} == {"88.1/A", "88.1/B"}


def test_a_transparent_picture_lies_on_white(tmp_path):
    file = tmp_path / "clear.png"
    symbol = draw("qr", "88.1/A", is_gs1=False, scale=5, text="")
    clear = Image.new("RGBA", symbol.size, (0, 0, 0, 0))
    black = Image.new("RGBA", symbol.size, (0, 0, 0, 255))
    clear.paste(black, mask=symbol.point(lambda level: 255 - level))
    clear.save(file)

    assert [symbol.text for symbol in read_picture(file)] == ["88.1/A"]


def test_a_picture_without_symbols_has_none(tmp_path):
    file = tmp_path / "white.png"
    Image.new("L", (200, 100), 255).save(file)

    assert read_picture(file) == ()


def _png_that_claims(width: int, height: int) -> bytes:
    """Make a PNG of a few octets that says it is huge."""
    header = struct.pack("!IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack("!I", len(data))
        + kind
        + data
        + struct.pack("!I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.mark.parametrize("side", [int(MAX_PIXELS**0.5) + 1, 10_000, 30_000])
def test_a_bomb_is_refused_by_its_size(tmp_path, side):
    file = tmp_path / "bomb.png"
    file.write_bytes(_png_that_claims(side, side))

    with pytest.raises(SetupError, match="pixels"):
        read_picture(file)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"hello", "not a picture"),
        (b"", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a picture"),
        (_png_that_claims(100, 100), "damaged"),
        (_png_that_claims(100, 100)[:40], "damaged|not a picture"),
    ],
)
def test_what_is_no_picture_is_told(tmp_path, octets, reason):
    file = tmp_path / "fake.png"
    file.write_bytes(octets)

    with pytest.raises(SetupError, match=reason):
        read_picture(file)


def test_what_never_ends_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr("resolver.commands.symbols.MAX_FILE_OCTETS", 1000)

    with pytest.raises(SetupError, match="more than 1,000 octets"):
        read_picture(Path("/dev/zero"))


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SetupError, match="No such file"):
        read_picture(tmp_path / "nowhere.png")


@pytest.mark.parametrize(
    ("code", "options", "reason"),
    [
        (CODE, {"symbol": "ean13"}, "a GTIN alone"),
        ("19521000100012", {"symbol": "ean13"}, "no room for the first digit"),
        ("88.100.1/SN0042", {"link": True}, "no GS1 code"),
        ("88.100.1/SN0042", {"symbol": "ean13"}, "a GTIN alone"),
    ],
)
def test_a_symbol_that_does_not_fit_is_told(tmp_path, code, options, reason):
    with pytest.raises(SetupError, match=reason):
        content_of(LabelOptions(code, tmp_path / "a.png", **options))


def test_a_wrong_check_digit_is_not_printed(tmp_path):
    with pytest.raises(UnreadableCodeError, match="check digit"):
        content_of(LabelOptions("9521000100014", tmp_path / "a.png"))


def test_too_much_for_a_symbol_is_told():
    with pytest.raises(SetupError, match="does not hold"):
        draw("qr", "A" * 5000, is_gs1=False, scale=1, text="")


def test_every_kind_can_be_drawn():
    contents = {"ean13": "9521000100015"}

    for kind in KINDS:
        picture = draw(
            kind, contents.get(kind, "88.1/A"), is_gs1=False, scale=2, text=""
        )
        assert min(picture.size) > 20
