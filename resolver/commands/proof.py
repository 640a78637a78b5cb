"""`idis proof`: fetch what proves an identifier, verify it, give it away.

The bundle goes to stdout where that leads to a file or a pipe, or to `--out FILE`. A
terminal gets a table of what is proven. That an identifier was deleted, or never was
there, is proven like a record. Where the log is anchored on a chain, the proof leads up
to the main chain's block, as soon as that has it.
"""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from chain_anchor.bundle import bundle_json, decode_bundle
from chain_anchor.errors import AnchorError
from registry.model.identifier import canonical
from registry.model.typed import InterfaceType, Protocol
from resolver.client import Client
from resolver.client.known_logs import KnownLogs
from resolver.client.proofs import fetch_proof, verified_proof
from resolver.commands.codes_shown import is_identifier
from resolver.commands.console import fail, print_json, say
from resolver.commands.pinned import Pins, keep_used, trusted
from resolver.commands.proof_anchors import Proof, anchored_proof, anchoring_line
from resolver.commands.proven import hint_for, proven_dict, proven_line, show_proven
from resolver.commands.running import required_network, server_address
from resolver.errors import SetupError, UnreachableError
from resolver.session.walk import server_of


@dataclass(frozen=True, slots=True)
class ProofOptions:
    """Arguments of `idis proof`."""

    identifier: str
    out: Path | None = None
    history: bool = False
    no_anchors: bool = False
    """Neither wait for a chain nor show it."""

    log: str | None = None
    """URL of the log to ask."""

    server: str | None = None
    """Node to ask where the identifier lives."""

    pins: Pins = field(default_factory=Pins)
    json: bool = False


def run(options: ProofOptions) -> int:
    """Give the proof of an identifier; 0 when there is one that holds, else 1.

    A product code is looked up first; proven is the identifier that it means.

    Raises:
        InvalidIdentifierError: The name is no identifier, nor a code that means one.
        ResolverError: No log could be asked, or none believed.
    """
    name = canonical(options.identifier.encode())
    logs = _logs(options)
    if not is_identifier(options.identifier):
        options = _looked_up(options)
        name = canonical(options.identifier.encode())
    url = _url(options, logs, name)

    def ask() -> Proof:
        octets = fetch_proof(
            url,
            options.identifier,
            history=options.history,
            anchors=not options.no_anchors,
        )
        return Proof(octets, verified_proof(octets, options.identifier, logs))

    try:
        proof = ask() if options.no_anchors else anchored_proof(ask, logs, url)
    except AnchorError as error:
        fail(f"{url}: {error}", hint_for(error))
        return 1
    keep_used(logs, proof.verified)
    _give(options, proof)
    return 0


def _looked_up(options: ProofOptions) -> ProofOptions:
    """Ask what a code means."""
    with Client(server_address(options.server)) as client:
        product = client.resolve_product(options.identifier)
    say(f"{options.identifier} is {product.identifier}")
    return replace(options, identifier=product.identifier)


def _logs(options: ProofOptions) -> KnownLogs:
    if not (options.log or options.server or options.pins.ready_file):
        required_network()
    return trusted(options.pins)


def _url(options: ProofOptions, logs: KnownLogs, name: bytes) -> str:
    if options.log is not None:
        return options.log
    if options.server is not None:
        return log_by_walk(options.identifier, server_address(options.server))
    return logs.nearest(name).url


def log_by_walk(identifier: str, server: str) -> str:
    """Find the log of the node at which an identifier lives, by way of a server.

    Raises:
        ResolverError: The tree does not lead to it.
    """
    with Client(server) as client:
        node = client.trace(identifier).hops[-1].server
    if node is None:
        raise UnreachableError(f"{server} does not say who knows {identifier}")
    with Client(str(node)) as client:
        site = client.site()
    found = server_of(site, identifier.encode()) or site.servers[0]
    port = found.port(Protocol.HTTP, InterfaceType.QUERY)
    if port is None:
        raise UnreachableError(f"{node} has no HTTP face, so no log can be asked there")
    host = f"[{found.address}]" if ":" in found.address else found.address
    return f"http://{host}:{port}/log"


def _give(options: ProofOptions, proof: Proof) -> None:
    octets, verified, told = proof
    if options.out is not None:
        _write(options.out, octets)
    if options.json:
        document = {
            "proven": proven_dict(verified, len(octets)),
            "anchored": told and told._asdict(),
            "bundle": bundle_json(decode_bundle(octets)),
        }
        print_json(document)
    elif options.out is not None:
        show_proven(verified, len(octets))
        say(f"{options.out} proves it without a network: idis verify {options.out}")
    elif sys.stdout.isatty():
        show_proven(verified, len(octets))
        say("hint: keep the proof itself with > FILE or --out FILE")
    else:
        say(f"{options.identifier} is {verified.standing}: {proven_line(verified)}")
        sys.stdout.buffer.write(octets)
        sys.stdout.buffer.flush()
    missing = anchoring_line(proof)
    if missing:
        say(missing)


def _write(file: Path, octets: bytes) -> None:
    try:
        file.write_bytes(octets)
    except OSError as error:
        message = f"{file} cannot be written: {error.strerror or error}"
        raise SetupError(message, "choose another --out") from error
