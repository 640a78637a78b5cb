"""The field of contenders: servers started one after the other until the run ends.

All hold the same identifiers. What is not installed is named with its reason.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.blast import Load, Prepared
from bench.corpus import Corpus, corpus_of
from bench.loading import register_running
from bench.peers import http_client
from bench.peers.asking import (
    DATAGRAM_WINDOW,
    STREAM_WINDOW,
    ask_with_blast,
    ask_with_dnsperf,
    prepare_warm,
    write_queries,
)
from bench.peers.contender import Ask, Contender
from bench.peers.dns_servers import run_knot, run_nsd
from bench.peers.echo_server import run_echo, typical_reply
from bench.peers.programs import Server, find_program, version_of
from bench.peers.redis_server import put, run_redis
from bench.peers.zones import write_zone
from bench.serving import Cores, pin, recursive_node, wait_for_fast_path
from registry.model.value import encode_values
from resolver.dns.names import DEFAULT_ZONE
from resolver.running import RunningNetwork, run_network

PACKAGES = {
    "knot": ("knotd", "knot", ("--version",)),
    "nsd": ("nsd", "nsd", ("-v",)),
    "redis": ("redis-server", "redis-server", ("--version",)),
    "dnsperf": ("dnsperf", "dnsperf", ("-h",)),
}
"""By name: the program, the package that has it, and how it tells its version."""

_DNS_TYPE = "TXT"
_HTTP_IDENTIFIERS = 200
_STREAMS = (("tcp64", STREAM_WINDOW), ("tcp1", 1))
"""Kinds of load over TCP, and requests in flight."""


@dataclass(slots=True)
class Field:
    """Contenders so far, and what they stand on."""

    stack: ExitStack
    """Stops what was started."""

    directory: Path
    identifiers: int
    secondaries: int
    cores: Cores
    tell: Callable[[str], None]
    with_dnsperf: bool = True
    contenders: list[Contender] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def gather(self) -> None:
        """Start everybody who is there.

        Raises:
            SetupError: A server does not hold what it was given.
            UnreachableError: A server does not answer.
            RuntimeError: A server does not start.
        """
        corpus, prepared = self._add_network("slow", "off")
        self._add_network("fast", "auto")
        self._add_echo(corpus, prepared)
        self._add_dns_servers(corpus)
        self._add_redis(corpus)

    def _add_network(self, name: str, fast_path: str) -> tuple[Corpus, Prepared]:
        self.tell(f"{name}: our own network, fast path {fast_path}")
        arguments = ["--secondaries", str(self.secondaries)]
        arguments += ["--port-base", "0", "--fast-path", fast_path]
        network = self.stack.enter_context(run_network(*arguments))
        corpus = corpus_of(network.ready, self.identifiers)
        register_running(network.ready, corpus)
        if fast_path == "auto":
            wait_for_fast_path(network)
        server = Server(network.process.pid, _address(network, "handle"))
        load = Load(server.address, corpus, window=DATAGRAM_WINDOW)
        prepared = prepare_warm(load)
        self._add("udp", name, server, ask_with_blast(load, prepared))
        for section, window in _STREAMS:
            over_tcp = Load(server.address, corpus, transport="tcp", window=window)
            self._add(section, name, server, ask_with_blast(over_tcp, prepared))
        if "dns" in network.ready["recursive"]:
            address = _address(network, "dns")
            zone = network.ready["recursive"].get("dns_zone", DEFAULT_ZONE)
            self._add_dns(f"{name}-dns", Server(server.pid, address), corpus, zone)
        else:
            self.absent[f"{name}-dns"] = "this network has no DNS face"
        if name == "fast":
            self._add_http(network, corpus)
        return corpus, prepared

    def _add_http(self, network: RunningNetwork, corpus: Corpus) -> None:
        base = recursive_node(network)["http"]
        names = corpus.names(0, min(corpus.count, _HTTP_IDENTIFIERS))
        lessons = http_client.learn(base, names)
        server = Server(network.process.pid, _address(network, "handle"))
        for section, window in _STREAMS:
            ask = partial(http_client.ask, base, lessons, window)
            self._add(section, "http", server, ask)

    def _add_echo(self, corpus: Corpus, prepared: Prepared) -> None:
        self.tell("echo: the floor")
        server = self.stack.enter_context(run_echo(typical_reply(prepared)))
        # It answers everything with one reply, so there is nothing to compare with.
        load = Load(server.address, corpus, window=DATAGRAM_WINDOW, check="unverified")
        self._add("udp", "echo", server, ask_with_blast(load, prepare_warm(load)))

    def _add_dns_servers(self, corpus: Corpus) -> None:
        zone = write_zone(self.directory / "zone", corpus, _DNS_TYPE)
        for name, run in (("knot", run_knot), ("nsd", run_nsd)):
            program = self._find(name)
            if program is None:
                continue
            self.tell(f"{name}: {self.versions[name]}")
            place = self.directory / name
            place.mkdir()
            server = self.stack.enter_context(run(program, place, zone))
            self._add_dns(name, server, corpus, zone.name)

    def _add_dns(self, name: str, server: Server, corpus: Corpus, zone: str) -> None:
        load = Load(
            server.address,
            corpus,
            "dns",
            window=DATAGRAM_WINDOW,
            dns_zone=zone,
            dns_type=_DNS_TYPE,
        )
        self._add("udp", name, server, ask_with_blast(load, prepare_warm(load)))
        if not self.with_dnsperf:
            return
        dnsperf = self._find("dnsperf")
        if dnsperf is not None:
            file = self.directory / "queries"
            if not file.exists():
                write_queries(file, corpus, zone, _DNS_TYPE)
            ask = ask_with_dnsperf(dnsperf, file, server.address)
            self._add("udp", f"{name} (dnsperf)", server, ask)

    def _add_redis(self, corpus: Corpus) -> None:
        program = self._find("redis")
        if program is None:
            return
        self.tell(f"redis: {self.versions['redis']}")
        place = self.directory / "redis"
        place.mkdir()
        server = self.stack.enter_context(run_redis(program, place))
        put(server.address, map(partial(_item, corpus), range(corpus.count)))
        load = Load(server.address, corpus, "redis", "tcp")
        prepared = prepare_warm(load)
        for section, window in _STREAMS:
            over_tcp = Load(server.address, corpus, "redis", "tcp", window=window)
            self._add(section, "redis", server, ask_with_blast(over_tcp, prepared))

    def _find(self, name: str) -> Path | None:
        program, package, arguments = PACKAGES[name]
        found = find_program(program)
        if found is None:
            self.absent[name] = f"not installed: apt-get install {package}"
        elif name not in self.versions:
            self.versions[name] = version_of(found, *arguments)
        return found

    def _add(self, section: str, name: str, server: Server, ask: Ask) -> None:
        pin(server.pid, self.cores.server)
        self.contenders.append(Contender(section, name, server.pid, ask))


def _address(network: RunningNetwork, face: str) -> tuple[str, int]:
    host, port = network.ready["recursive"][face]
    return host, port


def _item(corpus: Corpus, number: int) -> tuple[bytes, bytes]:
    """Give key and value for Redis: the identifier and what we keep for it."""
    return corpus.identifier(number).encode(), encode_values(corpus.values(number))
