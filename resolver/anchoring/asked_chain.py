"""A chain as its node shows it over HTTP: what becomes hops of a proof.

Blocks and transactions are asked for as any client does. Only the emulator gives what
else is needed: the certificate of a block, and which header went to the main chain.
"""

from typing import NamedTuple

from chain_anchor.anchor_making import Shown, make_hop
from chain_anchor.anchors import Hop
from chain_anchor.bif.anchored_headers import Anchored
from chain_anchor.bif.client import AsyncChainClient
from chain_anchor.bif.client.results import TransactionRecord
from chain_anchor.bif.client.signing import SignedBlob
from chain_anchor.bif.transactions import Signature, read
from chain_anchor.errors import ProofError

MAX_LATER = 64
"""Blocks from that of a transaction to the one whose certificate is shown."""


class _Identity(NamedTuple):
    """What a chain is pinned by."""

    genesis: bytes
    validators: tuple[str, ...]


class AskedChain:
    """One chain; for one event loop."""

    def __init__(self, url: str) -> None:
        """Take the URL of its node.

        Raises:
            ValueError: It is none.
        """
        self._client = AsyncChainClient(url)
        self._identity: _Identity | None = None

    async def close(self) -> None:
        """End the connections."""
        await self._client.close()

    async def anchored(self, seq: int) -> Anchored | None:
        """Give the first header from a block on that was sent to the main chain.

        Raises:
            ChainError: The node cannot be asked.
        """
        return await self._client.anchored(seq)

    async def transaction(self, digest: bytes) -> TransactionRecord | None:
        """Give a transaction that is in a block.

        Raises:
            ChainError: The node cannot be asked.
        """
        return await self._client.transaction(digest.hex())

    async def hop(self, transaction: SignedBlob, first: int, last: int) -> Hop | None:
        """Make the hop of a transaction; None if the node gives no certificates.

        Args:
            transaction: As it was signed.
            first: Number of its block.
            last: Number of the block whose certificate is taken, of at most
                `MAX_LATER` that follow.

        Raises:
            ChainError: The node cannot be asked.
            RefusedError: The octets are no transaction.
            ProofError: Blocks and transaction do not fit together.
        """
        if not first <= last <= first + MAX_LATER:
            raise ProofError(
                f"block {first}: block {last} is not one of {MAX_LATER} after it"
            )
        client = self._client
        proof = end = await client.block_proof(first)
        headers = [proof.header]
        for seq in range(first + 1, last + 1):
            end = await client.block_proof(seq)
            headers.append(end.header)
        if not end.certificate:
            return None
        identity = await self._identify()
        records = await client.block_transactions(first)
        shown = Shown(
            identity.genesis,
            identity.validators,
            read(transaction.blob, transaction.signatures),
            tuple(_digest(one.hash) for one in records if not one.trigger),
            proof.consensus,
            tuple(headers),
            end.certificate,
        )
        return make_hop(shown)

    async def _identify(self) -> _Identity:
        if self._identity is None:
            first = await self._client.block(1)
            self._identity = _Identity(first.header.hash, first.validators)
        return self._identity


def signed_blob(record: TransactionRecord) -> SignedBlob:
    """Give a transaction as it was signed, of what a node shows in JSON.

    Raises:
        ProofError: The octets cannot be told from that.
    """
    signatures = tuple(
        Signature(each.public_key, each.sign_data) for each in record.signatures
    )
    made = SignedBlob(record.content.SerializeToString(), signatures)
    if made.hash != record.hash:
        raise ProofError(
            f"transaction {record.hash}: what the node shows has the hash {made.hash}"
        )
    return made


def _digest(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ProofError(f"a transaction has the hash {text!r:.99}") from None
