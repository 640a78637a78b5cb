"""Receipts: what proves a change to whoever made it, with the acknowledgement.

    index       the entry of the change in the log
    origin      the log
    checkpoint  the signed checkpoint, a note
    proof       base64 of a bundle (`chain_anchor.proof`)
    tlogProof   the entry's inclusion (C2SP tlog-proof); its extra data is the entry

A receipt is made between the moment its group is durable and the next group: the
checkpoint is that of the very group. Where the group changed the name once more, the
bundle's state is the later one, and its history goes back to the change.

All of it is emulator convention.
"""

import asyncio
import base64
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from chain_anchor.bundle import Bundle, encode_bundle
from chain_anchor.changes import Change as Logged
from chain_anchor.entries import decode_entry
from chain_anchor.errors import AnchorError, CorruptLogError, ProofError
from chain_anchor.log import META_TABLE
from chain_anchor.statemap import map_key
from registry.errors import RegistryError
from resolver.faces.exchange import HttpError
from resolver.faces.log_proofs import Proofs, change_of

if TYPE_CHECKING:
    from registry.change import Change, Receipt
    from registry.service import Registry
    from resolver.sealing import Sealing

JsonObject = dict[str, Any]
Prover = Callable[["Receipt"], JsonObject]
"""Makes the receipt of a change, as it is acknowledged."""


def record_receipt(sealing: "Sealing", made: "Receipt") -> JsonObject:
    """Prove a change of a record; to be called as the registry acknowledges it.

    Raises:
        StoreError: The snapshot of the head is not there.
        CorruptLogError: Something stored is damaged.
        ProofError: Too late, another group has been published since.
    """
    proofs = Proofs(sealing)
    bundle = proofs.record(made.name)
    index = _index_of(proofs, made.serial, bundle)
    change = change_of(bundle)
    if bundle.state is not None and change is not None and bundle.state.index > index:
        bundle = replace(bundle, history=proofs.earlier(change, back_to=index))
    return _receipt(proofs, index, bundle)


def prefix_receipt(sealing: "Sealing", prefix: bytes) -> JsonObject:
    """Prove the last change of a prefix that is, or was, served here.

    Raises:
        StoreError: The snapshot of the head is not there.
        CorruptLogError: Something stored is damaged.
    """
    proofs = Proofs(sealing)
    bundle = proofs.prefix(prefix)
    if bundle.state is None:
        key = map_key(bundle.kind, bundle.name)
        raise CorruptLogError(META_TABLE, key, "a change that was made is not logged")
    return _receipt(proofs, bundle.state.index, bundle)


async def submit_proving(
    registry: "Registry", change: "Change", prove: Prover | None
) -> tuple["Receipt", JsonObject | None]:
    """Make a change, and its receipt before the next group is begun.

    Raises:
        RegistryError: The change was not made.
        HttpError: It was, but its receipt cannot be had.
    """
    future: asyncio.Future[tuple[Receipt, JsonObject | None]]
    future = asyncio.get_running_loop().create_future()

    def done(made: "Receipt | None", error: Exception | None) -> None:
        if future.done():
            return  # whoever waited has gone; the change stands all the same
        if made is None:
            future.set_exception(error or RegistryError())
            return
        try:
            future.set_result((made, prove(made) if prove else None))
        except (AnchorError, RegistryError) as problem:
            future.set_exception(unproved(made.name.decode(), problem))

    registry.enqueue_calling(change, done)
    return await future


def unproved(what: str, problem: Exception) -> HttpError:
    """Make the error of a change that stands, but whose receipt cannot be had."""
    message = f"{what} is changed durably, but cannot be proved: {problem}"
    return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, message)


def _index_of(proofs: Proofs, serial: int, bundle: Bundle) -> int:
    """Find the entry of a change of the head's group, which ends with its header.

    Changes are logged in the order of their serials, one entry each.
    """
    head = proofs.head
    last = head.size - 2
    index = last - (proofs.snapshot.serial - serial)
    if head.header.first_index <= index <= last:
        entry = decode_entry(proofs.view.entry(index))
        key = map_key(bundle.kind, bundle.name)
        if isinstance(entry, Logged) and entry.key == key:
            return index
    raise ProofError(f"change {serial} is not in the last group that was published")


def _receipt(proofs: Proofs, index: int, bundle: Bundle) -> JsonObject:
    return {
        "index": index,
        "origin": proofs.head.checkpoint.origin,
        "checkpoint": proofs.head.note.decode(),
        "proof": base64.b64encode(encode_bundle(bundle)).decode(),
        "tlogProof": proofs.tlog_proof(index).decode(),
    }
