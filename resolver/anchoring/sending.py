"""What a chain is asked and sent: the public HTTP API, like any client.

A checkpoint is a metadata of the account that sends it (emulator convention):

    key    idis-log/ORIGIN        value  the signed checkpoint, a C2SP note
    version 0: whatever the present one is
"""

from typing import Final

from chain_anchor.anchor_proof import METADATA_KEY
from chain_anchor.bif.chain_pb2 import Transaction
from chain_anchor.bif.client import AsyncChainClient, ChainSettings, operation
from chain_anchor.bif.client.errors import (
    AnsweredError,
    MissingError,
    TimedOutError,
)
from chain_anchor.bif.client.results import TransactionRecord
from chain_anchor.bif.errors import ErrorCode
from chain_anchor.bif.keys import PrivateKey
from chain_anchor.checkpoint import parse_checkpoint
from chain_anchor.errors import AnchorError
from chain_anchor.note import Note
from resolver.anchoring.records import Confirmed, Queued

CONFIRM_SECONDS: Final = 5.0
"""How long a transaction may take to be in a block before it is sent again; public
networks close a block within 3 s."""

_LATER: Final = frozenset(
    {ErrorCode.INTERNAL, ErrorCode.OUT_OF_TX_CACHE, ErrorCode.TX_INSERT_QUEUE_FAIL}
)
"""Refusals of a node that has no room now; the same octets may be taken later."""


class RefusedForeverError(AnchorError):
    """A transaction will never be taken: another one must be signed."""


_SETTINGS = ChainSettings(confirm_seconds=CONFIRM_SECONDS)


class Sender:
    """Sends checkpoints of one log from one account."""

    def __init__(
        self,
        url: str,
        key: PrivateKey,
        origin: str,
        settings: ChainSettings = _SETTINGS,
    ) -> None:
        """Take a node's URL, the account's key and the log's origin.

        Raises:
            ValueError: The URL is none of http or https.
        """
        self.url = url
        self.account = key.address()
        self.origin = origin
        self._key = key
        self._client = AsyncChainClient(url, settings)

    async def close(self) -> None:
        """End the connections."""
        await self._client.close()

    async def genesis(self) -> str:
        """Give the hash of the chain's first block, in hexadecimal.

        Raises:
            ChainError: The chain cannot be asked.
        """
        return (await self._client.block(1)).header.hash.hex()

    async def has(self, queued: Queued) -> bool:
        """Tell whether a transaction is in a block, and did not fail there.

        Raises:
            ChainError: The chain cannot be asked.
        """
        record = await self._client.transaction(queued.transaction.hash)
        return record is not None and not record.code

    async def anchored_size(self) -> int:
        """Give the size of the checkpoint that the chain has; 0 if it has none.

        Raises:
            ChainError: The chain cannot be asked, or has no such account.
        """
        key = METADATA_KEY + self.origin
        try:
            found = (await self._client.metadata(self.account, key)).get(key)
        except MissingError as error:
            text = f"{self.url} has no account {self.account}; pay it something first"
            raise MissingError(error.code, text) from None
        if found is None:
            return 0
        try:
            return parse_checkpoint(Note.parse(found.value.encode()).text).size
        except AnchorError:
            return 0  # the account's owner wrote something else there

    async def sign(self, note: bytes, size: int) -> Queued:
        """Sign a transaction with a checkpoint, of the nonce that comes next.

        Raises:
            ChainError: The chain cannot be asked.
        """
        key = METADATA_KEY + self.origin
        change = operation.set_metadata(key, note.decode())
        signed = await self._client.prepare(self._key, change)
        return Queued(note, size, Transaction.FromString(signed.blob).nonce, signed)

    async def send(self, queued: Queued) -> Confirmed:
        """Send a transaction, perhaps not for the first time; wait for its block.

        Raises:
            RefusedForeverError: It is not on the chain, and will not be.
            ChainError: The chain cannot be asked, or has no room; send it again.
        """
        digest = queued.transaction.hash
        [answer] = await self._client.submit([queued.transaction])
        if answer.code:
            # Of one that is in a block already the nonce is too small, too.
            record = await self._client.transaction(digest)
            if record is None:
                raise _refusal(answer.code, answer.text)
        else:
            record = await self._waited(queued)
        if record.code:
            text = f"block {record.ledger_seq} has it, but it failed: {record.text}"
            raise RefusedForeverError(f"{text} (error {record.code})")
        return Confirmed(queued, record.ledger_seq)

    async def _waited(self, queued: Queued) -> TransactionRecord:
        try:
            return await self._client.wait(queued.transaction.hash)
        except TimedOutError:
            nonce = await self._client.nonce(self.account)
            if queued.nonce <= nonce + 1:
                raise
            # A chain that went back to an earlier block: those before are gone.
            text = f"nonce {nonce + 1} comes next, the transaction has {queued.nonce}"
            raise RefusedForeverError(text) from None


def _refusal(code: int, text: str) -> AnchorError:
    if code in _LATER:
        return AnsweredError(code, text)
    return RefusedForeverError(f"{text or 'no text'} (error {code})")
