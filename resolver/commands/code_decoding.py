"""`idis codes decode`: what a code may be, without asking anybody."""

from collections.abc import Sequence

from rich.markup import escape

from registry.schemes.decoding import decode
from registry.schemes.mishaps import mishaps
from registry.schemes.reading import Decoded, Rejection
from resolver.commands.codes_shown import parts_table
from resolver.commands.console import print_json, show, table

MAX_REJECTIONS_SHOWN = 8


def run(texts: Sequence[str], *, why: bool, as_json: bool) -> int:
    """Decode texts; 0 when each of them is a code.

    `why` shows what speaks against the schemes that do not take a text even where others do.
    """
    decoded = [decode(text) for text in texts]
    if as_json:
        print_json([decoded_dict(one) for one in decoded])
    else:
        for one in decoded:
            show_decoded(one, why=why)
    return 0 if all(one.readings for one in decoded) else 1


def show_decoded(decoded: Decoded, *, why: bool) -> None:
    """Print the readings of a text, and why it is not something else."""
    for change in decoded.changes:
        show(escape(f"changed: {change}"))
    for reading in decoded.readings:
        show(parts_table(reading))
        for note in reading.notes:
            show(escape(f"note: {note}"))
    if why or not decoded.readings:
        _show_rejections(decoded.text, decoded.rejections)
        return
    for mishap in mishaps(decoded.text.strip()):
        show(escape(f"or {mishap}"))


def _show_rejections(text: str, rejections: Sequence[Rejection]) -> None:
    made = table(f"{_shown(text)}: why not", "as", "what is wrong", "at", "expected")
    for one in rejections[:MAX_REJECTIONS_SHOWN]:
        place = "" if one.position is None else str(one.position + 1)
        name = escape(f"{one.scheme} {one.form}")
        made.add_row(name, escape(one.reason), place, escape(one.expected))
    show(made)


def _shown(text: str) -> str:
    return text[:80].replace("\x1d", "<GS>")


def decoded_dict(decoded: Decoded) -> dict[str, object]:
    """Give all that is known of a text as JSON members; positions count from 0."""
    return {
        "text": decoded.text,
        "changes": list(decoded.changes),
        "readings": [
            {
                "scheme": reading.scheme,
                "form": reading.form,
                "code": reading.code,
                "parts": [part._asdict() for part in reading.parts],
                "notes": list(reading.notes),
            }
            for reading in decoded.readings
        ],
        "rejections": [one._asdict() for one in decoded.rejections],
    }
