"""An HTTP server that answers as a test tells it, in place of a node."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit


class Asked(NamedTuple):
    """A request that came."""

    endpoint: str
    values: dict[str, str]
    """What the query has, without what is empty or null."""

    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


Answers = Callable[[Asked], object]
"""Gives octets, or what is answered as JSON."""


@contextlib.contextmanager
def answering_node(answer: Answers) -> Iterator[str]:
    """Run a server on a free port of the loopback; give its URL."""

    class Handler(_Handler):
        answers = staticmethod(answer)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    answers: Answers

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        values = dict(parse_qsl(parts.query))
        present = {name: value for name, value in values.items() if value != "null"}
        length = int(self.headers.get("Content-Length") or 0)
        asked = Asked(parts.path.rpartition("/")[2], present, self.rfile.read(length))
        answer = self.answers(asked)
        octets = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    do_POST = do_GET  # noqa: N815 - the name is the library's

    def log_message(self, *arguments: object) -> None:
        pass
