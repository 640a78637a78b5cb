"""Transactions that are to be done: POST /submitTransaction (bif notes §1.4).

    {"items": [{"transaction_blob", "signatures": [{"sign_data", "public_key"}]}]}
    {"items": [{"transaction_json", "private_keys": [...]}]}      the node signs

Each item is read, refused or done for itself. What cannot be read as a whole is
answered as one item would be, with success_count 0.
"""

from typing import Final

from chain_anchor.bif import answers, transactions
from chain_anchor.bif.api.asking import Asked, listed
from chain_anchor.bif.errors import RefusedError
from chain_anchor.bif.json_form import Json, JsonObject
from chain_anchor.bif.transactions import SignedTransaction

MAX_ITEMS: Final = 10_000
_AT_ONCE: Final = 4
"""Items that are read on the spot; reading more, or SM2, takes milliseconds."""

_SM2: Final = "b07a"

Read = SignedTransaction | RefusedError


async def submit_transaction(asked: Asked) -> JsonObject:
    """Submit transactions."""
    try:
        items = listed(asked.document.get("items"), "items", MAX_ITEMS)
    except RefusedError as refusal:
        return {"results": [answers.refusal(refusal)], "success_count": 0}
    if len(items) > _AT_ONCE or any(map(_takes_long, items)):
        read = await asked.chain.run(lambda _: list(map(_read, items)))
    else:
        read = list(map(_read, items))
    return answers.submitted(await _submit(asked, read))


async def _submit(
    asked: Asked, read: list[Read]
) -> list[tuple[bytes, RefusedError | None]]:
    """Submit what could be read; give hash and refusal of every item."""
    good = [item for item in read if isinstance(item, SignedTransaction)]
    refusals = iter(await asked.chain.submit(good) if good else ())
    return [
        (b"", item) if isinstance(item, RefusedError) else (item.hash, next(refusals))
        for item in read
    ]


def _read(item: Json) -> Read:
    try:
        return transactions.read_item(item)
    except RefusedError as refusal:
        return refusal.alone()


def _takes_long(item: Json) -> bool:
    """Tell whether an item has a signature to check, or to make, that takes long."""
    if not isinstance(item, dict):
        return False
    signatures = item.get("signatures")
    if "private_keys" in item or not isinstance(signatures, list):
        return "private_keys" in item
    return len(signatures) > _AT_ONCE or any(
        isinstance(one, dict) and str(one.get("public_key")).startswith(_SM2)
        for one in signatures
    )
