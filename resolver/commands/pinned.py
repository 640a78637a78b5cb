"""Keys of logs that are believed: where they come from, and where they are kept.

    1. the arguments: --key VKEY
    2. a network's ready file: --ready-file F, else that of the running network
    3. what an earlier run believed for one of these reasons, and kept

The first that has a key for an origin decides about it. No key is ever taken from a
proof itself or from the node that is asked: that would believe whoever speaks first.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chain_anchor.errors import EntryError, NoteError
from chain_anchor.note import COSIGNATURE, ED25519, VerifierKey
from chain_anchor.rotation import RotationProof, follow_rotations
from chain_anchor.spelling import decode_base64
from chain_anchor.verified import Verified
from resolver.client.known_logs import KnownLog, KnownLogs
from resolver.commands.console import say
from resolver.commands.pinned_chains import keep_chains, trusted_chains
from resolver.commands.running import running_network
from resolver.data_directory import write_atomically
from resolver.errors import SetupError
from resolver.ready_file import well_known_file

MAX_KEPT = 1000
"""Keys that are kept; those not used for longest go first."""

NO_KEY_HINT = (
    "say whom you believe: --key VKEY (the ready file of the network has it, and "
    "everybody who runs a monitor), or --ready-file F"
)


@dataclass(frozen=True, slots=True)
class Pins:
    """What the arguments say about whom to believe."""

    keys: Sequence[str] = ()
    """Verifier keys of logs."""

    ready_file: Path | None = None
    witnesses: Sequence[str] = ()
    """Verifier keys of witnesses."""

    quorum: int = 0
    rotations: Sequence[Path] = ()
    """What logs say of their rotated keys: answers of `/log/rotations`."""

    chains: Sequence[Path] = ()
    """Files that name chains."""


def log_keys(pins: Pins) -> list[VerifierKey]:
    """Read the keys of the arguments, and those that they led to since.

    Raises:
        SetupError: One is not the key of a log, or rotations are not usable.
        AnchorError: A rotation does not hold.
    """
    named = [_key(text, ED25519, "--key", "a log") for text in pins.keys]
    followed = [
        follow_rotations(key, _rotations(file))
        for file in pins.rotations
        for key in named
    ]
    return list(dict.fromkeys((*named, *followed)))


def witness_keys(pins: Pins) -> list[VerifierKey]:
    """Read the keys of witnesses.

    Raises:
        SetupError: One is not the key of a witness, or the quorum is no such number.
    """
    keys = [
        _key(text, COSIGNATURE, "--witness", "a witness") for text in pins.witnesses
    ]
    if len({key.public for key in keys}) < len(keys):
        raise SetupError("--witness: one key stands there twice")
    if not 0 <= pins.quorum <= len(keys):
        message = f"--quorum {pins.quorum}: 0 to {len(keys)} known witnesses expected"
        raise SetupError(message, "name each of them: --witness VKEY")
    return keys


def keep_used(logs: KnownLogs, verified: Verified) -> None:
    """Remember the keys and chains by which something was verified."""
    origins, anchors = {*verified.origins}, verified.anchors
    if anchors is not None:
        origins.add(anchors.origin)
        used = {found.genesis for found in anchors.chains}
        keep_chains(chain for chain in logs.chains if chain.genesis in used)
    keep(log.key for log in logs.logs if log.key.name in origins)


def trusted(pins: Pins) -> KnownLogs:
    """Give the logs and chains that are believed; a network's with their addresses.

    Raises:
        SetupError: There is none, or an argument is not usable.
    """
    named, ready = log_keys(pins), _ready(pins)
    logs = list(_network_logs(ready, named))
    logs += _without_address(logs, named)
    logs += _without_address(logs, kept_keys())
    if not logs:
        raise SetupError("no key of any log is known here", NO_KEY_HINT)
    chains = trusted_chains(pins.chains, ready)
    return KnownLogs(logs, witness_keys(pins), pins.quorum, chains)


def kept_file() -> Path:
    """Give the file in which keys are kept, one a line."""
    return well_known_file().with_name("log-keys")


def kept_keys() -> list[VerifierKey]:
    """Read the keys that earlier runs believed, one of each origin.

    Raises:
        SetupError: The file is damaged.
    """
    file = kept_file()
    try:
        lines = file.read_text().splitlines()
    except (OSError, ValueError):
        return []
    try:
        return [VerifierKey.parse(line) for line in lines]
    except NoteError as error:
        message = f"{file} is damaged: {error}"
        raise SetupError(message, "remove it, and name the keys again") from None


def keep(keys: Iterable[VerifierKey]) -> None:
    """Remember keys that were believed, in place of others of their origins."""
    new = {key.name: key for key in keys}
    kept = kept_keys()
    left = [key for key in kept if key.name not in new]
    lines = [key.encode() for key in (*left, *new.values())][-MAX_KEPT:]
    if lines == [key.encode() for key in kept]:
        return
    file = kept_file()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(file, "\n".join(lines) + "\n")
    except OSError as error:
        say(f"the keys are not kept for later: {file}: {error.strerror or error}")


def _network_logs(
    ready: Mapping[str, Any] | None, named: Sequence[VerifierKey]
) -> Iterator[KnownLog]:
    """Give the logs of the network, with the keys of the arguments where they differ."""
    for log in KnownLogs.of_ready(ready).logs if ready is not None else ():
        own = [key for key in named if key.name == log.key.name]
        for key in own or [log.key]:
            yield log._replace(key=key)


def _without_address(
    logs: Sequence[KnownLog], keys: Sequence[VerifierKey]
) -> list[KnownLog]:
    """Give the keys of origins that are not among the logs, as logs of their own."""
    known = {log.key.name for log in logs}
    return [KnownLog("", key) for key in keys if key.name not in known]


def _rotations(file: Path) -> list[RotationProof]:
    """Read the answer of `/log/rotations`."""
    try:
        found = json.loads(file.read_text())["rotations"]
        return [
            RotationProof(
                decode_base64(each["entry_base64"], EntryError, "entry"),
                each["proof"].encode(),
            )
            for each in found
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"--rotations {file}: {error}"
        raise SetupError(message, "the log's /log/rotations gives them") from None


def _ready(pins: Pins) -> Mapping[str, Any] | None:
    file = pins.ready_file
    if file is None:
        return running_network()
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError) as error:
        message = f"{file} is no ready file of a network: {error}"
        raise SetupError(message, "idis up --ready-file FILE writes one") from None
    ready: Mapping[str, Any] = found
    return ready


def _key(text: str, algorithm: int, option: str, whose: str) -> VerifierKey:
    try:
        key = VerifierKey.parse(text)
    except NoteError as error:
        raise SetupError(f"{option}: {error}", "NAME+HASH+BASE64 is expected") from None
    if key.algorithm != algorithm:
        message = f"{option} {key.name}: the key of {whose} expected"
        raise SetupError(message, f"its algorithm is {algorithm}")
    return key
