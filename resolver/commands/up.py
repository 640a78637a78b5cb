"""`idis up`: run a network in the foreground until Ctrl-C."""

import asyncio
import contextlib
import gc
import ipaddress
import json
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path

from resolver.commands.anchor_account import anchor_key, anchor_url
from resolver.commands.console import print_json, say
from resolver.dns.zones import DEFAULT_ONS_ROOT
from resolver.errors import SetupError
from resolver.faces.sockets import LOOPBACK
from resolver.network import Network
from resolver.network_settings import NetworkSettings
from resolver.ready_file import describe, well_known_file, write_ready_file
from resolver.topology import (
    DEFAULT_SECONDARIES,
    Topology,
    builtin_topology,
    load_topology,
)

_LONG_WAY_PRIORITY = 5
"""A third of the weight of the usual 0."""


@dataclass(frozen=True, slots=True)
class UpOptions:
    """Arguments of `idis up`."""

    secondaries: int = DEFAULT_SECONDARIES
    topology: Path | None = None
    data: Path | None = None
    seed: int = 1
    host: str | None = None
    port_base: int | None = None
    ready_file: Path | None = None
    open_writes: bool = False
    fast_path: str = "auto"
    """`auto` or `off`."""

    witness: Sequence[str] = ()
    """Witnesses, as `resolver.witnesses` reads them."""

    witness_quorum: int = 0
    accept_rollback: bool = False
    rotate_log_keys: bool = False
    dns_zone: Sequence[str] = ()
    """Zones of the DNS face, as `resolver.dns.zones` reads them."""

    ons_root: str = DEFAULT_ONS_ROOT

    no_chains: bool = False
    strict: bool = False
    chain_clock: str = "system"
    """`system` or `stepped`."""

    anchor_url: str | None = None
    """HTTP of a chain; None for the network's own."""

    anchor_key: Path | None = None
    no_anchoring: bool = False
    json: bool = False


def network_settings(options: UpOptions) -> NetworkSettings:
    """Turn arguments into settings.

    Raises:
        SetupError: The topology file, an address or a key is not usable.
    """
    return NetworkSettings(
        _topology(options),
        data=options.data,
        seed=options.seed,
        hosts=_hosts(options.host),
        port_base=options.port_base,
        open_writes=options.open_writes,
        fast_path=options.fast_path == "auto",
        key_cache=key_cache(),
        memory=well_known_file().parent / "logs",
        witnesses=tuple(options.witness),
        witness_quorum=options.witness_quorum,
        accept_rollback=options.accept_rollback,
        rotate_log_keys=options.rotate_log_keys,
        say=say,
        dns_zones=tuple(options.dns_zone),
        ons_root=options.ons_root,
        chains=not options.no_chains,
        strict_chains=options.strict,
        chain_clock=options.chain_clock,
        anchoring=not options.no_anchoring,
        anchor_url=anchor_url(options.anchor_url, options.anchor_key),
        anchor_key=anchor_key(options.anchor_key),
    )


def key_cache() -> Path:
    """Give where derived keys are remembered between runs."""
    cache = os.environ.get("XDG_CACHE_HOME")
    base = Path(cache) if cache else Path.home() / ".cache"
    return base / "idis-emulator" / "keys"


def run(options: UpOptions) -> int:
    """Run a network until it is interrupted; 0 when it stopped cleanly.

    Raises:
        SetupError: It cannot be started as asked.
        StoreError: Its data cannot be opened.
    """
    settings = network_settings(options)
    run_loop(_serve(settings, options))
    return 0


def run_loop(main: Awaitable[None]) -> None:
    """Run a coroutine on uvloop where there is one, else on asyncio's own loop."""

    async def wait() -> None:
        await main

    try:
        import uvloop
    except ImportError:
        asyncio.run(wait())
    else:
        uvloop.run(wait())


async def _serve(settings: NetworkSettings, options: UpOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    network = Network(settings)
    started = loop.time()
    await network.start()
    left: list[Path] = []
    tune_interpreter()
    try:
        ready = describe(network)
        left = _announce(ready, options)
        _show(network, ready, loop.time() - started, as_json=options.json)
        network.start_fast_path(say, _let_it_go_first)
        await stop.wait()
    except OSError as error:
        message = f"the ready file cannot be written: {error}"
        raise SetupError(message, "choose another --ready-file") from error
    finally:
        for file in left:
            _remove_own(file)
        await network.close()


def _remove_own(file: Path) -> None:
    """Remove a description, unless another network has put its own there since."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        if json.loads(file.read_text())["pid"] == os.getpid():
            file.unlink()


def tune_interpreter() -> None:
    """Keep the garbage collector and the interpreter lock out of the way of writing.

    Measured on a bulk registration. With the default thresholds the collector, walking
    what lives as long as the network, took a third of it; what it has to find are rare
    cycles of failed requests. LMDB lets go of the lock for every key a worker puts, and
    with the default interval the loop keeps it for 5 ms each time: a fifth more with
    this one, and shorter waits for the single write beside it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(500_000, 20, 100)
    sys.setswitchinterval(0.0001)


def _let_it_go_first() -> None:
    """Let the fast path have the processor before the long way when both want it.

    A flood of questions that nobody has an answer to keeps the event loop busy all the
    time; on one core it would take half of it from those that have. Priorities are of
    threads on Linux, and only ever lowered without privileges.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LONG_WAY_PRIORITY)


def _announce(ready: dict[str, object], options: UpOptions) -> list[Path]:
    """Leave descriptions; give the files to be removed when the network stops."""
    written = []
    if options.ready_file is not None:
        write_ready_file(options.ready_file, ready)
        written.append(options.ready_file)
    with contextlib.suppress(OSError):  # a convenience for other commands, no more
        file = well_known_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        write_ready_file(file, ready)
        written.append(file)
    return written


def _show(
    network: Network, ready: dict[str, object], seconds: float, *, as_json: bool
) -> None:
    from resolver.commands.banner import say_how_to_stop, show_network

    if as_json:
        print_json(ready)
    else:
        show_network(network, ready, seconds)
    say_how_to_stop(ready)


def _hosts(host: str | None) -> tuple[str, ...]:
    """Check an address: nodes publish it in HS_SITE, so it must lead to them.

    Raises:
        SetupError: It is a name, or stands for all addresses.
    """
    if host is None or host == "localhost":
        return LOOPBACK
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        message = f"--host {host}: an IPv4 or IPv6 address expected"
        raise SetupError(message, "for example --host 127.0.0.1") from None
    if address.is_unspecified:
        message = f"--host {host}: one address expected, this stands for all"
        raise SetupError(message, "nodes publish it: give one that clients can reach")
    return (str(address),)


def _topology(options: UpOptions) -> Topology:
    if options.topology is not None:
        return load_topology(options.topology)
    return builtin_topology(options.secondaries)
