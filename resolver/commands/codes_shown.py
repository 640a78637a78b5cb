"""A code as people and programs are shown it: its parts, and the way to its record."""

from rich.markup import escape
from rich.table import Table

from registry.model.codes import ResponseCode
from registry.schemes.decoding import decode
from registry.schemes.mapping import levels
from registry.schemes.reading import Reading
from resolver.client.products import Asked, ProductAnswer
from resolver.commands.console import show, table

_BY = {
    "alias": "the alias record {source}",
    "rule": "the enterprise's rule {source}",
    "code": "the code itself",
}


def is_identifier(text: str) -> bool:
    """Tell whether a text is a name of the tree as it stands, and no code of a scheme."""
    readings = decode(text).readings
    return bool(readings) and readings[0].form in ("identifier", "prefix")


def show_product(product: ProductAnswer) -> None:
    """Print how a code was understood, and which names led to its identifier."""
    show(parts_table(product.reading))
    show(path_table(product.asked))
    by = _BY[product.found.by].format(source=product.found.source)
    level = f", level {product.level}" if product.level else ""
    show(escape(f"{product.identifier}: by {by}{level}"))
    if missing := coarser_than(product):
        show(escape(f"nothing is registered for {missing} itself"))


def coarser_than(product: ProductAnswer) -> str:
    """Give the part of the code below the level that was found, such as `21/SN42`.

    Empty when the level is that of the code: also for a serial number without its lot.
    """
    if not product.level:
        return ""
    finest = "/".join(levels(product.reading)[0].split("/")[-2:])
    return "" if product.level.endswith(finest) else finest


def parts_table(reading: Reading) -> Table:
    """Make the table of a code's parts."""
    made = table(
        f"{reading.scheme} {reading.form}: {reading.code}", "key", "value", "is", "note"
    )
    for part in reading.parts:
        made.add_row(*map(escape, part))
    return made


def path_table(asked: tuple[Asked, ...]) -> Table:
    """Make the table of the names that were asked for."""
    made = table("path", "asked for", "answer", "from")
    for one in asked:
        made.add_row(escape(one.name), code_shown(one.code), one.origin)
    return made


def code_shown(code: int) -> str:
    """Write a response code with its name, coloured."""
    try:
        name = ResponseCode(code).name
    except ValueError:
        name = "?"
    colour = "green" if code == ResponseCode.SUCCESS else "yellow"
    return f"[{colour}]{code} {name}[/]"


def code_dict(product: ProductAnswer) -> dict[str, object]:
    """Give what a code means as JSON members."""
    reading = product.reading
    return {
        "text": product.text,
        "scheme": reading.scheme,
        "form": reading.form,
        "code": reading.code,
        "parts": [part._asdict() for part in reading.parts],
        "level": product.level,
        "by": product.found.by,
        "source": product.found.source,
        "path": [one._asdict() for one in product.asked],
    }
