"""Keys of the nodes' logs, from the network's seed (emulator convention).

A log signs with an Ed25519 key, and with the next generation of it after a rotation.
What it blinds commitments with stays the same: old commitments must stay checkable.
"""

from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chain_anchor.note import Signer
from resolver.keys import SeededKeys

_SIGNING = "ed25519 log"
_BLINDING = "log blinding"
_SECRET_OCTETS = 32


def log_origin(node_name: str) -> str:
    """Name the log of a node: a schema-less URL (C2SP tlog-checkpoint)."""
    return f"{node_name}.idis.test/log"


class LogKeys(NamedTuple):
    """What one log signs and blinds with."""

    origin: str
    keys: SeededKeys

    def signer(self, generation: int = 0) -> Signer:
        """Give who signs after so many rotations."""
        label = self.origin if generation == 0 else f"{self.origin} {generation}"
        secret = self.keys.octets(_SIGNING, label, _SECRET_OCTETS)
        return Signer(self.origin, Ed25519PrivateKey.from_private_bytes(secret))

    @property
    def blinding(self) -> bytes:
        """The key under which restricted values are committed to."""
        return self.keys.octets(_BLINDING, self.origin, _SECRET_OCTETS)
