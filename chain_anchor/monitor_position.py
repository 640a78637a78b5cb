"""How far a monitor has followed a log: all that it must not forget but the map."""

import json
from typing import NamedTuple

from chain_anchor.checkpoint import Checkpoint, parse_checkpoint
from chain_anchor.entries import Header, decode_entry
from chain_anchor.errors import FormatError
from chain_anchor.frontier import EMPTY, Frontier
from chain_anchor.merkle import EMPTY_ROOT
from chain_anchor.note import Note, VerifierKey

_FORMAT = 1


class Position(NamedTuple):
    """How far a log was followed."""

    origin: str
    keys: tuple[VerifierKey, ...]
    """Who may sign, after the rotations up to here."""

    note: bytes = b""
    """Newest checkpoint that was accepted, signed; empty at first."""

    frontier: Frontier = EMPTY
    """Right edge of the tree up to here: the end of a group."""

    header: bytes = b""
    """Last header, encoded; empty at first."""

    @property
    def size(self) -> int:
        """Entries that were followed."""
        return self.frontier.size

    @property
    def checkpoint(self) -> Checkpoint:
        """The newest checkpoint; it may be of more entries than were followed."""
        if not self.note:
            return Checkpoint(self.origin, 0, EMPTY_ROOT)
        return parse_checkpoint(Note.parse(self.note).text)

    @property
    def last_header(self) -> Header | None:
        """The last header; None at first.

        Raises:
            FormatError: It is none.
        """
        if not self.header:
            return None
        entry = decode_entry(self.header)
        if not isinstance(entry, Header):
            raise FormatError(f"position of a monitor: a header expected, got {entry}")
        return entry

    def encode(self) -> bytes:
        """Write it, as JSON."""
        told = {
            "format": _FORMAT,
            "origin": self.origin,
            "keys": [str(key) for key in self.keys],
            "note": self.note.decode(),
            "size": self.size,
            "peaks": [peak.hex() for peak in self.frontier.peaks],
            "header": self.header.hex(),
        }
        return json.dumps(told).encode()

    @classmethod
    def decode(cls, octets: bytes) -> "Position":
        """Read it.

        Raises:
            FormatError: It breaks its format.
        """
        try:
            told = json.loads(octets)
            found = cls(
                told["origin"],
                tuple(map(VerifierKey.parse, told["keys"])),
                told["note"].encode(),
                Frontier(told["size"], tuple(map(bytes.fromhex, told["peaks"]))),
                bytes.fromhex(told["header"]),
            )
        except FormatError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FormatError(f"position of a monitor: {error!r}") from error
        if told["format"] != _FORMAT or found.checkpoint.origin != found.origin:
            message = f"position of a monitor: one of {found.origin} expected"
            raise FormatError(message)
        return found
