"""Tiles of a log that are known to be its own (C2SP tlog-tiles).

What a tile server says is believed only where the signed root says so, too:

    right edge    the partial tiles of all levels together give the root; they are read
                  first, and every hash in them is then known to be right
    a full tile   its 256 hashes give one hash of the tile above, which is known
    a bundle      its entries give the leaf hashes of a tile of level 0, which is known

So each hash and each entry is proved as it comes, for one more tile in 256, and a root
that an older checkpoint had can be computed instead of being asked for: if it differs,
then not because somebody sent the wrong tile.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

from chain_anchor.errors import ProofError
from chain_anchor.frontier import frontier_of
from chain_anchor.merkle import EMPTY_ROOT, leaf_hash
from chain_anchor.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Tile,
    complete_root,
    decode_entry_bundle,
    decode_tile,
    entry_bundles_of,
    hash_within,
    tile_holding,
    width_in,
)

MAX_TILES: Final = 256
"""Full tiles that are remembered, 8 KiB each; the right edge is on top of that."""

Fetch = Callable[[Tile], bytes]
"""Gets the octets of a tile or a bundle; raises what its caller expects."""


class TrustedTiles:
    """The tree of one signed checkpoint, as far as its tiles have been read."""

    def __init__(self, size: int, root: bytes, fetch: Fetch) -> None:
        """Read the right edge.

        Raises:
            TileError: A tile breaks its format.
            ProofError: The right edge does not give the root.
        """
        self.size = size
        self._fetch = fetch
        self._edge: dict[tuple[int, int], list[bytes]] = {}
        self._full: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()
        for tile in _edge_of(size):
            hashes = decode_tile(fetch(tile), tile.width)
            self._edge[_place(tile)] = hashes
        found = frontier_of(size, self._read_edge).root() if size else EMPTY_ROOT
        if found != root:
            raise ProofError(
                f"tiles of the tree of {size} entries: root {root.hex()} expected, "
                f"got {found.hex()}"
            )

    def read(self, level: int, index: int) -> bytes:
        """Give the hash of a complete subtree: a `merkle.HashReader`.

        Raises:
            TileError: A tile breaks its format, or there is no such subtree.
            ProofError: A tile is not the tree's.
        """
        tile = tile_holding(level, index, self.size)
        return hash_within(tile, self._tile(_place(tile)), level, index)

    def entries(self, start: int) -> Iterator[list[bytes]]:
        """Read the entries from `start` on, a bundle at a time.

        Raises:
            TileError: A bundle or a tile breaks its format.
            ProofError: One is not the tree's.
        """
        for tile in entry_bundles_of(self.size, start):
            entries = decode_entry_bundle(self._fetch(tile), tile.width)
            hashes = self._tile((0, tile.index))
            first = tile.index * TILE_WIDTH
            for place, entry in enumerate(entries):
                if leaf_hash(entry) != hashes[place]:
                    raise ProofError(
                        f"entry {first + place}: leaf hash {hashes[place].hex()} "
                        f"expected, got {leaf_hash(entry).hex()}"
                    )
            yield entries[max(0, start - first) :]

    def _tile(self, place: tuple[int, int]) -> list[bytes]:
        if place in self._edge:
            return self._edge[place]
        if place in self._full:
            self._full.move_to_end(place)
            return self._full[place]
        level, index = place
        hashes = decode_tile(self._fetch(Tile(level, index)), TILE_WIDTH)
        above = self._tile((level + 1, index // TILE_WIDTH))[index % TILE_WIDTH]
        found = complete_root(hashes)
        if found != above:
            raise ProofError(
                f"{Tile(level, index).path()}: hash {above.hex()} expected, "
                f"got {found.hex()}"
            )
        self._full[place] = hashes
        if len(self._full) > MAX_TILES:
            self._full.popitem(last=False)
        return hashes

    def _read_edge(self, level: int, index: int) -> bytes:
        tile = tile_holding(level, index, self.size)
        return hash_within(tile, self._edge[_place(tile)], level, index)


def _edge_of(size: int) -> Iterator[Tile]:
    """List the partial tiles of a tree; its peaks lie in them, and nothing else."""
    level = 0
    while size >> level * TILE_HEIGHT:
        count = size >> level * TILE_HEIGHT
        if count % TILE_WIDTH:
            index = count // TILE_WIDTH
            yield Tile(level, index, width_in(size, level, index))
        level += 1


def _place(tile: Tile) -> tuple[int, int]:
    assert tile.level is not None
    return tile.level, tile.index
