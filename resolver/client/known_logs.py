"""Logs whose keys are pinned, and the prefixes whose names each of them proves.

Beside them, chains on which they may be anchored (`resolver.client.known_chains`).

A verifier believes the keys that it has pinned and nothing else. Where they come from
is its own business: the ready file of a network is one place, a key that an operator
published another. Nothing here reads a file or asks a network.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from chain_anchor.anchors import PinnedChain
from chain_anchor.errors import NoteError, ProofError
from chain_anchor.note import VerifierKey
from registry.model.identifier import (
    PREFIX_AUTHORITY,
    home_of,
    is_prefix_handle,
    parent_prefix,
)
from resolver.client.known_chains import chains_of
from resolver.errors import SetupError


class KnownLog(NamedTuple):
    """A log, where it is, and what it answers for."""

    url: str
    """Under which `checkpoint`, tiles and proofs are."""

    key: VerifierKey
    """Pinned; the log's origin is its name."""

    prefixes: tuple[bytes, ...] = ()
    """Prefixes that live at the log's node, in upper case."""


class KnownLogs:
    """Logs and chains that are believed.

    A checkpoint of a log needs `quorum` of the witnesses under it.
    """

    def __init__(
        self,
        logs: Iterable[KnownLog],
        witnesses: Sequence[VerifierKey] = (),
        quorum: int = 0,
        chains: Sequence[PinnedChain] = (),
    ) -> None:
        self.logs = tuple(logs)
        self.witnesses = tuple(witnesses)
        self.quorum = quorum
        self.chains = tuple(chains)
        self._by_prefix = {prefix: log for log in self.logs for prefix in log.prefixes}

    @classmethod
    def of_ready(
        cls,
        ready: Mapping[str, Any],
        witnesses: Sequence[VerifierKey] = (),
        quorum: int = 0,
    ) -> Self:
        """Take the logs and the chains of a network from its ready file.

        Raises:
            SetupError: It is none.
        """
        try:
            logs = [_known(node) for node in ready["nodes"] if "log" in node]
        except (KeyError, TypeError, AttributeError, NoteError) as error:
            message = f"the ready file does not describe the network's logs: {error!r}"
            raise SetupError(message, "idis up --ready-file FILE writes one") from None
        return cls(logs, witnesses, quorum, chains_of(ready))

    @property
    def keys(self) -> dict[str, list[VerifierKey]]:
        """The pinned keys, by the origin they may sign for."""
        found: dict[str, list[VerifierKey]] = {}
        for log in self.logs:
            found.setdefault(log.key.name, []).append(log.key)
        return found

    def nearest(self, name: bytes) -> KnownLog:
        """Give the log to ask for a canonical name.

        That of its prefix, else of the nearest prefix above, whose node may host or
        have delegated it and then knows more.

        Raises:
            SetupError: There is none.
        """
        prefix = home_of(name)
        while prefix not in self._by_prefix and prefix != PREFIX_AUTHORITY:
            prefix = parent_prefix(prefix)
        log = self._by_prefix.get(prefix)
        if log is None:
            message = f"no log is known that proves {name.decode(errors='replace')}"
            hint = "name one and its key: --log URL --key VKEY"
            raise SetupError(message, hint)
        return log

    def check_responsible(self, name: bytes, origin: str) -> None:
        """Check that a log may speak for a canonical name.

        That an identifier is absent from a log in which it would never stand is true
        and says nothing.

        Raises:
            ProofError: The name's prefix lives at the node of another log.
        """
        log = self._by_prefix.get(home_of(name))
        if log is not None and log.key.name != origin:
            raise ProofError(
                f"the proof is one by {origin}, but what "
                f"{name.decode(errors='replace')} is, {log.key.name} says"
            )


def same_identifier(asked: bytes, proved: bytes) -> bool:
    """Tell whether a proof is about the name that was asked for.

    Args:
        asked: Canonical, suffix as written.
        proved: Canonical by the rule of the node, which may fold case.
    """
    if is_prefix_handle(asked):
        return asked == proved
    prefix, _, suffix = asked.partition(b"/")
    return proved in (asked, prefix + b"/" + suffix.upper())


def _known(node: Mapping[str, Any]) -> KnownLog:
    prefixes = [prefix.upper().encode() for prefix in node["prefixes"]]
    if node["parent"] is None:
        # The root of a network has the records of one-label prefixes.
        prefixes.append(PREFIX_AUTHORITY)
    key = VerifierKey.parse(node["log"]["key"])
    return KnownLog(node["log"]["url"], key, tuple(prefixes))
