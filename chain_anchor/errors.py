"""Errors of the transparency log; each says what was expected, what came, where.

AnchorError
├── FormatError          text or octets break their own format; also a ValueError
│   ├── NoteError        a signed note, a signature line or a verifier key
│   ├── CheckpointError  the text of a checkpoint
│   ├── TileError        the path of a tile, a tile or a bundle of entries
│   ├── EntryError       what stands in a leaf
│   └── BundleError      a proof in a file: ours, or a tlog-proof
├── ProofError           a proof does not hold
├── SignatureError       a signature that we need is missing or wrong
├── CorruptLogError      stored octets are not those that were written
├── RollbackError        a log is shorter than it is known to have been
├── ForkError            two signed checkpoints contradict each other
└── WitnessError         a witness refuses, or cannot be asked
"""


class AnchorError(Exception):
    """The log, a proof or a witness could not do it."""


class FormatError(AnchorError, ValueError):
    """Text or octets break their own format."""


class NoteError(FormatError):
    """A signed note, a signature line or a verifier key breaks its format."""


class CheckpointError(FormatError):
    """The text of a checkpoint breaks its format."""


class TileError(FormatError):
    """The path of a tile, a tile or a bundle of entries breaks its format."""


class EntryError(FormatError):
    """The octets of a leaf are no entry."""


class BundleError(FormatError):
    """A file with a proof breaks its format."""


class ProofError(AnchorError):
    """A proof does not hold, or none exists for what was asked."""


class SignatureError(AnchorError):
    """A signature by a key that we need is missing, or is wrong."""


class CorruptLogError(AnchorError):
    """Stored octets are not those that were written.

    Args:
        table: the table they lie in.
        key: their key there.
        problem: what was expected and what came.
    """

    def __init__(self, table: str, key: bytes, problem: str) -> None:
        super().__init__(f"{table} {key.hex() or '(no key)'}: {problem}")
        self.table = table
        self.key = key


class RollbackError(AnchorError):
    """A log is shorter than it is known to have been."""


class ForkError(AnchorError):
    """Two signed checkpoints of one log contradict each other."""


class WitnessError(AnchorError):
    """A witness refuses, or it cannot be asked."""
