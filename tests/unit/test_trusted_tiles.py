"""Tiles are believed only where the signed root says so, too."""

import pytest

from chain_anchor.errors import ProofError, TileError
from chain_anchor.merkle import EMPTY_ROOT, leaf_hash, root_of
from chain_anchor.tiles import Tile, encode_entry_bundle
from chain_anchor.trusted_tiles import TrustedTiles
from tests.small_log import reader

MOST = 256 * 256 + 300
ENTRIES = [b"entry %d" % number for number in range(MOST)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
_LEVELS = [LEAVES]
while len(_LEVELS[-1]) > 1:
    below = _LEVELS[-1]
    read = reader(below)
    _LEVELS.append([read(1, n) for n in range(len(below) // 2)])


def hash_at(level, index):
    return _LEVELS[level][index]


class Server:
    """Serves the first entries; replaces what it is told to."""

    def __init__(self):
        self.replaced = {}
        self.asked = []

    def fetch(self, tile: Tile) -> bytes:
        self.asked.append(tile.path())
        if tile.path() in self.replaced:
            return self.replaced[tile.path()]
        first = tile.index * 256
        if tile.level is None:
            return encode_entry_bundle(ENTRIES[first : first + tile.width])
        hashes = _LEVELS[8 * tile.level][first : first + tile.width]
        return b"".join(hashes)


def root(size):
    return root_of(size, hash_at)


@pytest.fixture
def server():
    return Server()


def trusted(server, size):
    return TrustedTiles(size, root(size), server.fetch)


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 65536, MOST])
def test_every_older_root_and_every_entry_is_found(server, size):
    tiles = trusted(server, size)
    for old in {0, size // 3, size // 2, max(0, size - 1), size}:
        assert root_of(old, tiles.read) == root(old)
    start = max(0, size - 700)
    found = [entry for bundle in tiles.entries(start) for entry in bundle]
    assert found == ENTRIES[start:size]


def test_reading_on_costs_few_tiles(server):
    tiles = trusted(server, MOST)
    edge = ["tile/0/257.p/44", "tile/1/001.p/1", "tile/2/000.p/1"]
    assert server.asked == edge
    list(tiles.entries(MOST - 10))
    assert server.asked == [*edge, "tile/entries/257.p/44"]


def test_the_right_edge_must_give_the_root(server):
    with pytest.raises(ProofError, match="root"):
        TrustedTiles(300, root(301), server.fetch)
    with pytest.raises(ProofError, match="root"):
        TrustedTiles(0, root(1), server.fetch)
    assert TrustedTiles(0, EMPTY_ROOT, server.fetch).size == 0


def test_any_wrong_hash_is_noticed_and_where(server):
    octets = b"".join(LEAVES[:256])
    for place in (0, 31, 4000, 8191):
        wrong = bytearray(octets)
        wrong[place] ^= 1
        server.replaced["tile/0/000"] = bytes(wrong)
        with pytest.raises(ProofError, match="tile/0/000"):
            trusted(server, 600).read(0, 3)
    server.replaced["tile/0/000"] = octets[:-1]
    with pytest.raises(TileError):
        trusted(server, 600).read(0, 3)


def test_a_wrong_tile_at_the_right_edge_is_noticed(server):
    server.replaced["tile/0/002.p/88"] = b"".join(LEAVES[513:601])
    with pytest.raises(ProofError):
        trusted(server, 600)


def test_any_wrong_entry_is_noticed(server):
    entries = ENTRIES[256:512]
    entries[7] = b"forged"
    server.replaced["tile/entries/001"] = encode_entry_bundle(entries)
    bundles = trusted(server, 600).entries(100)
    assert next(bundles) == ENTRIES[100:256]
    with pytest.raises(ProofError, match="entry 263"):
        next(bundles)


def test_bundles_with_fewer_entries_are_noticed(server):
    server.replaced["tile/entries/001"] = encode_entry_bundle(ENTRIES[256:511])
    with pytest.raises(TileError):
        list(trusted(server, 600).entries(256))


def test_a_subtree_beyond_the_size_is_refused(server):
    with pytest.raises(TileError):
        trusted(server, 600).read(0, 600)


def test_tiles_that_are_not_needed_any_more_are_forgotten(server, monkeypatch):
    monkeypatch.setattr("chain_anchor.trusted_tiles.MAX_TILES", 2)
    tiles = trusted(server, MOST)
    for index in range(0, 5 * 256, 256):
        assert tiles.read(0, index) == LEAVES[index]
    assert len(tiles._full) == 2
