"""A topology of nodes, started together in one process.

    bind every socket ─▶ open every registry ─▶ seed ─▶ serve ─▶ ready

Addresses are known before anything is published, so HS_SITE records are right from
the first answer on, and are corrected when a restart has moved a node. What is seeded
comes from the topology and the seed alone; a data directory is seeded once, and only
its delegations are kept up to date after that.
"""

import asyncio
import resource
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from registry.change import Change
from registry.model.identifier import prefix_handle
from registry.model.public_key import encode_public_key
from registry.prefixes import Prefixes, is_stopped, sites_of
from registry.service import Registry
from resolver.data_directory import DataDirectory, write_atomically
from resolver.dns.zones import code_zones, zones_of
from resolver.errors import ResolverError
from resolver.faces.http import preload
from resolver.faces.sockets import reachable_hosts
from resolver.faces.tls import server_context
from resolver.fastpath import compiling
from resolver.identities import Administrator, make_administrators
from resolver.keys import SeededKeys
from resolver.last_seen import LastSeen
from resolver.log_keys import LogKeys, log_origin
from resolver.network_settings import NetworkSettings
from resolver.node import Node, ServerKey
from resolver.on_chain import OnChain
from resolver.oversight import Overseen, Oversight
from resolver.plan import PlannedNode, plan, with_zones
from resolver.seeding import seed_changes
from resolver.session.signature import public_key_of, sign_message
from resolver.tls_files import write_tls_files
from resolver.witnesses import WitnessAddress

if TYPE_CHECKING:
    from pathlib import Path

    from resolver.certificates import Authority
    from resolver.fastpath.engine import Engine

SERVER_KEY_LABEL = "server"
_OPEN_FILES = 65_536
_SEEDED = "seeded"
_SAVE_SECONDS = 10.0


class Network:
    """All nodes of a topology."""

    def __init__(self, settings: NetworkSettings) -> None:
        self.settings = settings
        self.nodes: dict[str, Node] = {}
        self.planned: tuple[PlannedNode, ...] = ()
        self._homes: dict[str, str] = {}
        """Names of the nodes at which prefixes live."""

        self.administrators: dict[str, Administrator] = {}
        self.directory: DataDirectory | None = None
        self.authority: Authority | None = None
        self.authority_file: Path | None = None
        """Certificate of the authority that signed the HTTPS certificates."""

        self._executor = ThreadPoolExecutor(4, thread_name_prefix="registry")
        self.oversight: Oversight | None = None
        self.on_chain = OnChain(settings)
        self._saving: asyncio.Task[None] | None = None
        self._engine: Engine | None = None
        self._quickening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start everything; all nodes answer once this returns.

        Raises:
            SetupError: A port, the data directory or the topology is not usable.
            StoreError: A registry cannot be opened or seeded.
        """
        _raise_open_files()
        self.directory = DataDirectory.open(self.settings.data, self.settings.seed)
        try:
            await self._start(self.directory)
        except BaseException:
            await self.close()
            raise
        self._saving = asyncio.create_task(self._save_statistics())

    async def _start(self, directory: DataDirectory) -> None:
        loading = asyncio.create_task(preload())
        keys = SeededKeys(self.settings.seed, self.settings.key_cache)
        key = self._make_keys(keys)
        self._plan(directory)
        tls = self._make_certificates(directory, keys)
        for planned in self.planned:
            origin = log_origin(planned.settings.name)
            node = Node(planned.settings, key, LogKeys(origin, keys))
            node.bind()
            node.tls = tls
            self.nodes[planned.settings.name] = node
        for node in (self.recursive, self.top):
            node.network_readiness = self.not_ready
        chains = asyncio.create_task(self.on_chain.start_chains(directory))
        try:
            await self._serve(directory, loading)
        finally:
            await chains
        assert self.oversight is not None
        await self.on_chain.anchor(directory, self.top, self.oversight)

    async def _serve(
        self, directory: DataDirectory, loading: "asyncio.Task[object]"
    ) -> None:
        await self._open()
        self.top.tree = self.recursive
        self.oversight = await self._oversee(directory)
        await asyncio.gather(*(self._seed(item) for item in self.planned))
        await loading
        await asyncio.gather(*(node.serve() for node in self.nodes.values()))
        self.oversight.start()

    async def _oversee(self, directory: DataDirectory) -> Oversight:
        settings = self.settings
        logs = {
            name: Overseen(name, node.sealing, node.registry)
            for name, node in self.nodes.items()
            if node.sealing is not None and node.registry is not None
        }
        parents = {item.settings.name: item.parent for item in self.planned}
        memory = None
        if settings.memory is not None and not directory.temporary:
            memory = LastSeen.of(settings.memory, directory.instance, directory.path)
        oversight = Oversight(logs, parents, memory, settings.say)
        addresses = [WitnessAddress.parse(text) for text in settings.witnesses]
        oversight.ask_witnesses(addresses, settings.witness_quorum)
        await oversight.check(settings.today(), accept=settings.accept_rollback)
        if settings.rotate_log_keys:
            for overseen in logs.values():
                overseen.sealing.rotate()
        return oversight

    def start_fast_path(
        self, say: Callable[[str], None], serving: Callable[[], None] = lambda: None
    ) -> None:
        """Begin to answer by compiled kernels, as soon as they are there.

        The network answers the long way meanwhile. `say` is told what goes on, in a
        line each time; `serving` is called once they answer.
        """
        if self.settings.fast_path and self._quickening is None:
            self._quickening = asyncio.create_task(self._quicken(say, serving))

    async def _quicken(
        self, say: Callable[[str], None], serving: Callable[[], None]
    ) -> None:
        try:
            compiling.check_machine()
            if not await asyncio.to_thread(compiling.are_compiled):
                say(
                    "fast path: compiling its kernels, once on this machine; "
                    "answers take the long way until then"
                )
                await compiling.compile_apart()
            self._engine = await asyncio.to_thread(make_engine)
            self._engine.start()
            self._use_compiled_maps()
            for node in self.nodes.values():
                await node.serve_fast(self._engine)
        except Exception as error:  # noqa: BLE001 (the network answers without it)
            why = str(error) if isinstance(error, ResolverError) else repr(error)
            say(f"fast path: off, answers take the long way: {why}")
        else:
            serving()
            say("fast path: serving")

    def _use_compiled_maps(self) -> None:
        """Let compiled kernels keep the state maps of the logs."""
        from chain_anchor.compiled.engine import CompiledEngine
        from chain_anchor.compiled.tree import tree_append

        for node in self.nodes.values():
            if node.sealing is not None:
                node.sealing.log.use(CompiledEngine(), tree_append)

    def not_ready(self) -> list[str]:
        """Name the nodes that do not serve."""
        return [node.settings.name for node in self.nodes.values() if not node.serving]

    async def close(self) -> None:
        """Stop everything; what was acknowledged is on disk."""
        for task in (self._saving, self._quickening):
            if task is not None:
                task.cancel()
        if self._quickening is not None:
            await asyncio.gather(self._quickening, return_exceptions=True)
        if self._engine is not None:
            await self._engine.stop()
        if self.oversight is not None:
            await self.oversight.close()
        await self.on_chain.close()
        await asyncio.gather(*(node.close() for node in self.nodes.values()))
        self._executor.shutdown()
        if self.directory is not None:
            self.directory.close()

    @property
    def recursive(self) -> Node:
        """The node that clients ask."""
        return self.nodes[self.settings.topology.recursive.name]

    @property
    def top(self) -> Node:
        """The national top-level node."""
        return self.nodes[self.settings.topology.top.name]

    def node_of(self, prefix: str) -> Node:
        """Give the node at which a prefix lives, be it of codes or not.

        Raises:
            KeyError: None of the topology's.
        """
        return self.nodes[self._homes[prefix]]

    def _make_certificates(
        self, directory: DataDirectory, keys: SeededKeys
    ) -> ssl.SSLContext:
        now = self.settings.today()
        files, self.authority = write_tls_files(
            directory, keys, self.settings.hosts, now
        )
        self.authority_file = files.authority
        return server_context(files.certificate, files.private_key, files.authority)

    def _make_keys(self, keys: SeededKeys) -> ServerKey:
        prefixes = self.settings.topology.prefixes
        self.administrators = make_administrators(keys, prefixes)
        private_key = keys.rsa(SERVER_KEY_LABEL)
        public_key = encode_public_key(public_key_of(private_key))
        return ServerKey(public_key, lambda octets: sign_message(private_key, octets))

    def _plan(self, directory: DataDirectory) -> None:
        settings = self.settings
        codes = code_zones(settings.ons_root, settings.topology.top.prefix)
        zones = zones_of(settings.dns_zones, self._prefix_labels, codes)
        planned = plan(
            self.settings.topology,
            port_base=self.settings.port_base,
            hosts=reachable_hosts(self.settings.hosts),
            authentication=not self.settings.open_writes,
            node_directory=directory.node,
            administrators=self.administrators,
        )
        self.planned = tuple(with_zones(item, zones) for item in planned)
        for item in self.planned:
            here = (*item.prefixes, *(code.prefix for code in item.codes))
            self._homes |= dict.fromkeys(here, item.settings.name)

    @property
    def _prefix_labels(self) -> int:
        """Labels of an enterprise's prefix."""
        return len(self.settings.topology.top.prefix.split(".")) + 2

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        root = self.top.settings.prefix, self.top.sites
        await asyncio.gather(
            *(
                loop.run_in_executor(self._executor, node.open, self._executor, *root)
                for node in self.nodes.values()
            )
        )
        for planned in self.planned:
            if planned.parent is not None:
                child = self.nodes[planned.settings.name].statistics
                parent = self.nodes[planned.parent].statistics
                assert child is not None
                assert parent is not None
                parent.add_child(child.report)

    async def _seed(self, planned: PlannedNode) -> None:
        """Seed each prefix once, and keep its record pointing to where it is served."""
        node = self.nodes[planned.settings.name]
        if node.registry is None or node.registry.store_is_read_only:
            return
        assert self.directory is not None
        marker = self.directory.node(planned.settings.name) / _SEEDED
        seeded = set(marker.read_text().split()) if marker.exists() else set()
        codes = (*planned.codes, *planned.delegated_codes)
        known = {*planned.prefixes, *planned.delegated, *(c.prefix for c in codes)}
        new = known - seeded
        if new:
            sites = {prefix: self.node_of(prefix).sites for prefix in new}
            changes = seed_changes(planned, self.administrators, sites)
            await _submit_absent(node.registry, changes)
            write_atomically(marker, "\n".join(sorted(seeded | known)))
        await asyncio.gather(
            *(self._delegate(node.registry, prefix) for prefix in sorted(known - new))
        )

    async def _delegate(self, registry: Registry, prefix: str) -> None:
        """Make a prefix's record, if it is here, name the node that serves it now."""
        name = prefix.encode().upper()
        record = registry.get(prefix_handle(name))
        sites = self.node_of(prefix).sites
        if record is None or is_stopped(record) or sites_of(record) == sites:
            return
        await Prefixes(registry, None, trusted=True).delegate(name, sites)

    async def _save_statistics(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            for node in self.nodes.values():
                if node.statistics is not None:
                    node.statistics.save()


def make_engine() -> "Engine":
    """Make the fast path of a process; imports what it needs only then."""
    from resolver.fastpath.engine import Engine
    from resolver.fastpath.preparing import compile_here, release_compiler

    compile_here()
    engine = Engine()
    release_compiler()
    return engine


async def _submit_absent(registry: Registry, changes: Sequence[Change]) -> None:
    """Make changes, except those whose record exists: an earlier start was cut off."""
    absent = changes
    with registry.store.snapshot() as snapshot:
        if snapshot.serial:
            absent = [item for item in changes if snapshot.get(item.name) is None]
    await asyncio.gather(*(registry.enqueue(item) for item in absent))


def _raise_open_files() -> None:
    """Allow as many open sockets as the system lets us: clients may hold thousands."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
