"""Logs under one another, anchored on a chain, and that on another, for tests."""

from collections.abc import Sequence
from dataclasses import replace

from chain_anchor import merkle
from chain_anchor.anchor_making import Shown, make_hop
from chain_anchor.anchor_proof import METADATA_KEY, child_checkpoint
from chain_anchor.anchors import Anchors, Hop, Level, PinnedChain
from chain_anchor.bif.certificates import certify
from chain_anchor.bif.genesis import Keys, seeded_genesis, seeded_keys
from chain_anchor.bif.ledger import ClosedBlock
from chain_anchor.bif.transactions import SignedTransaction
from chain_anchor.bundle import Bundle
from chain_anchor.note import VerifierKey
from tests.bif_chains import SECOND, TestChain, metadata
from tests.small_log import SmallLog, reader


class Certified(TestChain):
    """A chain whose validators sign each block."""

    __test__ = False

    def __init__(self, name: str) -> None:
        self.keys: Keys = seeded_keys("1", name, 2)
        super().__init__(genesis=seeded_genesis(self.keys))
        genesis = self.ledger.last.hash
        self.pinned = PinnedChain(name, genesis, self.ledger.validators)

    def proof(self, seq: int) -> bytes:
        header = self.ledger.header(seq)
        assert header is not None
        return certify(header.hash, self.keys.validators)

    def close(self, *transactions: SignedTransaction) -> ClosedBlock:
        last = self.ledger.last
        return self.ledger.close(
            transactions, last.close_time + SECOND, self.proof(last.seq)
        )

    def shown_block(self, transaction: SignedTransaction, later: int = 0) -> Shown:
        """What the chain shows of a transaction, and of blocks that follow."""
        recorded = self.ledger.transaction(transaction.hash)
        assert recorded is not None
        seq = recorded.message.ledger_seq
        headers = [self.ledger.header(seq + step) for step in range(later + 1)]
        consensus = self.ledger.consensus_value(seq)
        assert consensus is not None
        domain = transaction.content.domain_id
        return Shown(
            self.pinned.genesis,
            self.pinned.validators,
            transaction,
            tuple(self.ledger.hashes(domain, seq)),
            consensus,
            tuple(header for header in headers if header is not None),
            self.proof(seq + later),
        )


class Anchored:
    """A national log, one below it, and one below that; two chains."""

    def __init__(self) -> None:
        self.top = SmallLog("top.test/log", 1)
        self.middle = SmallLog("middle.test/log", 2)
        self.low = SmallLog("low.test/log", 3)
        self.logs = (self.low, self.middle, self.top)
        self.backbone = Certified("backbone")
        self.main = Certified("main")

    @property
    def keys(self) -> dict[str, list[VerifierKey]]:
        return {log.origin: [log.signer.key] for log in self.logs}

    @property
    def chains(self) -> tuple[PinnedChain, PinnedChain]:
        return self.backbone.pinned, self.main.pinned

    def report(self) -> None:
        """Tell each parent of its child's checkpoint."""
        for child, parent in zip(self.logs, self.logs[1:], strict=False):
            parent.log_child(child)
            parent.seal()

    def anchor(
        self, later: int = 3, beside: Sequence[SignedTransaction] = ()
    ) -> tuple[Hop, Hop]:
        """Put the top's checkpoint on both chains, other transactions beside it."""
        key = self.backbone.keys.funded[0]
        note = self.top.signed_checkpoint().decode()
        anchoring = self.backbone.make(
            key, metadata(METADATA_KEY + self.top.origin, note)
        )
        self.backbone.close(*beside, anchoring)
        for number in range(later):
            self.backbone.run(key, metadata("other", str(number)))
        first = make_hop(self.backbone.shown_block(anchoring, later))
        return first, self.submit(self.backbone.ledger.last.hash)

    def submit(self, digest: bytes) -> Hop:
        """Anchor the hash of the backbone's last block on the main chain."""
        name = f"hany/{self.backbone.ledger.last.seq}"
        value = f'{{"hash":"{digest.hex()}"}}'
        source = self.main.keys.funded[0]
        submission = self.main.make(source, metadata(name, value))
        self.main.close(submission)
        return make_hop(self.main.shown_block(submission))

    def levels(self, top_size: int) -> tuple[Level, ...]:
        """Lead from the low log up into the top's tree of a size."""
        found, size = [], top_size
        for child, parent in zip(self.logs[-2::-1], self.logs[:0:-1], strict=True):
            place = max(
                index
                for index, entry in enumerate(parent.entries[:size])
                if child.origin.encode() in entry
            )
            path = merkle.inclusion_path(place, size, reader(parent.leaves))
            found.append(Level(place, tuple(path), parent.entries[place]))
            size = child_checkpoint(parent.entries[place]).size
        return tuple(reversed(found))

    def anchors(self, top_size: int, hops: tuple[Hop, ...]) -> Anchors:
        levels = self.levels(top_size)
        own = child_checkpoint(levels[0].entry).size
        path = merkle.consistency_path(own, self.low.size, reader(self.low.leaves))
        return Anchors(tuple(path), levels, hops)

    def bundle(self, name: bytes, top_size: int, hops: tuple[Hop, ...]) -> Bundle:
        return replace(self.low.bundle(name), anchors=self.anchors(top_size, hops))


def anchored_name(name: bytes = b"88.118.7/SN0001") -> tuple[Anchored, Bundle]:
    """Register a name in the low log, anchor it, and let all logs go on."""
    made = Anchored()
    made.low.register(name)
    made.low.seal()
    made.report()
    size = made.top.size
    hops = made.anchor()
    made.low.register(b"88.118.7/LATER")
    made.low.seal()
    made.report()
    return made, made.bundle(name, size, hops)
