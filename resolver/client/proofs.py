"""Proofs of what is registered: fetched from a log, believed once they are verified.

    GET LOG/proof/record?identifier=ID      ─▶ a bundle (`chain_anchor.bundle`)
                        &history=true          with earlier changes
                        &anchors=true          with what leads onto a chain
    404 with `Link: <LOG>; rel="related"`   ─▶ the same question there: a referral

`proof_steps` decides what to ask next and does no I/O; the twins `fetch_proof` here, on
plain sockets, and in `resolver.client.proofs_aio`, on asyncio streams, carry it. Every
answer has a size limit and everything together a deadline. A node that is asked proves
by its own log or says who does; neither is believed: `verified_proof` is where a bundle
becomes something that is known.
"""

import json
import time
from collections.abc import Generator
from http import HTTPStatus
from urllib.parse import quote

from chain_anchor.errors import ProofError
from chain_anchor.proof import verify_bundle
from chain_anchor.statemap import KIND_RECORD
from chain_anchor.verified import Verified
from resolver.client.download import Download, HttpAnswer, perform
from resolver.client.known_logs import KnownLogs, same_identifier
from resolver.client.request import checked
from resolver.errors import (
    BadAnswerError,
    ResolverError,
    UnreachableError,
    answer_error,
)

BUNDLE_TYPE = "application/vnd.idis.proof"
TIMEOUT_SECONDS = 10.0
MAX_REFERRALS = 8

_SHOWN = 200


Steps = Generator[Download, HttpAnswer, bytes]


def proof_steps(
    log_url: str, identifier: str, *, history: bool, anchors: bool
) -> Steps:
    """Ask a log for a bundle, then those it refers to; gives the first that comes.

    Raises:
        AnswerError: A node refuses; its class and `.code` say why.
        UnreachableError: A node cannot answer now.
        BadAnswerError: Nothing that can be understood came.
        SetupError: A URL is not one.
    """
    checked(identifier)
    target = f"proof/record?identifier={quote(identifier, safe='')}"
    if history:
        target += "&history=true"
    if anchors:
        target += "&anchors=true"
    left = [log_url]
    asked: set[str] = set()
    while True:
        url = left.pop(0)
        asked.add(url)
        answer = yield Download(url, target, BUNDLE_TYPE)
        if answer.status == HTTPStatus.OK:
            return answer.body
        left += [link for link in answer.links if link not in (*asked, *left)]
        if not left or len(asked) > MAX_REFERRALS:
            raise _refusal(url, answer, identifier)


def fetch_proof(
    log_url: str,
    identifier: str,
    *,
    history: bool = False,
    anchors: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> bytes:
    """Fetch the bundle of an identifier; nothing of it is verified.

    Args:
        log_url: URL of the log, with or without a slash at its end.
        identifier: As a person writes it.
        history: Whether earlier changes of it come along.
        anchors: Whether what leads onto a chain comes along, as far as it is there.
        timeout_seconds: Limit of everything together.

    Raises:
        AnswerError, UnreachableError, BadAnswerError, SetupError: See `proof_steps`.
        TimedOutError: The time is up.
    """
    deadline = time.monotonic() + timeout_seconds
    steps = proof_steps(log_url, identifier, history=history, anchors=anchors)
    try:
        download = next(steps)
        while True:
            download = steps.send(perform(download, deadline))
    except StopIteration as end:
        octets: bytes = end.value
        return octets


def verified_proof(octets: bytes, identifier: str, logs: KnownLogs) -> Verified:
    """Verify a bundle as one about an identifier, by the log that speaks for it.

    Args:
        octets: The bundle.
        identifier: As a person writes it.
        logs: Whose keys are believed, how many witnesses must have cosigned, and which
            chains are believed.

    Raises:
        AnchorError: It does not prove anything about the identifier; its class and
            text say why not.
    """
    asked = checked(identifier)
    verified = verify_bundle(
        octets,
        logs.keys,
        witnesses=logs.witnesses,
        quorum=logs.quorum,
        chains=logs.chains,
    )
    if verified.kind != KIND_RECORD or not same_identifier(asked, verified.name):
        raise ProofError(
            f"the bundle is about {verified.name.decode(errors='replace')!r:.99}, "
            f"expected {identifier!r:.99}"
        )
    logs.check_responsible(asked, verified.origin)
    return verified


def prove(
    logs: KnownLogs,
    identifier: str,
    *,
    history: bool = False,
    anchors: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Verified:
    """Fetch and verify what the responsible log proves of an identifier.

    Raises:
        ResolverError: See `fetch_proof`; `SetupError` when no log is known for it.
        AnchorError: See `verified_proof`.
    """
    url = logs.nearest(checked(identifier)).url
    octets = fetch_proof(
        url,
        identifier,
        history=history,
        anchors=anchors,
        timeout_seconds=timeout_seconds,
    )
    return verified_proof(octets, identifier, logs)


def _refusal(url: str, answer: HttpAnswer, identifier: str) -> ResolverError:
    """Make an error of a refusal; those of nodes carry a response code."""
    try:
        document = json.loads(answer.body)
        code, text = int(document["responseCode"]), str(document["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        shown = answer.body[:_SHOWN].decode(errors="replace").strip()
        text = f"{url}: HTTP {answer.status}{': ' if shown else ''}{shown}"
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return UnreachableError(text)
        return BadAnswerError(text)
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return UnreachableError(f"{url}: {text}")
    return answer_error(code, text, identifier)
