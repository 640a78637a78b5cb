"""`idis scan`: from a picture to the record of what is printed on it."""

from pathlib import Path
from typing import NamedTuple

from rich.markup import escape

from registry.schemes.decoding import decode
from registry.schemes.reading import Decoded
from resolver.client import Client
from resolver.client.products import ProductAnswer
from resolver.commands.code_decoding import decoded_dict, show_decoded
from resolver.commands.codes_shown import code_dict, show_product
from resolver.commands.console import fail, print_json, say, show
from resolver.commands.resolve import as_dict, show_answer
from resolver.commands.running import server_address
from resolver.commands.symbols import Symbol, read_picture
from resolver.errors import ResolverError, UnreachableError


class Scanned(NamedTuple):
    """One symbol, what it may mean, and the record or why there is none."""

    symbol: Symbol
    decoded: Decoded
    outcome: ProductAnswer | ResolverError | None


def run(
    picture: Path,
    *,
    resolving: bool,
    company: str,
    fresh: bool,
    server: str | None,
    as_json: bool,
) -> int:
    """Scan a picture; 0 when every symbol in it has a record, or a meaning at least.

    `resolving` asks the tree; without it, a code that can be read is enough.

    Raises:
        SetupError: The file is no picture, or too big a one.
        UnreachableError: Nobody answered.
    """
    symbols = read_picture(picture)
    if not symbols:
        if as_json:
            print_json({"picture": str(picture), "symbols": []})
        fail(f"{picture}: no symbol found", "a sharper or larger picture may help")
        return 1
    if resolving:
        with Client(server_address(server)) as client:
            scanned = [_resolved(client, one, company, fresh=fresh) for one in symbols]
    else:
        scanned = [Scanned(one, decode(one.code), None) for one in symbols]
    if as_json:
        found = [_scanned_dict(one) for one in scanned]
        print_json({"picture": str(picture), "symbols": found})
    else:
        for one in scanned:
            _show(one)
    return 0 if all(_is_fine(one, resolving=resolving) for one in scanned) else 1


def _resolved(client: Client, symbol: Symbol, company: str, *, fresh: bool) -> Scanned:
    decoded = decode(symbol.code)
    outcome: ProductAnswer | ResolverError
    try:
        outcome = client.resolve_product(symbol.code, company=company, fresh=fresh)
    except UnreachableError:
        raise
    except ResolverError as error:
        outcome = error
    return Scanned(symbol, decoded, outcome)


def _is_fine(scanned: Scanned, *, resolving: bool) -> bool:
    if resolving:
        return isinstance(scanned.outcome, ProductAnswer)
    return bool(scanned.decoded.readings)


def _show(scanned: Scanned) -> None:
    symbol = scanned.symbol
    shown = symbol.text.replace("\x1d", "<GS>")
    show(escape(f"{symbol.kind} {symbol.identifier}: {shown}"))
    match scanned.outcome:
        case None:
            show_decoded(scanned.decoded, why=False)
        case ProductAnswer() as product:
            show_product(product)
            show_answer(product.answer)
        case error:
            show_decoded(scanned.decoded, why=False)
            say(f"not resolved: {error}")


def _scanned_dict(scanned: Scanned) -> dict[str, object]:
    symbol = scanned.symbol
    found: dict[str, object] = {
        "kind": symbol.kind,
        "symbology_identifier": symbol.identifier,
        "text": symbol.text,
        "decoded": decoded_dict(scanned.decoded),
    }
    if isinstance(scanned.outcome, ProductAnswer):
        found["product"] = code_dict(scanned.outcome)
        found["record"] = as_dict(scanned.outcome.answer)
    elif scanned.outcome is not None:
        found["error"] = str(scanned.outcome)
    return found
