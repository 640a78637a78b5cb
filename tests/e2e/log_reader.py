"""A reader of a log from outside: remembers all it saw, believes none of it unchecked."""

import http.client
import threading
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from chain_anchor.checkpoint import Checkpoint, open_checkpoint
from chain_anchor.frontier import EMPTY
from chain_anchor.merkle import HASH_OCTETS
from chain_anchor.note import VerifierKey
from chain_anchor.proof import verify_bundle
from chain_anchor.statemap import KIND_RECORD
from chain_anchor.tiles import TILE_WIDTH, Tile
from chain_anchor.verified import Verified

DEADLINE_SECONDS = 30
PAUSE_SECONDS = 0.0005


class Served(NamedTuple):
    """Where a log is served, and the key that it is known by."""

    url: str
    key: VerifierKey

    @classmethod
    def parse(cls, line: str) -> "Served":
        url, _, key = line.strip().partition(" ")
        return cls(url, VerifierKey.parse(key))

    def connect(self) -> http.client.HTTPConnection:
        address = urlsplit(self.url).netloc
        return http.client.HTTPConnection(address, timeout=DEADLINE_SECONDS)

    def get(self, connection: http.client.HTTPConnection, path: str) -> bytes:
        connection.request("GET", f"{urlsplit(self.url).path}/{path}")
        response = connection.getresponse()
        body = response.read()
        assert response.status == http.HTTPStatus.OK, (path, body)
        return body


class Watch:
    """Fetches the checkpoint over and over, until nobody answers."""

    def __init__(self, served: Served, at_last: Callable[[], None], most: int) -> None:
        """Call `at_last` at once when so many checkpoints have been seen."""
        self.notes: set[bytes] = set()
        self._served, self._at_last, self._most = served, at_last, most
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._fetch)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join(DEADLINE_SECONDS)
        assert not self._thread.is_alive()

    def _fetch(self) -> None:
        connection = self._served.connect()
        try:
            while not self._ended.wait(PAUSE_SECONDS):
                self.notes.add(self._served.get(connection, "checkpoint"))
                if len(self.notes) >= self._most:
                    self._at_last()
        except (OSError, http.client.HTTPException):
            pass  # killed, as it was to be
        finally:
            connection.close()


class LogReader:
    """What is known of a log from outside."""

    def __init__(self) -> None:
        self.hashes: list[bytes] = []
        """Leaf hashes, as tiles gave them once; they are not fetched again."""

        self.seen: dict[int, bytes] = {}
        """Root of each checkpoint that was ever seen, by size."""

    def see(self, served: Served, note: bytes) -> Checkpoint:
        """Take note of a checkpoint."""
        checkpoint = open_checkpoint(note, served.key.name, (served.key,))
        known = self.seen.setdefault(checkpoint.size, checkpoint.root)
        assert known == checkpoint.root, f"two checkpoints of {checkpoint.size} entries"
        return checkpoint

    def check(self, served: Served) -> Checkpoint:
        """Check that the log, as it is served now, continues all that was ever seen."""
        connection = served.connect()
        head = self.see(served, served.get(connection, "checkpoint"))
        assert head.size == max(self.seen)
        self._fetch(served, connection, head.size)
        connection.close()
        frontier = EMPTY
        for size in sorted(self.seen):
            frontier = frontier.extended(self.hashes[frontier.size : size])
            assert frontier.root() == self.seen[size], f"{size} entries, contradicted"
        return head

    def verify(
        self, served: Served, connection: http.client.HTTPConnection, name: bytes
    ) -> Verified:
        """Fetch the bundle of a name and verify it under the checkpoint of now."""
        path = f"proof/record?identifier={quote(name)}"
        bundle = served.get(connection, path)
        verified = verify_bundle(bundle, served.key, about=(KIND_RECORD, name))
        assert verified.size == max(self.seen)
        assert verified.root == self.seen[verified.size]
        return verified

    def _fetch(
        self, served: Served, connection: http.client.HTTPConnection, size: int
    ) -> None:
        """Fetch the tiles that have what is not known yet."""
        while len(self.hashes) < size:
            tile, known = divmod(len(self.hashes), TILE_WIDTH)
            width = min(TILE_WIDTH, size - tile * TILE_WIDTH)
            octets = served.get(connection, Tile(0, tile, width).path())
            assert len(octets) == width * HASH_OCTETS
            fresh = range(known * HASH_OCTETS, len(octets), HASH_OCTETS)
            self.hashes += [octets[at : at + HASH_OCTETS] for at in fresh]
