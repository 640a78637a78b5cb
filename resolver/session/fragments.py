"""Messages over UDP: cut into datagrams, and put together again (handle notes §1.10).

A datagram holds at most 512 octets: an envelope and 492 octets of message. The
sequence number counts the pieces, and the length in each envelope is that of the
whole message, so pieces may come in any order and more than once. CNRI's server
leaves the TRUNCATED flag off its pieces, and so do we; readers go by length.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

from registry.errors import MalformedError
from resolver.wire.envelope import ENVELOPE_OCTETS, MAX_MESSAGE_OCTETS, Envelope

MAX_DATAGRAM_OCTETS = 512
PIECE_OCTETS = MAX_DATAGRAM_OCTETS - ENVELOPE_OCTETS
PARTIAL_LIFE_SECONDS = 5.0
MAX_PARTIALS = 256
"""Messages being put together at once; the oldest gives way."""


def split(message: bytes) -> list[bytes]:
    """Cut a message with its envelope into datagrams; a short one stays whole."""
    if len(message) <= MAX_DATAGRAM_OCTETS:
        return [message]
    envelope = Envelope.decode(message)
    return [
        envelope._replace(sequence=number).encode()
        + message[start : start + PIECE_OCTETS]
        for number, start in enumerate(
            range(ENVELOPE_OCTETS, len(message), PIECE_OCTETS)
        )
    ]


@dataclass(slots=True)
class _Partial:
    envelope: Envelope
    started: float
    pieces: dict[int, bytes] = field(default_factory=dict)


class Reassembler:
    """Puts messages of many senders together, within bounded time and memory."""

    def __init__(self, max_partials: int = MAX_PARTIALS) -> None:
        self._partials: OrderedDict[Hashable, _Partial] = OrderedDict()
        self._max_partials = max_partials
        self.dropped = 0
        """Messages given up: too old, or pushed out by newer ones."""

    def receive(self, datagram: bytes, sender: Hashable, now: float) -> bytes | None:
        """Take one datagram; give the whole message once it is complete.

        Raises:
            MalformedError: The envelope does not fit, or the piece does not
                belong where its sequence number puts it.
        """
        envelope = Envelope.decode(datagram)
        if envelope.sequence == 0 and envelope.length + ENVELOPE_OCTETS == len(
            datagram
        ):
            return datagram
        _check_piece(envelope, len(datagram) - ENVELOPE_OCTETS)
        self._expire(now)
        key = (sender, envelope.request_id, envelope.session_id)
        partial = self._partials.get(key)
        if partial is None or partial.envelope.length != envelope.length:
            partial = self._start(key, envelope, now)
        partial.pieces.setdefault(envelope.sequence, datagram[ENVELOPE_OCTETS:])
        if len(partial.pieces) < _piece_count(envelope.length):
            return None
        del self._partials[key]
        body = b"".join(partial.pieces[number] for number in sorted(partial.pieces))
        return envelope._replace(sequence=0).encode() + body

    def _start(self, key: Hashable, envelope: Envelope, now: float) -> _Partial:
        self._partials.pop(key, None)
        if len(self._partials) >= self._max_partials:
            self._partials.popitem(last=False)
            self.dropped += 1
        partial = self._partials[key] = _Partial(envelope, now)
        return partial

    def _expire(self, now: float) -> None:
        # Insertion order is age order, so only the front can be too old.
        while self._partials:
            key, partial = next(iter(self._partials.items()))
            if now - partial.started < PARTIAL_LIFE_SECONDS:
                return
            del self._partials[key]
            self.dropped += 1


def _piece_count(length: int) -> int:
    return -(-length // PIECE_OCTETS)


def _check_piece(envelope: Envelope, size: int) -> None:
    if envelope.length > MAX_MESSAGE_OCTETS:
        message = (
            f"message of {envelope.length} octets declared, "
            f"at most {MAX_MESSAGE_OCTETS} taken"
        )
        raise MalformedError(message)
    expected = min(PIECE_OCTETS, envelope.length - envelope.sequence * PIECE_OCTETS)
    if size != expected:
        message = (
            f"piece {envelope.sequence} of a message of {envelope.length} octets: "
            f"{max(expected, 0)} octets expected, {size} came"
        )
        raise MalformedError(message)
