"""Tiles (C2SP tlog-tiles): a log cut into pieces that never change.

    tile/LEVEL/INDEX[.p/WIDTH]      up to 256 hashes of 32 octets, side by side
    tile/entries/INDEX[.p/WIDTH]    up to 256 entries: length u16be || entry

The hashes of level 0 are leaf hashes; each hash of a higher level is the root of
256 of the level below. A tile at the right edge is partial, its width in its name.
An index is written in groups of three digits, all but the last after an `x`:
1234067 is `x001/x234/067`.

What a tile server says is not authenticated: a proof made of it shows by
verifying against a signed root whether it was true.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chain_anchor.errors import TileError
from chain_anchor.merkle import HASH_OCTETS, MAX_SIZE, node_hash

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 256
MAX_LEVEL: Final = 63
MAX_ENTRY_OCTETS: Final = 65535

_LENGTH_OCTETS: Final = 2
_PATH: Final = re.compile(
    r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/([1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class Tile:
    """Coordinates of a tile."""

    level: int | None
    """0 to 63; None for a bundle of entries."""

    index: int
    """Place within the level, from 0."""

    width: int = TILE_WIDTH
    """Hashes or entries in it, 1 to 256; below 256 it is partial."""

    def path(self) -> str:
        """Write the path below the log's prefix.

        Raises:
            TileError: there is no such tile.
        """
        level = "entries" if self.level is None else self.level
        return f"tile/{level}/{_index_path(self)}{_width_path(self.width)}"


def parse_path(text: str) -> Tile:
    """Read the path of a tile, in its one canonical spelling.

    Raises:
        TileError: it breaks its format.
    """
    found = _PATH.fullmatch(text)
    if not found:
        raise TileError(f"tile path: tile/LEVEL/INDEX[.p/WIDTH], got {text!r:.99}")
    level, index, width = found.groups()
    tile = Tile(
        None if level == "entries" else int(level),
        int(re.sub("[x/]", "", index)),
        int(width) if width else TILE_WIDTH,
    )
    if tile.path() != text:
        raise TileError(f"tile path: {tile.path()} expected, got {text!r:.99}")
    return tile


def width_in(size: int, level: int | None, index: int) -> int:
    """Count the hashes or entries that a tile has in a tree; 0: it is not there.

    Args:
        size: leaves in the tree.
        level: level of the tile, or None for a bundle of entries.
        index: its index.
    """
    hashes = size >> TILE_HEIGHT * (level or 0)
    return max(0, min(TILE_WIDTH, hashes - index * TILE_WIDTH))


def entry_bundles_of(size: int, old_size: int = 0) -> Iterator[Tile]:
    """List the bundles of entries that a log has and a smaller one had not.

    From left to right. A partial bundle that grew is listed with its new width.
    """
    if size <= old_size:
        return
    for index in range(old_size // TILE_WIDTH, (size - 1) // TILE_WIDTH + 1):
        yield Tile(None, index, width_in(size, None, index))


def tile_holding(level: int, index: int, size: int) -> Tile:
    """Find the tile from which the hash of a complete subtree can be had.

    Args:
        level: the subtree has 2**level leaves.
        index: its place among those of its level.
        size: leaves in the tree whose tiles are meant.

    Raises:
        TileError: the tree has no such complete subtree.
    """
    if level < 0 or index < 0 or (index + 1) << level > size:
        raise TileError(
            f"subtree: one within a tree of {size} leaves expected, "
            f"got level {level}, index {index}"
        )
    tile_level, height = divmod(level, TILE_HEIGHT)
    tile_index = index << height >> TILE_HEIGHT
    return Tile(tile_level, tile_index, width_in(size, tile_level, tile_index))


def hash_within(tile: Tile, hashes: Sequence[bytes], level: int, index: int) -> bytes:
    """Give the hash of a complete subtree from the tile that holds it.

    Args:
        tile: what `tile_holding` found for the subtree.
        hashes: the hashes of that tile.
        level: the subtree has 2**level leaves.
        index: its place among those of its level.
    """
    height = level % TILE_HEIGHT
    first = (index << height) - tile.index * TILE_WIDTH
    return complete_root(hashes[first : first + (1 << height)])


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """Give the root over hashes whose number is a power of two."""
    while len(hashes) > 1:
        hashes = list(map(node_hash, hashes[::2], hashes[1::2]))
    return hashes[0]


def decode_tile(octets: bytes, width: int) -> list[bytes]:
    """Cut the octets of a tile into its hashes.

    Raises:
        TileError: they are not so many hashes.
    """
    if len(octets) != width * HASH_OCTETS:
        raise TileError(
            f"tile: {width} hashes of {HASH_OCTETS} octets expected, "
            f"got {len(octets)} octets"
        )
    return [
        octets[start : start + HASH_OCTETS]
        for start in range(0, len(octets), HASH_OCTETS)
    ]


def encode_entry_bundle(entries: Sequence[bytes]) -> bytes:
    """Join entries, each after its length.

    Raises:
        TileError: there are none or more than 256, or one is too long.
    """
    if not 0 < len(entries) <= TILE_WIDTH:
        raise TileError(f"bundle: 1 to {TILE_WIDTH} entries, got {len(entries)}")
    longest = max(map(len, entries))
    if longest > MAX_ENTRY_OCTETS:
        raise TileError(f"entry: at most {MAX_ENTRY_OCTETS} octets, got {longest}")
    return b"".join(
        [len(entry).to_bytes(_LENGTH_OCTETS, "big") + entry for entry in entries]
    )


def decode_entry_bundle(octets: bytes, width: int) -> list[bytes]:
    """Cut a bundle into its entries.

    Args:
        octets: the bundle.
        width: how many entries it must have, 1 to 256.

    Raises:
        TileError: it has more or fewer, or ends within one.
    """
    entries: list[bytes] = []
    start = 0
    while start < len(octets) and len(entries) < width:
        body = start + _LENGTH_OCTETS
        end = body + int.from_bytes(octets[start:body], "big")
        if end > len(octets):
            raise TileError(
                f"bundle: entry {len(entries)} ends at octet {end}, "
                f"the bundle at {len(octets)}"
            )
        entries.append(octets[body:end])
        start = end
    if len(entries) != width or start != len(octets):
        raise TileError(
            f"bundle: {width} entries expected, got {len(entries)} "
            f"and {len(octets) - start} octets more"
        )
    return entries


def _index_path(tile: Tile) -> str:
    if not 0 <= (tile.level or 0) <= MAX_LEVEL or not 0 <= tile.index <= MAX_SIZE:
        raise TileError(
            f"tile: level 0 to {MAX_LEVEL} and index 0 to 2**63 - 1 expected, "
            f"got {tile.level}, {tile.index}"
        )
    rest, last = divmod(tile.index, 1000)
    path = f"{last:03}"
    while rest:
        rest, group = divmod(rest, 1000)
        path = f"x{group:03}/{path}"
    return path


def _width_path(width: int) -> str:
    if not 0 < width <= TILE_WIDTH:
        raise TileError(f"tile: width 1 to {TILE_WIDTH} expected, got {width}")
    return "" if width == TILE_WIDTH else f".p/{width}"
