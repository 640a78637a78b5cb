"""Arguments of the commands that take product codes in and out."""

import argparse
from pathlib import Path

from resolver.parsers.arguments import (
    Commands,
    add_json,
    add_repeatable,
    add_server,
    whole_number,
)
from resolver.parsers.identifiers import add_who, who_of

_SYMBOLS = ("qr", "datamatrix", "ean13", "code128")
_LARGEST_SCALE = 40
_LARGEST_CONCURRENCY = 4096


def add_scan(commands: Commands) -> None:
    """Add `idis scan`."""
    parser = commands.add_parser(
        "scan", help="decode the symbols in a picture, and resolve them"
    )
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="PNG, JPEG, ...")
    parser.add_argument(
        "--no-resolve", action="store_true", help="say what it means, ask nobody"
    )
    _add_company(parser)
    parser.add_argument(
        "--fresh", action="store_true", help="past the recursive node's cache"
    )
    add_json(parser)
    add_server(parser)
    parser.set_defaults(run=_run_scan)


def _run_scan(options: argparse.Namespace) -> int:
    from resolver.commands import scan

    return scan.run(
        options.picture,
        resolving=not options.no_resolve,
        company=options.company,
        fresh=options.fresh,
        server=options.server,
        as_json=options.json,
    )


def add_label(commands: Commands) -> None:
    """Add `idis label`."""
    parser = commands.add_parser(
        "label", help="draw a symbol for an identifier or a code"
    )
    parser.add_argument("code", metavar="ID_OR_CODE")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.png")
    parser.add_argument("--symbol", choices=_SYMBOLS, default="qr", help="default: qr")
    parser.add_argument(
        "--link", action="store_true", help="hold a GS1 Digital Link URI"
    )
    parser.add_argument(
        "--stem",
        default="",
        metavar="URL",
        help="what the URI begins with; default: the running network's resolver",
    )
    parser.add_argument(
        "--scale", type=_scale, default=6, metavar="N", help="pixels of a module"
    )
    parser.add_argument(
        "--no-text", action="store_true", help="the symbol alone, no text below"
    )
    add_json(parser)
    parser.set_defaults(run=_run_label)


def _scale(text: str) -> int:
    return whole_number(text, 1, _LARGEST_SCALE, f"1 to {_LARGEST_SCALE} pixels")


def _run_label(options: argparse.Namespace) -> int:
    from resolver.commands import label

    return label.run(
        label.LabelOptions(
            options.code,
            options.out,
            symbol=options.symbol,
            link=options.link or bool(options.stem),
            stem=options.stem,
            scale=options.scale,
            text=not options.no_text,
            json=options.json,
        )
    )


def add_codes(commands: Commands) -> None:
    """Add `idis codes` with its own commands."""
    parser = commands.add_parser(
        "codes", help="decode, convert and alias product codes"
    )
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_decode(below)
    _add_convert(below)
    _add_alias(below)


def _add_decode(commands: Commands) -> None:
    parser = commands.add_parser("decode", help="say what codes are, ask nobody")
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument(
        "--why", action="store_true", help="and why they are not something else"
    )
    add_json(parser)
    parser.set_defaults(run=_run_decode)


def _run_decode(options: argparse.Namespace) -> int:
    from resolver.commands import code_decoding

    return code_decoding.run(options.texts, why=options.why, as_json=options.json)


def _add_convert(commands: Commands) -> None:
    parser = commands.add_parser(
        "convert",
        help="resolve a column of codes in a table, resuming where it stopped",
    )
    parser.add_argument("file", type=Path, metavar="FILE.csv|.jsonl")
    parser.add_argument("--column", required=True, help="of the codes")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    add_repeatable(parser, "--type", "T", "add a column with the values of this type")
    _add_company(parser)
    parser.add_argument(
        "--concurrency",
        type=_concurrency,
        default=512,
        metavar="N",
        help="codes under way at once; default: 512",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="past the recursive node's cache"
    )
    add_json(parser)
    add_server(parser)
    parser.set_defaults(run=_run_convert)


def _concurrency(text: str) -> int:
    expected = f"1 to {_LARGEST_CONCURRENCY} codes"
    return whole_number(text, 1, _LARGEST_CONCURRENCY, expected)


def _run_convert(options: argparse.Namespace) -> int:
    from resolver.commands import code_conversion

    return code_conversion.run(
        code_conversion.ConversionOptions(
            options.file,
            options.column,
            options.out,
            types=tuple(options.type),
            company=options.company,
            concurrency=options.concurrency,
            fresh=options.fresh,
            server=options.server,
            json=options.json,
        )
    )


def _add_alias(commands: Commands) -> None:
    parser = commands.add_parser("alias", help="register which identifier a code means")
    parser.add_argument("code", metavar="CODE")
    parser.add_argument("identifier", metavar="ID")
    parser.add_argument(
        "--form",
        default="",
        help="the meaning to take where a code has several: gtin-13, gln, sscc, ...",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace what it means now"
    )
    add_json(parser)
    add_server(parser)
    add_who(parser)
    parser.set_defaults(run=_run_alias)


def _run_alias(options: argparse.Namespace) -> int:
    from resolver.commands import code_alias

    asked = code_alias.AliasOptions(
        options.code,
        options.identifier,
        form=options.form,
        overwrite=options.overwrite,
        json=options.json,
    )
    return code_alias.run(asked, who_of(options))


def _add_company(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--company",
        metavar="PREFIX",
        default="",
        help="whose own codes may come; they are read by the rules it declares",
    )
