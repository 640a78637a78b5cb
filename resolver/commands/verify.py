"""`idis verify`: check a proof with no network, or a whole data directory.

FILE          a bundle of `idis proof`, or a C2SP `.tlog-proof`; `-` is stdin
--data DIR    everything that a network has stored: `resolver.commands.audit`
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.markup import escape

from chain_anchor.bundle import MAX_BUNDLE_OCTETS
from chain_anchor.checkpoint import parse_checkpoint
from chain_anchor.cosignature import Policy
from chain_anchor.entries import decode_entry
from chain_anchor.errors import AnchorError
from chain_anchor.merkle import leaf_hash
from chain_anchor.note import Note
from chain_anchor.proof import verify_bundle
from chain_anchor.readable import entry_json
from chain_anchor.tlog_proof import Logged, decode_tlog_proof, verify_tlog_proof
from resolver.client.known_logs import KnownLogs
from resolver.commands.console import fail, print_json, show, table
from resolver.commands.pinned import Pins, keep_used, trusted
from resolver.commands.proven import hint_for, proven_dict, show_proven
from resolver.errors import SetupError

_TLOG_PROOF = b"c2sp.org/tlog-proof@"


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """Arguments of `idis verify`."""

    file: Path | None = None
    data: Path | None = None
    entry: Path | None = None
    """What a `.tlog-proof` is about, where it does not have it itself."""

    pins: Pins = field(default_factory=Pins)
    json: bool = False


def run(options: VerifyOptions) -> int:
    """Verify; 0 when everything holds, else 1.

    Raises:
        SetupError: The arguments do not say what, or whom to believe.
    """
    if (options.file is None) == (options.data is None):
        message = "either the FILE of a proof or --data DIR expected"
        raise SetupError(message, "idis proof ID > FILE makes one")
    if options.data is not None:
        from resolver.commands import audit

        return audit.run(options.data, options.pins, as_json=options.json)
    assert options.file is not None
    octets = _read(options.file)
    logs = trusted(options.pins)
    try:
        if octets.startswith(_TLOG_PROOF):
            _verify_tlog_proof(octets, logs, options)
        else:
            _verify_bundle(octets, logs, options)
    except AnchorError as error:
        if options.json:
            print_json({"proven": False, "error": str(error)})
        fail(f"{options.file} proves nothing: {error}", hint_for(error))
        return 1
    return 0


def _verify_bundle(octets: bytes, logs: KnownLogs, options: VerifyOptions) -> None:
    verified = verify_bundle(
        octets,
        logs.keys,
        witnesses=logs.witnesses,
        quorum=logs.quorum,
        chains=logs.chains,
    )
    keep_used(logs, verified)
    if options.json:
        print_json({"proven": True, **proven_dict(verified, len(octets))})
    else:
        show_proven(verified, len(octets))


def _verify_tlog_proof(octets: bytes, logs: KnownLogs, options: VerifyOptions) -> None:
    proof = decode_tlog_proof(octets)
    entry = proof.extra if options.entry is None else _read(options.entry)
    if not entry:
        message = f"{options.file} does not have the entry that it is about"
        raise SetupError(message, "name a file that has its octets: --entry FILE")
    origin = parse_checkpoint(Note.parse(proof.checkpoint).text).origin
    logged = verify_tlog_proof(
        octets,
        leaf_hash(entry),
        origin,
        logs.keys.get(origin, ()),
        Policy(logs.witnesses, logs.quorum),
    )
    if options.json:
        print_json({"proven": True, **_logged_dict(logged, entry)})
    else:
        _show_logged(logged, entry)


def _logged_dict(logged: Logged, entry: bytes) -> dict[str, Any]:
    origin, size, root = logged.checkpoint
    told: dict[str, Any] = {
        "origin": origin,
        "size": size,
        "root": root.hex(),
        "index": logged.index,
        "leaf_hash": leaf_hash(entry).hex(),
        "witnesses": [str(one.key) for one in logged.cosignatures],
    }
    try:
        told["entry"] = entry_json(decode_entry(entry))
    except AnchorError:
        told["entry_hex"] = entry.hex()  # another log's; it is in there all the same
    return told


def _show_logged(logged: Logged, entry: bytes) -> None:
    told = _logged_dict(logged, entry)
    made = table("proven to be in the log", "what", "is")
    made.show_header = False
    for what, text in (*told.pop("entry", {}).items(), *told.items()):
        made.add_row(what, escape(str(text)))
    show(made)


def _read(file: Path) -> bytes:
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(MAX_BUNDLE_OCTETS + 1)
        with file.open("rb") as stream:
            return stream.read(MAX_BUNDLE_OCTETS + 1)
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror or error}"
        raise SetupError(message, "idis proof ID > FILE makes one") from error
