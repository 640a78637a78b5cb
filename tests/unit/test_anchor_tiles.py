"""Tiles: their places and paths, their hashes, and bundles of entries."""

import pytest

from chain_anchor.errors import TileError
from chain_anchor.merkle import (
    MAX_SIZE,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_of,
)
from chain_anchor.tiles import (
    TILE_WIDTH,
    Tile,
    decode_entry_bundle,
    decode_tile,
    encode_entry_bundle,
    entry_bundles_of,
    hash_within,
    parse_path,
    tile_holding,
    width_in,
)
from tests.merkle_trees import Tree, tiles_of

SIZE = 256 * 3 + 100
TREE = Tree.of(SIZE)


def octets_of(tile):
    """What a tile is by the formula of C2SP tlog-tiles, "Merkle Tree"."""
    places = range(tile.index * 256, tile.index * 256 + tile.width)
    return b"".join([TREE.read(8 * tile.level, place) for place in places])


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 5, 1), "tile/0/005.p/1"),
        (Tile(0, 999, 255), "tile/0/999.p/255"),
        (Tile(0, 1000), "tile/0/x001/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(0, 1234, 5), "tile/0/x001/234.p/5"),
        (Tile(63, 1), "tile/63/001"),
        (Tile(None, 0), "tile/entries/000"),
        (Tile(None, 1234067, 17), "tile/entries/x001/x234/067.p/17"),
        (Tile(0, MAX_SIZE), "tile/0/x009/x223/x372/x036/x854/x775/807"),
    ],
)
def test_a_path_is_read_and_written(tile, path):
    assert tile.path() == path
    assert parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/",
        "tile/0",
        "tile//000",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/Entries/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/x000/x001/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/x001/x000",
        "tile/0/x1/000",
        "tile/0/X001/000",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
        "tile/0/000.p/0",
        "tile/0/000.p/00",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000/p/5",
        "tile/0/000.p/5 ",
        "tile/0/000.p/5\n",
        "tile/0/" + 3 * "\N{ARABIC-INDIC DIGIT ZERO}",
        "tile/0/000.p/\N{ARABIC-INDIC DIGIT FIVE}",
        "tile/0/../000",
    ],
)
def test_these_are_no_paths(path):
    with pytest.raises(TileError, match="tile"):
        parse_path(path)


@pytest.mark.parametrize(
    "tile",
    [
        Tile(-1, 0),
        Tile(64, 0),
        Tile(0, -1),
        Tile(0, MAX_SIZE + 1),
        Tile(0, 0, 0),
        Tile(0, 0, 257),
        Tile(None, -1),
    ],
)
def test_there_are_no_such_tiles(tile):
    with pytest.raises(TileError, match="tile"):
        tile.path()


def test_the_tree_of_70000_leaves_has_the_tiles_of_the_specification():
    tiles = list(tiles_of(70_000))
    full = [tile for tile in tiles if tile.width == TILE_WIDTH]
    assert [tile.level for tile in full] == [0] * 273 + [1]
    assert [tile for tile in tiles if tile.width < TILE_WIDTH] == [
        Tile(0, 273, 112),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []


def test_a_log_that_grew_has_these_new_bundles():
    assert list(entry_bundles_of(0)) == []
    assert list(entry_bundles_of(257)) == [Tile(None, 0), Tile(None, 1, 1)]
    assert list(entry_bundles_of(301, 300)) == [Tile(None, 1, 45)]
    assert list(entry_bundles_of(513, 300)) == [Tile(None, 1), Tile(None, 2, 1)]
    assert list(entry_bundles_of(512, 511)) == [Tile(None, 1)]
    assert list(entry_bundles_of(513, 512)) == [Tile(None, 2, 1)]
    assert list(entry_bundles_of(512, 512)) == []


def test_a_tile_is_as_wide_as_its_tree_lets_it():
    assert [width_in(70_000, 0, index) for index in (0, 272, 273, 274)] == [
        256,
        256,
        112,
        0,
    ]
    assert [width_in(70_000, level, 0) for level in (1, 2, 3, 63)] == [256, 1, 0, 0]
    assert width_in(70_000, None, 273) == 112
    assert width_in(MAX_SIZE, 7, 0) == 127


def test_the_largest_tree_has_tiles():
    last = 2**55 - 1
    assert tile_holding(0, MAX_SIZE - 1, MAX_SIZE) == Tile(0, last, 255)
    assert parse_path(Tile(0, last, 255).path()) == Tile(0, last, 255)
    assert tile_holding(62, 0, MAX_SIZE) == Tile(7, 0, 127)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 700, SIZE])
def test_the_hashes_of_a_tree_are_read_from_its_tiles(size):
    fetched = set()

    def read(level, index):
        tile = tile_holding(level, index, size)
        fetched.add(tile)
        hashes = decode_tile(octets_of(tile), tile.width)
        return hash_within(tile, hashes, level, index)

    assert root_of(size, read) == TREE.root(size)
    for index in {0, size // 2, size - 1}:
        assert inclusion_path(index, size, read) == TREE.inclusion(index, size)
    for old in {1, (size + 1) // 2, size}:
        assert consistency_path(old, size, read) == TREE.consistency(old, size)
    assert fetched <= set(tiles_of(size))


def test_octets_that_are_no_such_tile_are_refused():
    with pytest.raises(TileError, match="256 hashes of 32 octets expected, got 8191"):
        decode_tile(octets_of(Tile(0, 0))[:-1], 256)
    with pytest.raises(TileError, match="2 hashes of 32 octets expected, got 96"):
        decode_tile(bytes(96), 2)
    assert decode_tile(bytes(64), 2) == [bytes(32)] * 2


@pytest.mark.parametrize(("level", "index"), [(0, 5), (1, 2), (3, 0), (-1, 0), (0, -1)])
def test_a_tree_has_complete_subtrees_only_within_it(level, index):
    with pytest.raises(TileError, match="one within a tree of 5 leaves"):
        tile_holding(level, index, 5)


@pytest.mark.parametrize(
    "entries", [[b"a"], [b"", b"bc"], [b"x" * 65535], [b"e"] * 256]
)
def test_entries_are_cut_as_they_were_joined(entries):
    octets = encode_entry_bundle(entries)
    assert len(octets) == sum(map(len, entries)) + 2 * len(entries)
    assert decode_entry_bundle(octets, len(entries)) == entries


def test_each_entry_of_a_bundle_hashes_to_its_leaf():
    octets = encode_entry_bundle(TREE.entries[:256])
    hashes = decode_tile(octets_of(Tile(0, 0)), 256)
    assert [leaf_hash(entry) for entry in decode_entry_bundle(octets, 256)] == hashes


def test_entries_that_fit_no_bundle_are_refused():
    for entries in ([], [b"e"] * 257):
        with pytest.raises(TileError, match="1 to 256 entries, got"):
            encode_entry_bundle(entries)
    with pytest.raises(TileError, match="at most 65535 octets, got 65536"):
        encode_entry_bundle([b"x" * 65536])


@pytest.mark.parametrize(
    ("octets", "width"),
    [
        (b"", 1),
        (b"\0", 1),
        (b"\0\1", 1),
        (b"\0\2a", 1),
        (b"\0\1a\0", 2),
        (b"\0\1a", 2),
        (b"\0\1a\0\1b", 1),
        (b"\0\1a\0", 1),
        (b"\xff\xffa", 1),
    ],
)
def test_these_are_no_bundles(octets, width):
    with pytest.raises(TileError, match="bundle"):
        decode_entry_bundle(octets, width)
