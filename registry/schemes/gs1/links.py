"""From a reading to Digital Link: its paths level by level, its URI, its compressed URI.

GS1 Digital Link Standard: URI Syntax 1.6 §4, Compression 1.x. A *path* is the part of a URI
after the host without its first slash: `01/06901234567892/10/LOT7/21/SN42`.
"""

import functools
import itertools
from typing import Final
from urllib.parse import quote

from registry.schemes.gs1.application_identifiers import TABLE
from registry.schemes.gs1.compression import compress
from registry.schemes.gs1.digital_link import FORM
from registry.schemes.gs1.fields import rejected
from registry.schemes.gs1.pairs import shape_of
from registry.schemes.reading import Reading

DEFAULT_STEM: Final = "https://id.gs1.org"
_SAFE: Final = "-._~"

Pairs = tuple[tuple[str, str], ...]


def pairs_of(reading: Reading) -> Pairs:
    """Give the application identifiers of a GS1 reading with their values, in its order."""
    return tuple((part.key, part.value) for part in reading.parts if part.key in TABLE)


@functools.lru_cache(maxsize=4096)
def _levels(ais: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    """Choose for each level the places of key and qualifiers among the identifiers.

    The finest first: all qualifiers; then each selection that keeps the finest qualifier,
    the fullest first (an item is one whether its lot is named or not); then those that keep
    the next; at last the key alone.
    """
    shape = shape_of(ais)
    if not shape.key:
        return ()
    places = range(len(shape.path))
    chosen = [
        selection
        for size in range(len(shape.path) + 1)
        for selection in itertools.combinations(places, size)
    ]
    chosen.sort(key=lambda one: (one[-1] if one else -1, len(one)), reverse=True)
    names = (shape.key, *shape.path)
    return tuple(
        tuple(ais.index(name) for name in (names[0], *(names[at + 1] for at in one)))
        for one in chosen
    )


def level_paths(reading: Reading) -> tuple[str, ...]:
    """Give the paths a code may be registered under, the finest first, the key's last.

    Emulator convention: besides the walk from the last qualifier to the key (resolver
    standard 1.2) every selection of the qualifiers is a level. Empty when the reading has
    no primary key.
    """
    pairs = pairs_of(reading)
    return tuple(
        "/".join(f"{pairs[at][0]}/{_quoted(pairs[at][1])}" for at in level)
        for level in _levels(tuple(ai for ai, _value in pairs))
    )


def _quoted(value: str) -> str:
    return value if value.isalnum() else quote(value, safe=_SAFE)


def digital_link_uri(reading: Reading, stem: str = DEFAULT_STEM) -> str:
    """Write a reading as an uncompressed Digital Link URI below `stem`.

    Raises:
        CodeError: The reading has no primary key.
    """
    path, rest = _split(reading)
    uri = f"{stem.rstrip('/')}/{path}"
    query = "&".join(f"{ai}={_quoted(value)}" for ai, value in rest)
    return f"{uri}?{query}" if query else uri


def _split(reading: Reading) -> tuple[str, Pairs]:
    """Give the finest path and what stands beside it."""
    paths = level_paths(reading)
    pairs = pairs_of(reading)
    if not paths:
        raise rejected(
            FORM, "no primary key", None, "a code with (01), (00), (414), ..."
        )
    shape = shape_of(tuple(ai for ai, _value in pairs))
    in_path = {shape.key, *shape.path}
    return paths[0], tuple(pair for pair in pairs if pair[0] not in in_path)


def compressed_uri(
    reading: Reading, stem: str = DEFAULT_STEM, *, readable_key: bool = False
) -> str:
    """Write a reading as a compressed Digital Link URI below `stem`.

    `readable_key` leaves the primary key in plain text and compresses the rest.

    Raises:
        CodeError: The reading has no primary key.
    """
    _split(reading)
    pairs = pairs_of(reading)
    stem = stem.rstrip("/")
    key = shape_of(tuple(ai for ai, _value in pairs)).key
    rest = tuple(pair for pair in pairs if pair[0] != key)
    if not readable_key or not rest:
        return f"{stem}/{compress(pairs)}"
    return f"{stem}/{level_paths(reading)[-1]}/{compress(rest)}"
