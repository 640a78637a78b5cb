"""Asking a node's log over HTTP, and a verifier that shares nothing with ours."""

import asyncio
import hashlib
from typing import NamedTuple

from chain_anchor.tiles import TILE_WIDTH, Tile, entry_bundles_of
from registry.change import Change
from registry.journal import Operation
from registry.model.value import Value
from tests.e2e.http_support import ADMIN_BASIC, PREFIX, request
from tests.merkle_trees import tiles_of

ORIGIN = "http-test.idis.test/log"
URL = Value(1, "URL", b"https://example.com/unlike-anything-else")
JSON = {"Accept": "application/json"}
TEXT = {"Accept": "text/plain"}


async def get(served, target, headers=None, **more):
    """Ask, and take only 200 for an answer."""
    answer = await request(served, "GET", target, headers=headers or {}, **more)
    assert answer.status == 200, (target, answer.body)
    return answer


async def write(served, method, target, body=None, **headers):
    """Change something as the administrator."""
    return await request(served, method, target, body, headers=ADMIN_BASIC | headers)


async def register(served, *names, values=(URL,)):
    """Register in as few groups as the registry makes of it, without HTTP."""
    await change(served, Operation.CREATE, *names, values=values)


async def change(served, operation, *names, values=(), **more):
    changes = [
        Change(
            operation,
            f"{PREFIX}/{name}".upper().encode(),
            values,
            overwrite=True,
            trusted=True,
            **more,
        )
        for name in names
    ]
    await asyncio.gather(*map(served.node.registry.enqueue, changes))


def key_of(served):
    return served.node.sealing.log.signer.key


class Site(NamedTuple):
    """All that a reader fetches of a log of one size."""

    tiles: dict[Tile, bytes]
    entries: list[bytes]


async def download(served, size: int) -> Site:
    """Fetch every tile and every entry that a log of a size has."""
    tiles = {tile: await _fetch(served, tile) for tile in tiles_of(size)}
    entries = []
    for tile in entry_bundles_of(size):
        entries += _cut(await _fetch(served, tile))
    return Site(tiles, entries)


async def _fetch(served, tile: Tile) -> bytes:
    return (await get(served, f"/log/{tile.path()}")).body


def _cut(bundle: bytes) -> list[bytes]:
    entries = []
    while bundle:
        end = 2 + int.from_bytes(bundle[:2])
        assert len(bundle) >= end
        entries.append(bundle[2:end])
        bundle = bundle[end:]
    return entries


def check_site(site: Site, size: int, root: bytes) -> None:
    """Go from the entries to the root, and from the tiles to the entries.

    By the definitions of RFC 6962 §2.1 and C2SP tlog-tiles alone.
    """
    leaves = [hashlib.sha256(b"\0" + entry).digest() for entry in site.entries]
    assert len(leaves) == size
    assert tree_hash(leaves) == root
    for tile, octets in site.tiles.items():
        span = TILE_WIDTH**tile.level
        first = tile.index * TILE_WIDTH
        expected = [
            tree_hash(leaves[(first + n) * span : (first + n + 1) * span])
            for n in range(tile.width)
        ]
        assert octets == b"".join(expected)


def tree_hash(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    sides = tree_hash(leaves[:split]) + tree_hash(leaves[split:])
    return hashlib.sha256(b"\1" + sides).digest()
