"""A witness over HTTP (C2SP tlog-witness v1.0.0), in a process without nodes.

    POST /add-checkpoint         a cosignature, or the status that says why not
    GET  /HEX/checkpoint         the last checkpoint cosigned; HEX: SHA-256 of the origin
    GET  /                       who this is, for people

A request waits for the disk, so each runs in a thread; `chain_anchor.witness` keeps
those of one log apart. More than `MAX_WAITING` at once are turned away with 503.
"""

import asyncio
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from chain_anchor.errors import WitnessError
from chain_anchor.witness import Witness
from chain_anchor.witnessing import (
    ADD_CHECKPOINT,
    MAX_REQUEST_OCTETS,
    TEXT_TYPE,
    ContradictionError,
    RefusedError,
)
from resolver.faces.exchange import HttpError, Response
from resolver.faces.http import Listeners, configured
from resolver.faces.http_application import (
    GoneError,
    Receive,
    Scope,
    Send,
    read_body,
    send_response,
)
from resolver.telemetry import Telemetry

MAX_WAITING = 256
THREADS = 4
"""Syncs of different logs go to the disk side by side."""

_CHECKPOINT = re.compile(rb"/([0-9a-f]{64})/checkpoint")
_ADD = b"/" + ADD_CHECKPOINT.encode()
_UNKNOWN = (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)
_NOT_KEPT = ((b"cache-control", b"no-cache"),)


class WitnessFace(Listeners):
    """The listeners of one witness."""

    def __init__(
        self,
        witness: Witness,
        report: Callable[[str], None],
        learn: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,  # noqa: TID251 (injected, not called)
    ) -> None:
        """Take a witness and what it needs.

        Args:
            witness: The witness.
            report: Told when a log has forked or the disk failed.
            learn: Called when a log or its key is unknown, in a thread; tells whether
                the witness knows more now.
            clock: POSIX time.
        """
        super().__init__(Telemetry(), clock)
        self.statuses: Counter[int] = Counter()
        """Answers to add-checkpoint, by status."""

        self._witness = witness
        self._report = report
        self._learn = learn
        self._waiting = 0
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="witness")

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Answer from now on."""
        config = configured(serve)
        for item in sockets:
            await self.listen(config, item)

    async def close(self) -> None:
        """Let running requests finish, and end."""
        await super().close()
        await asyncio.to_thread(self._threads.shutdown)

    async def answer(self, method: str, path: bytes, receive: Receive) -> Response:
        """Answer one request.

        Raises:
            HttpError: It asks for what is not there.
        """
        if path == _ADD:
            _allow(method, "POST")
            return await self._add(await read_body(receive, MAX_REQUEST_OCTETS))
        found = _CHECKPOINT.fullmatch(path)
        if found is None and path != b"/":
            raise HttpError(HTTPStatus.NOT_FOUND, f"a witness has no {path!r:.99}")
        _allow(method, "GET", "HEAD")
        return self._last(found[1].decode()) if found else self._about()

    async def _add(self, body: bytes) -> Response:
        if self._waiting >= MAX_WAITING:
            raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests wait")
        self._waiting += 1
        try:
            response = await self._decide(body)
        finally:
            self._waiting -= 1
        self.statuses[response.status] += 1
        return response

    async def _decide(self, body: bytes) -> Response:
        loop = asyncio.get_running_loop()
        now = int(self.clock())
        try:
            lines = await loop.run_in_executor(self._threads, self._cosign, body, now)
        except RefusedError as error:
            if isinstance(error, ContradictionError):
                self._report(f"a log has forked: {error}")
            return Response(error.status, error.body, error.content_type)
        except WitnessError as error:
            self._report(str(error))
            text = f"{error}\n".encode()
            return Response(HTTPStatus.INTERNAL_SERVER_ERROR, text, TEXT_TYPE)
        return Response(HTTPStatus.OK, lines, TEXT_TYPE)

    def _cosign(self, body: bytes, now_seconds: int) -> bytes:
        try:
            return self._witness.add_checkpoint(body, now_seconds)
        except RefusedError as error:
            if error.status not in _UNKNOWN or not self._learn():
                raise
        return self._witness.add_checkpoint(body, now_seconds)

    def _last(self, name: str) -> Response:
        note = self._witness.last_note(name)
        if note is None:
            message = "no checkpoint of that log was cosigned here"
            raise HttpError(HTTPStatus.NOT_FOUND, message)
        return Response(HTTPStatus.OK, note, TEXT_TYPE, _NOT_KEPT)

    def _about(self) -> Response:
        lines = ["idis witness", f"{self._witness.key}", "", "size of each log:"]
        for origin in sorted(self._witness.logs):
            last = self._witness.last_checkpoint(origin)
            lines.append(f"  {origin} {last.size}")
        lines += ["", "answers to add-checkpoint, by status:"]
        lines += [f"  {status} {n}" for status, n in sorted(self.statuses.items())]
        text = "\n".join(lines) + "\n"
        return Response(HTTPStatus.OK, text.encode(), TEXT_TYPE, _NOT_KEPT)


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request, of whichever witness it was sent to (ASGI)."""
    face: WitnessFace = scope["state"]["face"]
    try:
        response = await face.answer(scope["method"], scope["raw_path"], receive)
    except GoneError:
        return
    except HttpError as error:
        text = f"{error}\n".encode()
        response = Response(error.status, text, TEXT_TYPE, error.headers)
    await send_response(response, send)


def _allow(method: str, *allowed: str) -> None:
    if method not in allowed:
        names = ", ".join(allowed)
        raise HttpError(
            HTTPStatus.METHOD_NOT_ALLOWED,
            f"{names} expected, got {method}",
            headers=((b"allow", names.encode()),),
        )
