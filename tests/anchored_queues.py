"""Records of a queue of checkpoints, for tests."""

from chain_anchor.bif.client import operation, signing
from chain_anchor.bif.keys import PrivateKey
from resolver.anchoring.records import Abandoned, AnchorChain, Confirmation, Queued

KEY = PrivateKey.from_seed("1", "anchoring")
CHAIN = AnchorChain("ab" * 32, "http://127.0.0.1:27003")


def queued(nonce: int, size: int = 10) -> Queued:
    """Sign what looks like a checkpoint."""
    note = f"log.test\n{size}\nroot\n\n\u2014 log.test signature\n".encode()
    change = operation.set_metadata("idis-log/log.test", note.decode())
    terms = signing.Terms(nonce=nonce)
    content = signing.transaction(KEY.address(), [change], terms)
    return Queued(note, size, nonce, signing.sign(content, KEY))


def confirmation(record: Queued, seq: int = 2) -> Confirmation:
    return Confirmation(record.transaction.hash, seq)


def abandoned(record: Queued) -> Abandoned:
    return Abandoned(record.transaction.hash, "nonce 3 too small")
