"""One node, put together: sockets, registry, handlers, faces.

The composition root: it sees everything, decides nothing. Starting has steps, because
a node's address must be known before it can be published, and published before the
node is ready: `bind`, `open`, then the network seeds, then `serve`.
"""

import asyncio
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from chain_anchor.buckets import PlainEngine
from registry.access import Access
from registry.model.identifier import CaseRule
from registry.service import Registry
from registry.store.lmdb import LmdbStore
from resolver.cache import AnswerCache
from resolver.chain import Chain, Handler
from resolver.data_directory import is_writable
from resolver.elsewhere import Elsewhere
from resolver.encoder import Signer
from resolver.faces.datagram_socket import DatagramSocket
from resolver.faces.dns import DnsFace
from resolver.faces.handle_tcp import HandleTcp
from resolver.faces.handle_udp import Datagrams, serve_datagrams
from resolver.faces.http import HttpFace
from resolver.faces.sockets import BACKLOG, Bound, bind
from resolver.handlers.authentication import Authentication
from resolver.handlers.cached import Cached
from resolver.handlers.forward import Forward
from resolver.handlers.listing import Listing
from resolver.handlers.local import Local
from resolver.handlers.referral import Referral
from resolver.handlers.site import SiteInfo
from resolver.handlers.writes import Writes
from resolver.log_keys import LogKeys
from resolver.responder import Responder
from resolver.roles import enterprise, recursive, secondary, top
from resolver.sealing import Sealing
from resolver.settings import NodeSettings
from resolver.sites import SITE_SERIAL, site_of
from resolver.statistics import Statistics
from resolver.telemetry import Telemetry
from resolver.upstream import Upstream

if TYPE_CHECKING:
    import ssl

    from resolver.anchoring.progress import Progress
    from resolver.faces.fast_dns import FastDns
    from resolver.faces.fast_path import FastHandle
    from resolver.fastpath.engine import Engine

ROLES: dict[str, ModuleType] = {
    "top": top,
    "secondary": secondary,
    "enterprise": enterprise,
    "recursive": recursive,
}


@dataclass(frozen=True, slots=True)
class ServerKey:
    """The key with which the network's servers sign certified answers."""

    public_key: bytes
    """HS_PUBKEY data, published in each site."""

    sign: Signer


class Node:
    """A node of the tree, from its sockets to its registry."""

    def __init__(
        self, settings: NodeSettings, key: ServerKey, log_keys: LogKeys | None = None
    ) -> None:
        """Take settings and keys; without keys for a log, it keeps none."""
        self.settings = settings
        self.key = key
        self.log_keys = log_keys
        self.telemetry = Telemetry()
        self.handle: Bound | None = None
        self.http: Bound | None = None
        self.https: Bound | None = None
        self.dns: Bound | None = None
        self.registry: Registry | None = None
        self.sealing: Sealing | None = None
        self.access: Access | None = None
        self.authentication: Authentication | None = None
        self.upstream: Upstream | None = None
        self.cache: AnswerCache | None = None
        self.responder: Responder | None = None
        self.statistics: Statistics | None = None
        self.tls: ssl.SSLContext | None = None
        """What HTTPS is spoken with; one for all nodes of a network."""

        self.tree: Node | None = None
        """The recursive node, at one that answers Digital Links from the whole tree."""

        self.network_readiness: Callable[[], list[str]] = list
        """Names nodes of the network that are not ready, for those that speak for it."""

        self.anchoring: Callable[[], Progress | None] = lambda: None
        """Tells how far the node's log is anchored on a chain, if it is."""

        self.serving = False
        self.http_face: HttpFace | None = None
        self.dns_face: DnsFace | None = None
        self.fast: FastHandle | None = None
        self.fast_dns: FastDns | None = None
        self._udp: list[DatagramSocket] = []
        self._datagrams: Datagrams | None = None
        self._tcp: HandleTcp | None = None
        self._servers: list[asyncio.Server] = []
        self._tasks: list[asyncio.Task[None]] = []

    def bind(self) -> None:
        """Take the node's ports.

        Raises:
            PortError: One is not to be had; those taken are given back.
        """
        settings = self.settings
        name = f"{settings.name} ({settings.role})"
        try:
            self.handle = bind(
                settings.hosts, settings.handle_port, ("udp", "tcp"), name
            )
            self.http = bind(
                settings.hosts, settings.http_port, ("tcp",), f"{name} HTTP"
            )
            self.https = bind(
                settings.hosts, settings.https_port, ("tcp",), f"{name} HTTPS"
            )
            if "dns" in ROLES[settings.role].FACES:
                self.dns = bind(
                    settings.hosts, settings.dns_port, ("udp", "tcp"), f"{name} DNS"
                )
        except Exception:
            self.unbind()
            raise

    def unbind(self) -> None:
        """Give the ports back."""
        for bound in (self.handle, self.http, self.https, self.dns):
            if bound is not None:
                bound.close()

    @functools.cached_property
    def sites(self) -> tuple[bytes, ...]:
        """HS_SITE data of the node, one site for each host."""
        assert self.handle is not None
        assert self.http is not None
        assert self.https is not None
        ports = (self.handle.port, self.http.port, self.https.port)
        return tuple(
            site_of(host, ports, self.settings.name, self.key.public_key)
            for host in self.settings.hosts
        )

    def open(
        self, executor: Executor, root_prefix: str, root_sites: Sequence[bytes]
    ) -> None:
        """Open the registry and put the handlers together.

        Raises:
            StoreError: The registry cannot be opened.
        """
        settings = self.settings
        self.upstream = Upstream(
            root_prefix.encode().upper(), root_sites, self.telemetry
        )
        if settings.directory is not None:
            self._open_registry(settings.directory, executor)
        self.statistics = Statistics(
            settings.name,
            settings.role,
            settings.prefix,
            self.registry.store if self.registry else None,
            self.telemetry,
            settings.directory,
        )
        self.responder = Responder(
            Chain(()), self.telemetry, site_serial=SITE_SERIAL, sign=self.key.sign
        )
        handlers = self._handlers(self.responder)
        order = ROLES[settings.role].HANDLERS
        self.responder.chain = Chain(tuple(handlers[kind] for kind in order))

    def _open_registry(self, directory: Path, executor: Executor) -> None:
        settings = self.settings
        store = LmdbStore(directory, read_only=not is_writable(directory))
        if self.log_keys is not None:
            self.sealing = Sealing(self.log_keys, PlainEngine(), store)
            self.sealing.open()
        self.registry = Registry(store, executor, sealer=self.sealing)
        self.access = Access(
            store, settings.operators, required=settings.authentication
        )

    def _handlers(self, responder: Responder) -> dict[type, Handler]:
        site = SiteInfo(self.sites[0])
        if self.registry is None or self.access is None:
            return {SiteInfo: site, **self._recursive_handlers()}
        registry, access, rule = self.registry, self.access, self.settings.case_rule
        assert self.upstream is not None
        store, elsewhere = registry.store, Elsewhere(self.upstream)
        self.authentication = Authentication(store, responder.challenges, elsewhere)
        self.authentication.again = responder.ask
        return {
            SiteInfo: site,
            Authentication: self.authentication,
            Local: Local(store, access, rule, self.telemetry),
            Writes: Writes(registry, access, rule, elsewhere),
            Listing: Listing(store, access, rule),
            Referral: Referral(store, rule),
        }

    def _recursive_handlers(self) -> dict[type, Handler]:
        settings = self.settings
        assert self.upstream is not None
        self.cache = AnswerCache(settings.cache_entries)
        forward = Forward(
            self.upstream,
            self.cache,
            settings.case_rule,
            self.telemetry,
            settings.negative_ttl_seconds,
        )
        cached = Cached(self.cache, settings.case_rule, self.telemetry)
        return {Cached: cached, Forward: forward}

    async def serve(self) -> None:
        """Start the faces; the node answers once this returns."""
        assert self.handle is not None
        assert self.responder is not None
        self._datagrams = Datagrams(self.responder, self.telemetry)
        for item in self.handle.udp:
            face = await DatagramSocket.over(item)
            self._udp.append(face)
            serving = serve_datagrams(face, self._datagrams)
            self._tasks.append(asyncio.create_task(serving))
        self._tcp = HandleTcp(self.responder, self.telemetry)
        loop = asyncio.get_running_loop()
        for item in self.handle.tcp:
            server = await loop.create_server(
                self._tcp.connection, sock=item, backlog=BACKLOG
            )
            self._servers.append(server)
        if self.dns is not None:
            self.dns_face = DnsFace(
                self.dns, self.responder, self.telemetry, self.settings
            )
            await self.dns_face.start()
        self.http_face = HttpFace(self, self.tls)
        await self.http_face.start()
        self.serving = True

    async def serve_fast(self, engine: "Engine") -> None:
        """Put the fast path in front of the faces, while they serve.

        It must have stopped before the node is closed.
        """
        from resolver.faces.fast_path import FastHandle

        assert self.handle is not None
        assert self.responder is not None
        assert self._datagrams is not None
        assert self._tcp is not None
        self.fast = FastHandle(
            engine,
            self.telemetry,
            exact_suffixes=self.settings.case_rule is CaseRule.EXACT,
            from_cache=self.cache is not None,
        )
        if self.registry is not None:
            self.registry.follow(self.fast.forget)
        self.responder.learn = self.fast.learn
        for item in self.handle.udp:
            self.fast.serve_datagrams(item.fileno(), self._datagrams)
        await asyncio.gather(*(face.leave() for face in self._udp))
        self._tcp.lend_from_now(self.fast.lend)
        if self.dns_face is not None:
            await self._serve_dns_fast(self.dns_face, engine)
        self.telemetry.update = self._update_telemetry

    async def _serve_dns_fast(self, face: DnsFace, engine: "Engine") -> None:
        from resolver.faces.fast_dns import FastDns

        self.fast_dns = FastDns(engine, self.telemetry)
        face.datagrams.learn = self.fast_dns.learn
        for item in face.udp_sockets:
            self.fast_dns.serve_datagrams(item.fileno(), face.datagrams)
        await face.leave_datagrams()

    def _update_telemetry(self) -> None:
        for face in self.fast_faces:
            face.update_telemetry()

    @property
    def fast_faces(self) -> "tuple[FastHandle | FastDns, ...]":
        """What of the node is on the fast path."""
        return tuple(face for face in (self.fast, self.fast_dns) if face is not None)

    async def close(self) -> None:
        """Stop: take nothing new, finish what is on its way to disk, let go."""
        self.serving = False
        await self._take_nothing_new()
        if self.registry is not None:
            await self.registry.drain()
        for face in self._udp:
            face.close()
        if self._datagrams is not None:
            await self._datagrams.close()
        if self._tcp is not None:
            await self._tcp.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.upstream is not None:
            await self.upstream.close()
        if self.statistics is not None:
            self.statistics.save()
        if self.sealing is not None:
            self.sealing.release()
        if self.registry is not None:
            self.registry.store.close()
        self.unbind()

    async def _take_nothing_new(self) -> None:
        for face in (self.http_face, self.dns_face):
            if face is not None:
                await face.close()
        for server in self._servers:
            server.close()
