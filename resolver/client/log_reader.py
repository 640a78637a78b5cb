"""Reads what a log serves over HTTP (C2SP tlog-tiles): checkpoint, tiles, bundles.

Plain and synchronous, on one kept connection: tiles are asked for one by one, as a
proof needs them. Nothing that comes is believed here; `chain_anchor.trusted_tiles`
checks it. A partial tile that is gone is cut from the full one, as the specification
lets a log remove it.
"""

import http.client
import ssl
from http import HTTPStatus

from chain_anchor.merkle import HASH_OCTETS
from chain_anchor.note import MAX_NOTE_OCTETS
from chain_anchor.tiles import (
    MAX_ENTRY_OCTETS,
    TILE_WIDTH,
    Tile,
    decode_entry_bundle,
    encode_entry_bundle,
)
from resolver.client.web_address import WebAddress
from resolver.errors import BadAnswerError, UnreachableError

TIMEOUT_SECONDS = 10.0
MAX_BUNDLE_OCTETS = TILE_WIDTH * (2 + MAX_ENTRY_OCTETS)


class LogReader:
    """One log, by its URL."""

    def __init__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Take the log's prefix; connecting waits for the first question.

        Raises:
            SetupError: It is not a URL.
        """
        address = WebAddress.parse(url)
        self.url = url.rstrip("/")
        self._prefix = address.prefix
        self._connection = _connection(address, timeout_seconds)

    def checkpoint(self) -> bytes:
        """Get the signed checkpoint.

        Raises:
            UnreachableError: Nobody answers, or not with it.
            BadAnswerError: The answer is too long.
        """
        return self._get("checkpoint", MAX_NOTE_OCTETS)

    def fetch(self, tile: Tile) -> bytes:
        """Get a tile or a bundle: a `trusted_tiles.Fetch`.

        Raises:
            UnreachableError: Nobody answers, or not with it.
            BadAnswerError: The answer is too long.
            TileError: A full bundle, of which a part was wanted, breaks its format.
        """
        most = MAX_BUNDLE_OCTETS if tile.level is None else TILE_WIDTH * HASH_OCTETS
        status, octets = self._ask(tile.path(), most)
        if status == HTTPStatus.OK:
            return octets
        if tile.width == TILE_WIDTH:
            raise self._missing(tile.path(), status)
        whole = self._get(Tile(tile.level, tile.index).path(), most)
        if tile.level is not None:
            return whole[: tile.width * HASH_OCTETS]
        entries = decode_entry_bundle(whole, TILE_WIDTH)
        return encode_entry_bundle(entries[: tile.width])

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _get(self, path: str, most_octets: int) -> bytes:
        status, octets = self._ask(path, most_octets)
        if status != HTTPStatus.OK:
            raise self._missing(path, status)
        return octets

    def _ask(self, path: str, most_octets: int) -> tuple[int, bytes]:
        """Ask; a kept connection that was closed meanwhile is replaced once."""
        kept = self._connection.sock is not None
        try:
            try:
                return self._ask_once(path, most_octets)
            except (http.client.RemoteDisconnected, ConnectionError):
                if not kept:
                    raise
                return self._ask_once(path, most_octets)
        except (http.client.HTTPException, OSError) as error:
            raise UnreachableError(f"{self.url}/{path}: {error!r}") from error

    def _ask_once(self, path: str, most_octets: int) -> tuple[int, bytes]:
        try:
            self._connection.request("GET", f"{self._prefix}/{path}")
            with self._connection.getresponse() as answer:
                octets = answer.read(most_octets + 1)
        except BaseException:
            self._connection.close()
            raise
        if len(octets) > most_octets:
            self._connection.close()
            raise BadAnswerError(f"{self.url}/{path}: more than {most_octets} octets")
        return answer.status, octets

    def _missing(self, path: str, status: int) -> UnreachableError:
        return UnreachableError(f"{self.url}/{path}: HTTP {status}")


def _connection(
    address: WebAddress, timeout_seconds: float
) -> http.client.HTTPConnection:
    if address.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(
            address.host, address.port, timeout=timeout_seconds, context=context
        )
    return http.client.HTTPConnection(
        address.host, address.port, timeout=timeout_seconds
    )
