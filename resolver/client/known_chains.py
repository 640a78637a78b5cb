"""Chains that are believed: the first block of each, and its validators.

A network's ready file has them as its member `chains`, and so may any other JSON file:
the members `name`, `genesis` and `validators` of each count. None is ever taken from a
proof.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from chain_anchor.anchors import PinnedChain
from chain_anchor.octets import HASH_OCTETS
from resolver.errors import SetupError


def chains_of(document: Mapping[str, Any]) -> list[PinnedChain]:
    """Give the chains that a document names; none if it has no `chains`.

    Raises:
        SetupError: It does not describe them.
    """
    try:
        return [_chain(entry) for entry in document.get("chains", ())]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"`chains` does not describe chains: {error!r}"
        hint = "name, genesis (64 hexadecimal digits) and validators of each expected"
        raise SetupError(message, hint) from None


def document_of(chains: Iterable[PinnedChain]) -> dict[str, Any]:
    """Write chains as a document that `chains_of` reads."""
    return {
        "chains": [
            {
                "name": chain.name,
                "genesis": chain.genesis.hex(),
                "validators": list(chain.validators),
            }
            for chain in chains
        ]
    }


def _chain(entry: Mapping[str, Any]) -> PinnedChain:
    genesis = bytes.fromhex(entry["genesis"])
    validators = entry["validators"]
    if len(genesis) != HASH_OCTETS:
        raise ValueError(entry["genesis"])
    if not isinstance(validators, list) or not validators:
        raise TypeError(validators)
    return PinnedChain(str(entry["name"]), genesis, tuple(map(str, validators)))
