"""A log over HTTP that says what a test wants it to say: checkpoint, tiles, bundles."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from chain_anchor.errors import TileError
from chain_anchor.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Tile,
    encode_entry_bundle,
    parse_path,
    width_in,
)
from tests.small_log import SmallLog, reader

ORIGIN = "log.example/wuhan"


def names(start: int, count: int) -> list[bytes]:
    return [b"88.118/n%d" % number for number in range(start, start + count)]


def grown(groups: int, *, per_group: int = 5, fork_at: int | None = None) -> SmallLog:
    """A log of so many groups; from `fork_at` on it is another history."""
    log = SmallLog(ORIGIN)
    grow(log, groups, per_group=per_group, fork_at=fork_at)
    return log


def grow(log: SmallLog, groups: int, *, per_group: int = 5, fork_at=None) -> None:
    for _ in range(groups):
        group = log.header.height if log.header else 0
        fork = fork_at is not None and group >= fork_at
        for number, name in enumerate(names(group * per_group // 2, per_group)):
            record = b"another" if fork else b"record %d %d" % (group, number)
            log.register(name, record)
        if group % 3 == 2:
            log.delete(names(group, 1)[0])
        log.seal()


def tile_octets(log: SmallLog, tile: Tile) -> bytes:
    """What an honest server sends for a tile or a bundle."""
    first = tile.index * TILE_WIDTH
    if tile.level is None:
        return encode_entry_bundle(log.entries[first : first + tile.width])
    read, height = reader(log.leaves), tile.level * TILE_HEIGHT
    return b"".join(read(height, first + place) for place in range(tile.width))


class ServedLog:
    """What is served; change `log`, `note` or `replaced` while it runs."""

    def __init__(self, log: SmallLog) -> None:
        self.log = log
        self.note: bytes | None = None
        """None serves the log's own checkpoint."""

        self.replaced: dict[str, bytes | None] = {}
        """Octets for paths; None is not found."""

        self.asked: list[str] = []

    def answer(self, path: str) -> bytes | None:
        self.asked.append(path)
        if path in self.replaced:
            return self.replaced[path]
        if path == "checkpoint":
            return self.note or self.log.signed_checkpoint()
        try:
            tile = parse_path(path)
        except TileError:
            return None
        if tile.width > width_in(self.log.size, tile.level, tile.index):
            return None
        return tile_octets(self.log, tile)


@contextlib.contextmanager
def serving(log: SmallLog):
    """Serve a log on a free port of loopback; gives its URL and what to change."""
    served = ServedLog(log)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            found = served.answer(self.path.removeprefix("/log/"))
            self.send_response(404 if found is None else 200)
            self.send_header("content-length", str(len(found or b"")))
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/log", served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
