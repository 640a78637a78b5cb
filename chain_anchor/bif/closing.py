"""The making of a block: transactions applied, states hashed, header written.

Nothing is stored here; what is to be written comes out as changes.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from chain_anchor.bif import account_edits, applying, blocks, storage
from chain_anchor.bif.account_edits import PlacedEdit
from chain_anchor.bif.chain_pb2 import DomainAccountHash, LedgerHeader
from chain_anchor.bif.errors import BlockError, RefusedError
from chain_anchor.bif.execution import BlockPlace, Chain
from chain_anchor.bif.genesis import Genesis
from chain_anchor.bif.recording import Applied, record
from chain_anchor.bif.rules import MAX_BLOCK_OCTETS, Rules
from chain_anchor.bif.state import Layer, StoredState, seal
from chain_anchor.bif.transactions import SignedTransaction

FIRST_SEQ = 1


class Dropped(NamedTuple):
    """A transaction that could not be put on the chain."""

    transaction: SignedTransaction
    refusal: RefusedError


class BlockWork:
    """A block being made."""

    def __init__(
        self,
        chain: Chain,
        last: LedgerHeader,
        place: BlockPlace,
        state_of: Callable[[int], StoredState],
    ) -> None:
        self.applied: list[Applied] = []
        self.dropped: list[Dropped] = []
        self._chain = chain
        self._last = last
        self._place = place
        self._state_of = state_of
        self._layers: dict[int, Layer] = {}
        self._states: dict[int, StoredState] = {}
        self._hashes: dict[int, list[bytes]] = {}
        self._octets = 0

    def edit(self, placed: PlacedEdit) -> None:
        """Set an account without a transaction."""
        account_edits.put(self._layer(placed.domain), placed.address, placed.edit)

    def add(self, transaction: SignedTransaction) -> None:
        """Apply one transaction, or drop it."""
        self._octets += len(transaction.envelope)
        if self._octets > MAX_BLOCK_OCTETS:
            raise BlockError(f"block: at most {MAX_BLOCK_OCTETS} octets expected")
        domain = transaction.content.domain_id
        try:
            layer = self._layer(domain)
            outcome = applying.apply(transaction, self._chain, self._place, layer)
        except RefusedError as refusal:
            self.dropped.append(Dropped(transaction, refusal.alone()))
            return
        self._hashes.setdefault(domain, []).append(transaction.hash)
        self.applied.extend(record(outcome, domain, self._place))

    def finish(
        self, previous_proof: bytes
    ) -> tuple[LedgerHeader, dict[bytes, bytes | None]]:
        """Hash everything; give the header and what is to be written."""
        changes: dict[bytes, bytes | None] = {}
        roots: dict[int, bytes] = {}
        for domain, layer in self._layers.items():
            roots[domain], changed = seal(self._states[domain], layer)
            changes |= changed
        header = self._header(roots, previous_proof, changes)
        for applied in self.applied:
            changes[storage.transaction(applied.hash)] = applied.stored
        for domain in self._hashes:
            listed = [entry.hash for entry in self.applied if entry.domain == domain]
            changes[storage.hashes(domain, header.seq)] = b"".join(listed)
        return header, changes

    def _layer(self, domain: int) -> Layer:
        layer = self._layers.get(domain)
        if layer is None:
            state = self._states[domain] = self._state_of(domain)
            layer = self._layers[domain] = Layer(state)
        return layer

    def _header(
        self,
        roots: dict[int, bytes],
        previous_proof: bytes,
        changes: dict[bytes, bytes | None],
    ) -> LedgerHeader:
        last, close_time = self._last, self._place.close_time
        in_order = {
            domain: self._hashes.get(domain, []) for domain in self._chain.rules.domains
        }
        consensus = blocks.consensus_header(
            last, close_time, previous_proof, in_order
        ).SerializeToString()
        header = LedgerHeader(
            seq=self._place.seq,
            previous_hash=last.hash,
            close_time=close_time,
            consensus_value_hash=sha256(consensus).digest(),
            version=last.version,
            tx_count=last.tx_count + sum(map(len, in_order.values())),
            validators_hash=last.validators_hash,
            fees_hash=last.fees_hash,
            chain_id=last.chain_id,
            domain_account_hashs=[
                DomainAccountHash(
                    domain_id=entry.domain_id,
                    account_tree_hash=roots.get(
                        entry.domain_id, entry.account_tree_hash
                    ),
                )
                for entry in last.domain_account_hashs
            ],
        )
        _complete(header, consensus, changes)
        return header


def first_block(
    kept: storage.Storage, rules: Rules, genesis: Genesis
) -> tuple[LedgerHeader, storage.Changes]:
    """Make the first block; give its header and what is to be written."""
    changes: dict[bytes, bytes | None] = {}
    trees = []
    for domain in rules.domains:
        state = StoredState(kept, domain)
        layer = Layer(state)
        for account in genesis.accounts():
            layer.put(account)
        root, changed = seal(state, layer)
        changes |= changed
        trees.append(DomainAccountHash(domain_id=domain, account_tree_hash=root))
    validators = blocks.validator_set(genesis.validators).SerializeToString()
    changes[storage.VALIDATORS] = validators
    consensus = blocks.first_consensus_value(rules.ledger_version).SerializeToString()
    header = LedgerHeader(
        seq=FIRST_SEQ,
        consensus_value_hash=sha256(consensus).digest(),
        version=rules.ledger_version,
        validators_hash=sha256(validators).digest(),
        reserve=genesis.slogan,
        fees_hash=blocks.fees_hash(rules.gas_price, rules.base_reserve),
        chain_id=rules.chain_id,
        domain_account_hashs=trees,
    )
    _complete(header, consensus, changes)
    return header, changes


def _complete(
    header: LedgerHeader, consensus: bytes, changes: dict[bytes, bytes | None]
) -> None:
    """Give a header its hash, and note it as the last block."""
    header.hash = blocks.header_hash(header)
    changes[storage.header(header.seq)] = header.SerializeToString()
    changes[storage.consensus_value(header.seq)] = consensus
    changes[storage.LAST_BLOCK] = header.seq.to_bytes(8)
