"""The chains of a network, and what of its logs goes there: started, joined, ended.

All of it is imported late: a network without chains needs neither their code nor its
time.
"""

from typing import TYPE_CHECKING

from resolver.data_directory import DataDirectory
from resolver.faces.sockets import reachable_hosts
from resolver.network_settings import NetworkSettings
from resolver.node import Node
from resolver.oversight import Oversight

if TYPE_CHECKING:
    from chain_anchor.bif.keys import PrivateKey
    from resolver.anchoring.chain_proofs import ChainProofs
    from resolver.anchoring.submitting import Anchoring
    from resolver.chains import Chains
    from resolver.sealing import Sealing


class OnChain:
    """What one network has to do with chains, its own or another's."""

    def __init__(self, settings: NetworkSettings) -> None:
        self._settings = settings
        self.chains: Chains | None = None
        """The network's own; None without."""

        self.anchoring: Anchoring | None = None
        """Sends the national log's checkpoints; None where nothing is anchored."""

        self.proofs: ChainProofs | None = None

    async def start_chains(self, directory: DataDirectory) -> None:
        """Start the network's own chains, if it has any.

        Raises:
            PortError: A port is in use.
            StorageError: A chain cannot be opened.
        """
        settings = self._settings
        if not settings.chains:
            return
        if directory.read_only:
            settings.say("no chains: the data directory cannot be written")
            return
        from resolver.chains import Chains

        self.chains = Chains(
            settings.seed,
            directory.path / "chains",
            reachable_hosts(settings.hosts),
            settings.port_base,
            settings.chain_clock,
            strict=settings.strict_chains,
        )
        await self.chains.start()

    async def anchor(
        self, directory: DataDirectory, top: Node, oversight: Oversight
    ) -> None:
        """Begin to send checkpoints of the top node's log, and to prove where they are."""
        account, sealing = self._account(), top.sealing
        if account is None or sealing is None or directory.read_only:
            return
        from resolver.anchoring.sending import Sender
        from resolver.anchoring.submitting import Anchoring

        self.anchoring = Anchoring(
            sealing,
            Sender(*account, sealing.log.origin),
            directory.path / "anchoring",
            self._settings.say,
            is_own=not self._settings.anchor_url,
        )
        top.anchoring = self.anchoring.progress
        await self.anchoring.start()
        self._prove(sealing, self.anchoring, oversight)

    async def close(self) -> None:
        """Stop all of it; what is under way is sent again after the next start."""
        parts = (self.anchoring, self.proofs, self.chains)
        for part in parts:
            if part is not None:
                await part.close()

    def _prove(
        self, top: "Sealing", anchoring: "Anchoring", oversight: Oversight
    ) -> None:
        """Let the logs' proofs lead onto the chain."""
        from resolver.anchoring.anchored_logs import AnchoredLogs
        from resolver.anchoring.chain_proofs import ChainProofs

        own = self.chains if anchoring.is_own else None
        main_url = own.main.url if own is not None else None
        proofs = ChainProofs(anchoring.url, main_url, self._settings.say)
        self.proofs = proofs
        logs = AnchoredLogs(anchoring.url, top, proofs)
        for overseen in oversight.logs.values():
            logs.attach(overseen.sealing, overseen.ancestors)
        anchoring.listen(proofs.confirmed)
        proofs.start(anchoring.newest)

    def _account(self) -> "tuple[str, PrivateKey] | None":
        """Say where checkpoints go and whose account sends them."""
        settings = self._settings
        if not settings.anchoring:
            return None
        if settings.anchor_url:
            assert settings.anchor_key is not None
            return settings.anchor_url, settings.anchor_key
        # Checkpoints have the time of day in them: the same blocks would not come again.
        if self.chains is None or settings.chain_clock == "stepped":
            return None
        key = settings.anchor_key or self.chains.anchoring_key
        return self.chains.backbone.url, key
