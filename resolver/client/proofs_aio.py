"""Proofs over asyncio streams, twin of `resolver.client.proofs`."""

import asyncio

from chain_anchor.verified import Verified
from resolver.client.download import (
    READ_OCTETS,
    Download,
    HttpAnswer,
    timed_out,
    tls_of,
    unreachable,
)
from resolver.client.known_logs import KnownLogs
from resolver.client.proofs import TIMEOUT_SECONDS, proof_steps, verified_proof
from resolver.client.request import checked


async def fetch_proof(
    log_url: str,
    identifier: str,
    *,
    history: bool = False,
    anchors: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> bytes:
    """Fetch the bundle of an identifier; see `resolver.client.proofs.fetch_proof`."""
    deadline = asyncio.get_running_loop().time() + timeout_seconds
    steps = proof_steps(log_url, identifier, history=history, anchors=anchors)
    try:
        download = next(steps)
        while True:
            download = steps.send(await _perform(download, deadline))
    except StopIteration as end:
        octets: bytes = end.value
        return octets


async def prove(
    logs: KnownLogs,
    identifier: str,
    *,
    history: bool = False,
    anchors: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Verified:
    """Fetch and verify a proof; see `resolver.client.proofs.prove`."""
    url = logs.nearest(checked(identifier)).url
    octets = await fetch_proof(
        url,
        identifier,
        history=history,
        anchors=anchors,
        timeout_seconds=timeout_seconds,
    )
    return verified_proof(octets, identifier, logs)


async def _perform(download: Download, deadline: float) -> HttpAnswer:
    try:
        async with asyncio.timeout_at(deadline):
            return await _ask(download)
    except TimeoutError:
        raise timed_out(download) from None
    except OSError as error:
        raise unreachable(download, error) from None


async def _ask(download: Download) -> HttpAnswer:
    host, port = download.address.host, download.address.port
    reader, writer = await asyncio.open_connection(host, port, ssl=tls_of(download))
    try:
        writer.write(download.request)
        answer = None
        while answer is None:
            answer = download.receive(await reader.read(READ_OCTETS))
        return answer
    finally:
        writer.close()
