"""A Handle server small enough to script: records, faults, and a log of requests.

It runs in one thread on loopback, UDP and TCP on the same free port, so that both
clients can be tried against it. Every wait ends: `close` joins the thread.
"""

import selectors
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from registry.model.typed import Interface, InterfaceType, Protocol, Server, Site
from registry.model.value import Value
from resolver.session.fragments import Reassembler, split
from resolver.session.stream import Framer
from resolver.wire.codes import OpCode, OpFlag, ResponseCode
from resolver.wire.envelope import Envelope
from resolver.wire.message import Message, build_message, decode_message
from resolver.wire.request import decode_request
from resolver.wire.response import Challenge, Failure, Values, digest_of

NONCE = bytes(range(16))


class Seen(NamedTuple):
    """A request as it arrived."""

    message: Message
    request: object
    via: str
    connection: int
    """Number of the TCP connection; 0 for UDP."""


@dataclass
class Faults:
    """What goes wrong; all off by default."""

    drop_first: int = 0
    """Datagrams that never arrive."""

    silent: bool = False
    wrong_id: bool = False
    truncate: bool = False
    """Answer over UDP with TRUNCATED set and nothing in it."""

    reverse_fragments: bool = False
    close_after_answer: bool = False
    close_before_answer: bool = False
    no_login: bool = False
    """Lose the place on LOGIN_ID_SYSTEM, as CNRI's server does."""

    wrong_digest: bool = False
    authoritative: bool = True


Reply = tuple[int, bytes]
Script = Callable[[Seen], "Reply | list[Reply] | None"]


@dataclass
class _Peer:
    sock: socket.socket
    number: int
    framer: Framer = field(default_factory=Framer)
    identity: object = None
    pending: dict[int, Message] = field(default_factory=dict)


class NanoServer:
    """Answers from `records` unless `script` answers first."""

    def __init__(self, host: str = "127.0.0.1", *, udp: bool = True) -> None:
        self.records: dict[bytes, tuple[Value, ...]] = {}
        self.faults = Faults()
        self.script: Script = lambda seen: None
        self.seen: list[Seen] = []
        self.needs_login: set[int] = set()
        self.accepts = True
        """Whether proofs are right."""

        self.host = host
        self._pending: dict[int, Message] = {}
        self._reassembler = Reassembler()
        self._connections = 0
        self._stopping = False
        self._listener, self._udp = _bound(host, udp=udp)
        self._listener.listen(64)
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        if self._udp is not None:
            self._selector.register(self._udp, selectors.EVENT_READ, self._datagram)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        self._wake.send(b"x")
        self._thread.join(5)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()
        self._wake.close()

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else self.host_port

    @property
    def host_port(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def site(self) -> Site:
        return site_at(self.host, self.port)

    def site_value(self, index: int = 1, kind: str = "HS_SITE", ttl: int = 60) -> Value:
        return Value(index, kind, self.site.encode(), ttl)

    def asked(self, opcode: int | None = None) -> list[bytes]:
        """Handles of the requests that came, in order."""
        return [
            getattr(seen.request, "handle", b"")
            for seen in self.seen
            if opcode in (None, seen.message.header.opcode)
        ]

    def _serve(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select(5):
                if key.data is None:
                    return
                key.data()

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        self._connections += 1
        peer = _Peer(sock, self._connections)
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._octets(peer))

    def _drop(self, peer: _Peer) -> None:
        self._selector.unregister(peer.sock)
        peer.sock.close()

    def _octets(self, peer: _Peer) -> None:
        try:
            octets = peer.sock.recv(65536)
        except ConnectionError:
            octets = b""
        if not octets:
            self._drop(peer)
            return
        for whole in peer.framer.receive(octets):
            if self.faults.close_before_answer:
                self._drop(peer)
                return
            try:
                for reply in self._answer(whole, "tcp", peer):
                    peer.sock.sendall(reply)
            except ConnectionError:  # who asked has gone
                self._drop(peer)
                return
            if self.faults.close_after_answer:
                self._drop(peer)
                return

    def _datagram(self) -> None:
        datagram, address = self._udp.recvfrom(65536)
        if self.faults.drop_first:
            self.faults.drop_first -= 1
            return
        whole = self._reassembler.receive(datagram, address, 0.0)
        if whole is None:
            return
        for reply in self._answer(whole, "udp", None):
            pieces = split(reply)
            if self.faults.reverse_fragments:
                pieces.reverse()
            for piece in pieces:
                self._udp.sendto(piece, address)

    def _answer(self, whole: bytes, via: str, peer: _Peer | None) -> list[bytes]:
        message = decode_message(whole)
        header = message.header
        request = decode_request(header.opcode, message.body)
        seen = Seen(message, request, via, peer.number if peer else 0)
        self.seen.append(seen)
        if self.faults.silent:
            return []
        if via == "udp" and self.faults.truncate:
            return [respond(message, 1, b"", envelope_flags=0x20)]
        replies = self.script(seen)
        if replies is None:
            return self._usual(message, request, peer)
        if isinstance(replies, tuple):
            replies = [replies]
        return [
            self._respond(message, code, body, more=n < len(replies) - 1)
            for n, (code, body) in enumerate(replies)
        ]

    def _usual(self, message, request, peer) -> list[bytes]:
        opcode = message.header.opcode
        pending = peer.pending if peer is not None else self._pending
        if opcode == OpCode.LOGIN_ID_SYSTEM:
            if self.faults.no_login:
                return [lost_place()]
            return self._challenge(message, pending)
        if opcode == OpCode.CHALLENGE_RESPONSE:
            original = pending.pop(message.envelope.session_id, None) or (
                self._pending.pop(message.envelope.session_id)
            )
            return self._proved(original, message, request, peer)
        identity = peer.identity if peer is not None else None
        if opcode in self.needs_login and identity is None:
            return self._challenge(message, self._pending, fresh=True)
        return [self._respond(message, *self._perform(opcode, request))]

    def _challenge(self, message, pending, *, fresh=False) -> list[bytes]:
        session_id = message.envelope.session_id
        if fresh or not session_id:
            session_id = 0x1000 + len(self.seen)
        pending[session_id] = message
        digest = digest_of(message)
        if self.faults.wrong_digest:
            digest = digest._replace(octets=bytes(len(digest.octets)))
        body = digest.encode() + Challenge(NONCE).encode()
        code = ResponseCode.AUTHENTICATION_NEEDED
        flags = int(OpFlag.RETURN_REQUEST_DIGEST)
        return [respond(message, code, body, flags=flags, session_id=session_id)]

    def _proved(self, original, message, request, peer) -> list[bytes]:
        header = original.header
        as_asked = message._replace(header=header)
        if not self.accepts:
            code = ResponseCode.AUTHENTICATION_FAILED
            return [respond(as_asked, code, Failure("wrong proof").encode())]
        if header.opcode == OpCode.LOGIN_ID_SYSTEM:
            peer.identity = (request.user, request.user_index)
            return [respond(as_asked, 1, b"")]
        asked = decode_request(header.opcode, original.body)
        return [self._respond(as_asked, *self._perform(header.opcode, asked))]

    def _perform(self, opcode, request) -> Reply:
        if opcode == OpCode.RESOLUTION:
            return self._resolve(request)
        if opcode == OpCode.GET_SITE_INFO:
            return 1, self.site.encode()
        return self._write(opcode, request)

    def _resolve(self, request) -> Reply:
        handle = request.handle
        name = handle if b"/" in handle else b"0.NA/" + handle
        values = self.records.get(name)
        if values is None:
            return ResponseCode.HANDLE_NOT_FOUND, Failure("").encode()
        if request.types or request.indexes:
            values = tuple(
                v
                for v in values
                if v.type.encode() in request.types or v.index in request.indexes
            )
        if not values:
            return ResponseCode.VALUES_NOT_FOUND, Failure("").encode()
        return 1, Values(handle, values).encode()

    def _write(self, opcode, request) -> Reply:
        handle = request.handle
        match opcode:
            case OpCode.CREATE_HANDLE:
                if handle in self.records:
                    return ResponseCode.HANDLE_ALREADY_EXISTS, Failure("").encode()
                self.records[handle] = tuple(request.values)
            case OpCode.DELETE_HANDLE:
                del self.records[handle]
            case OpCode.ADD_VALUE:
                self.records[handle] += tuple(request.values)
            case OpCode.MODIFY_VALUE:
                new = {value.index: value for value in request.values}
                old = self.records[handle]
                self.records[handle] = tuple(new.get(v.index, v) for v in old)
            case OpCode.REMOVE_VALUE:
                self.records[handle] = tuple(
                    v for v in self.records[handle] if v.index not in request.indexes
                )
        return 1, b""

    def _respond(self, message, code, body, *, more=False) -> bytes:
        flags = int(OpFlag.CONTINUOUS) if more else 0
        if self.faults.authoritative:
            flags |= int(OpFlag.AUTHORITATIVE)
        octets = respond(message, code, body, flags=flags)
        if self.faults.wrong_id:
            envelope = Envelope.decode(octets)
            wrong = envelope._replace(request_id=envelope.request_id ^ 1)
            octets = wrong.encode() + octets[20:]
        return octets


def _bound(host: str, *, udp: bool) -> tuple[socket.socket, socket.socket | None]:
    """Bind both transports at one port; try another where UDP has it already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(32):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.bind((host, 0))
        if not udp:
            return listener, None
        datagrams = socket.socket(family, socket.SOCK_DGRAM)
        try:
            datagrams.bind((host, listener.getsockname()[1]))
        except OSError:
            listener.close()
            datagrams.close()
        else:
            return listener, datagrams
    raise OSError("no port is free for both UDP and TCP")


def respond(
    message: Message,
    code: int,
    body: bytes,
    *,
    flags: int = 0,
    envelope_flags: int = 0,
    session_id: int | None = None,
) -> bytes:
    """Encode a response to a request."""
    envelope = message.envelope._replace(flags=2 | envelope_flags, minor=11)
    if session_id is not None:
        envelope = envelope._replace(session_id=session_id)
    header = message.header._replace(response_code=code, flags=flags, site_serial=1)
    return build_message(envelope, header, body).encode()


def lost_place() -> bytes:
    """Answer an unknown operation as CNRI's server does (golden vector)."""
    envelope = Envelope(2, 3, 2, 11, 0, 0xFFFFFFFF, 0, 0)
    request = decode_message(
        bytes.fromhex(
            "020a020b00000000000000070000000000000021000000020000000001000000"
            "ffff00006b05718500000005000000012f00000000"
        )
    )
    header = request.header._replace(opcode=0, response_code=2)
    return build_message(envelope, header, Failure("unknown").encode()).encode()


def site_at(host: str, port: int, *, serial: int = 1, primary: bool = True) -> Site:
    """Describe one server with UDP and TCP on one port as a site."""
    both = InterfaceType.ADMIN | InterfaceType.QUERY
    interfaces = (
        Interface(both, Protocol.UDP, port),
        Interface(both, Protocol.TCP, port),
    )
    return Site(serial, primary, (Server(1, host, b"", interfaces),))


def closed_port() -> int:
    """Give a port where nobody listens, as far as anybody can tell."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]
