"""Waits until a proof leads onto a chain, as `idis proof` does.

A checkpoint is on the chain a second or two after what it covers, and its block on the
main one half a second later. What has not come after `WAIT_SECONDS` is not waited for:
the chain may be away, and the proof holds without it.
"""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from chain_anchor.anchors import AnchoredTold
from chain_anchor.verified import Verified
from resolver.client.anchored import fetch_anchored
from resolver.client.known_logs import KnownLogs
from resolver.commands.console import ERROR

WAIT_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.25
_CHAINS: Final = 2
"""The one that has the checkpoint, and the main one."""


class Proof(NamedTuple):
    """A bundle that holds."""

    octets: bytes
    verified: Verified
    told: AnchoredTold | None = None
    """What the node says of the chain; None if the log is anchored nowhere."""


def anchored_proof(
    ask: Callable[[], Proof],
    logs: KnownLogs,
    url: str,
    wait_seconds: float = WAIT_SECONDS,
) -> Proof:
    """Ask for a proof until it leads onto the chains, or the time is up.

    Args:
        ask: Fetches a bundle with anchors, and verifies it.
        logs: What is believed.
        url: Of the log that was asked first.
        wait_seconds: Most that is waited.

    Raises:
        AnchorError, ResolverError: `ask` raised it, or the log cannot be asked.
    """
    end = time.monotonic() + wait_seconds
    with ERROR.status("waiting for the chain", spinner="dots"):
        while True:
            proof = ask()
            told = fetch_anchored(_log_of(proof.verified, logs, url))
            proof = proof._replace(told=told)
            if is_enough(proof, len(logs.chains)) or time.monotonic() >= end:
                return proof
            time.sleep(_LOOK_SECONDS)


def is_enough(proof: Proof, pinned: int) -> bool:
    """Tell whether waiting would not bring more than a proof has.

    Args:
        proof: The bundle, and what its node said after it.
        pinned: Chains that are believed.
    """
    verified, told = proof.verified, proof.told
    anchors = verified.anchors
    if told is None:
        return True
    if anchors is None:
        # A chain that gives no certificates: there will be nothing in the proof.
        return told.size > 0 and not told.hops and verified.last_needed < told.size
    if not anchors.chains:
        return True  # a chain of which nothing is pinned
    whole = len(anchors.chains) >= min(_CHAINS, pinned)
    return verified.is_anchored and (whole or anchors.unpinned_chain is not None)


def anchoring_line(proof: Proof) -> str:
    """Say what a proof does not show of the chain; empty if it shows all."""
    verified, told = proof.verified, proof.told
    anchors = verified.anchors
    if told is None or (anchors is not None and not anchors.chains):
        return ""
    if told.size and not told.hops:
        return (
            f"{told.size} entries are anchored by transaction {told.transaction} in "
            f"block {told.ledger_seq} of {told.url}, which gives no certificates: "
            "look there, the proof cannot show it"
        )
    if anchors is None:
        return "nothing of this log is on a chain yet: ask again in a while"
    if not verified.is_anchored:
        return (
            f"the chain has the log's first {anchors.size} entries, not this yet: "
            "ask again in a while"
        )
    return ""


def _log_of(verified: Verified, logs: KnownLogs, url: str) -> str:
    """Give where the log is that made a proof, as far as that is known."""
    own = (log.url for log in logs.logs if log.key.name == verified.origin)
    return next((found for found in own if found), url)
