"""Chains that are believed: where they come from, and where they are kept.

    1. the arguments: --chain FILE
    2. a network's ready file: --ready-file F, else that of the running network
    3. what an earlier run believed for one of these reasons, and kept

The first that names a chain, by the hash of its first block, decides about it. None is
ever taken from a proof itself.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from chain_anchor.anchors import PinnedChain
from resolver.client.known_chains import chains_of, document_of
from resolver.commands.console import say
from resolver.data_directory import write_atomically
from resolver.errors import SetupError
from resolver.ready_file import well_known_file

MAX_KEPT: Final = 100
"""Chains that are kept; those not used for longest go first."""


def trusted_chains(
    files: Sequence[Path], ready: Mapping[str, Any] | None
) -> tuple[PinnedChain, ...]:
    """Give the chains that are believed.

    Args:
        files: Those of the arguments.
        ready: The network's ready file.

    Raises:
        SetupError: A file is not usable.
    """
    named = [chain for file in files for chain in _read(file)]
    network = chains_of(ready) if ready is not None else []
    found: dict[bytes, PinnedChain] = {}
    for chain in (*named, *network, *kept_chains()):
        found.setdefault(chain.genesis, chain)
    return tuple(found.values())


def kept_file() -> Path:
    """Give the file in which chains are kept."""
    return well_known_file().with_name("chains.json")


def kept_chains() -> list[PinnedChain]:
    """Read the chains that earlier runs believed.

    Raises:
        SetupError: The file is damaged.
    """
    file = kept_file()
    if not file.exists():
        return []
    try:
        return _read(file)
    except SetupError as error:
        hint = "remove it, and name the chains again: --chain FILE"
        raise SetupError(str(error), hint) from None


def keep_chains(chains: Iterable[PinnedChain]) -> None:
    """Remember chains that were believed, in place of those of the same first block."""
    new = {chain.genesis: chain for chain in chains}
    if not new:
        return
    kept = kept_chains()
    left = [chain for chain in kept if chain.genesis not in new]
    chosen = [*left, *new.values()][-MAX_KEPT:]
    if chosen == kept:
        return
    file = kept_file()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps(document_of(chosen), ensure_ascii=False, indent=1)
        write_atomically(file, text + "\n")
    except OSError as error:
        say(f"the chains are not kept for later: {file}: {error.strerror or error}")


def _read(file: Path) -> list[PinnedChain]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise _no_chains(file, str(error)) from None
    try:
        chains = chains_of(found)
    except (SetupError, AttributeError) as error:
        raise _no_chains(file, str(error)) from None
    if not chains:
        raise _no_chains(file, "it has no `chains`")
    return chains


def _no_chains(file: Path, why: str) -> SetupError:
    hint = "a ready file is expected, or the `chains` of one"
    return SetupError(f"{file} names no chains: {why}", hint)
