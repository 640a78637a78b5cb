"""The two chains of a network: super node (Wuhan) and backbone node (Hanyang).

Both run in the network's process, each with its own directory, ports and validators;
the backbone's headers are anchored in the main chain. Everything is derived from the
network's seed, and both fund the same accounts, so that their keys need be known once.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chain_anchor.bif.anchored_headers import Anchored
from chain_anchor.bif.contracts.table import Contracts, engine_directory
from chain_anchor.bif.execution import Chain
from chain_anchor.bif.genesis import Keys, seeded_genesis, seeded_keys
from chain_anchor.bif.header_anchoring import STILL_SECONDS, HeaderAnchoring
from chain_anchor.bif.keys import KeyType, PrivateKey
from chain_anchor.bif.node import ChainNode
from chain_anchor.bif.node_settings import ChainSettings, machine_time
from chain_anchor.bif.rules import Rules
from resolver.faces.bif import BifFace
from resolver.faces.sockets import Bound, bind

MAIN_HTTP_PORT: Final = 27_002
MAIN_WS_PORT: Final = 7_053
BACKBONE_CODE: Final = "hany"
_ACCOUNTS: Final = 10
_SM2_ACCOUNTS: Final = 2


@dataclass(frozen=True, slots=True)
class PlannedChain:
    """One chain to be."""

    name: str
    role: str
    title: str
    ac: str
    parent: str | None
    http_port: int
    ws_port: int


def plan_chains(port_base: int | None) -> tuple[PlannedChain, PlannedChain]:
    """Lay out both chains, the main one first."""

    def port(usual: int) -> int:
        return 0 if port_base == 0 else usual

    main = PlannedChain(
        "wuhan", "super", "武汉", "", None, port(MAIN_HTTP_PORT), port(MAIN_WS_PORT)
    )
    backbone = PlannedChain(
        "hanyang",
        "backbone",
        "汉阳",
        BACKBONE_CODE,
        main.name,
        port(MAIN_HTTP_PORT + 1),
        port(MAIN_WS_PORT + 1),
    )
    return main, backbone


class RunningChain:
    """A chain with its faces."""

    def __init__(self, planned: PlannedChain, node: ChainNode, host: str) -> None:
        self.planned = planned
        self.node = node
        self._host = f"[{host}]" if ":" in host else host
        self._sockets: list[Bound] = []
        self._face: BifFace | None = None

    def bind(self, hosts: tuple[str, ...]) -> None:
        """Bind the sockets.

        Raises:
            PortError: A port is in use.
        """
        planned = self.planned
        for port, what in ((planned.http_port, "HTTP"), (planned.ws_port, "WebSocket")):
            named = f"{what} of chain {planned.name}"
            self._sockets.append(bind(hosts, port, ("tcp",), named))

    async def start(self) -> None:
        """Open the chain and answer."""
        await self.node.start()
        self._face = BifFace(self.node, *self._sockets)
        await self._face.start()

    async def close(self) -> None:
        """Stop."""
        if self._face is not None:
            await self._face.close()
        await self.node.close()
        for item in self._sockets:
            item.close()

    @property
    def url(self) -> str:
        """Where HTTP is answered."""
        return f"http://{self._host}:{self._sockets[0].port}"

    @property
    def ws(self) -> str:
        """Where WebSockets are answered."""
        return f"ws://{self._host}:{self._sockets[1].port}"

    @property
    def genesis(self) -> str:
        """Hash of the first block."""
        first = self.node.ledger.header(1)
        assert first is not None
        return first.hash.hex()

    @property
    def validators(self) -> tuple[str, ...]:
        """Addresses of the validators, in their order."""
        return self.node.ledger.validators

    def describe(self) -> dict[str, Any]:
        """Describe it for the ready file."""
        planned = self.planned
        return {
            "name": planned.name,
            "title": planned.title,
            "role": planned.role,
            "http": self.url,
            "ws": self.ws,
            "chain_code": planned.ac,
            "parent": planned.parent,
            "genesis": self.genesis,
            "validators": list(self.validators),
            "accounts": [self._account(key) for key in self.node.accounts],
        }

    def _account(self, key: PrivateKey) -> dict[str, Any]:
        address = key.address(self.planned.ac)
        account = self.node.ledger.state(0).account(address)
        balance = account.balance if account else 0
        return {"address": address, "private_key": key.text, "balance": balance}


class Chains:
    """Both chains of a network."""

    def __init__(
        self,
        seed: int,
        directory: Path,
        hosts: tuple[str, ...],
        port_base: int | None,
        clock: str = "system",
        *,
        strict: bool = False,
    ) -> None:
        """Plan them.

        Args:
            seed: the network's.
            directory: where they lie.
            hosts: addresses to answer at.
            port_base: 0 lets the system choose ports.
            clock: "system", or "stepped" for one that only blocks move.
            strict: whether they do only what real nodes do.
        """
        self._hosts = hosts
        planned = plan_chains(port_base)
        self.main, self.backbone = (
            RunningChain(
                item,
                ChainNode(_settings(item, seed, directory, clock, strict=strict)),
                hosts[0],
            )
            for item in planned
        )
        self.anchoring_key = PrivateKey.from_seed(str(seed), "hanyang/anchoring")
        self._headers = HeaderAnchoring(
            self.backbone.node,
            self.main.node,
            self.anchoring_key,
            # A clock that blocks move is asked for to have the same blocks again.
            still_seconds=None if clock == "stepped" else STILL_SECONDS,
        )
        if clock == "stepped":
            self.backbone.node.follow = self._headers.caught_up

    async def start(self) -> None:
        """Start both; they answer once this returns.

        Raises:
            PortError: A port is in use.
            StorageError: A chain cannot be opened.
        """
        try:
            for chain in self.all:
                chain.bind(self._hosts)
            await asyncio.gather(*(chain.start() for chain in self.all))
        except BaseException:
            await self.close()
            raise
        self._headers.start()

    async def close(self) -> None:
        """Stop both; what was answered is on disk."""
        await self._headers.close()
        await asyncio.gather(*(chain.close() for chain in self.all))

    @property
    def all(self) -> tuple[RunningChain, RunningChain]:
        """The main chain and the backbone's."""
        return self.main, self.backbone

    def anchored(self, seq: int) -> Anchored | None:
        """Give the first header of the backbone on the main chain, from a block on."""
        return self._headers.anchored(seq)

    def describe(self) -> list[dict[str, Any]]:
        """Describe them for the ready file."""
        return [chain.describe() for chain in self.all]


def funded_accounts(seed: int) -> tuple[PrivateKey, ...]:
    """Derive the keys of accounts on both chains: Ed25519, the last two SM2."""
    types = [KeyType.ED25519] * (_ACCOUNTS - _SM2_ACCOUNTS) + [KeyType.SM2] * 2
    return tuple(
        PrivateKey.from_seed(str(seed), f"account/{number}", type_)
        for number, type_ in enumerate(types)
    )


def _settings(
    planned: PlannedChain, seed: int, directory: Path, clock: str, *, strict: bool
) -> ChainSettings:
    own = seeded_keys(str(seed), planned.name, 0)
    accounts = funded_accounts(seed)
    anchoring = PrivateKey.from_seed(str(seed), "hanyang/anchoring")
    keys = Keys(own.first, own.validators, (*accounts, anchoring))

    def chain() -> Chain:
        contracts = Contracts(cache_directory=engine_directory())
        return Chain(Rules(), contracts, planned.ac)

    return ChainSettings(
        planned.name,
        directory / planned.name,
        chain(),
        chain(),
        keys,
        seeded_genesis(keys, slogan=planned.title, ac=planned.ac),
        network_id=2 if planned.ac else 1,
        strict=strict,
        source=None if clock == "stepped" else machine_time,
        accounts=accounts,
    )
