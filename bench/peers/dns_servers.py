"""Knot DNS and NSD with one zone on a loopback port.

Both serve from memory with one worker, log nothing, keep no journal, limit no rates and
leave out of an answer what was not asked for.
"""

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import dns.exception
import dns.message
import dns.query
import dns.rcode

from bench.peers.programs import HOST, Server, free_port
from bench.serving import serving

_PROBE_SECONDS = 0.5


class Zone(NamedTuple):
    """A zone and the master file that holds it (RFC 1035 §5)."""

    name: str
    file: Path


@contextlib.contextmanager
def run_knot(knotd: Path, directory: Path, zone: Zone) -> Iterator[Server]:
    """Run Knot DNS until the block ends.

    Raises:
        RuntimeError: It does not serve the zone.
    """
    port = free_port()
    file = directory / "knot.conf"
    file.write_text(knot_configuration(directory, zone, port))
    with _running([knotd, "-c", file], directory / "knot.log", zone, port) as server:
        yield server


@contextlib.contextmanager
def run_nsd(nsd: Path, directory: Path, zone: Zone) -> Iterator[Server]:
    """Run NSD until the block ends.

    Raises:
        RuntimeError: It does not serve the zone.
    """
    port = free_port()
    file = directory / "nsd.conf"
    file.write_text(nsd_configuration(directory, zone, port))
    command: list[str | Path] = [nsd, "-d", "-c", file]
    with _running(command, directory / "nsd.log", zone, port) as server:
        yield server


def knot_configuration(directory: Path, zone: Zone, port: int) -> str:
    """Write a configuration for Knot DNS 3."""
    return f"""\
server:
    rundir: "{directory}"
    listen: {HOST}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: error
database:
    storage: "{directory}"
zone:
  - domain: "{zone.name}"
    file: "{zone.file}"
    semantic-checks: off
    journal-content: none
    zonefile-sync: -1
"""


def nsd_configuration(directory: Path, zone: Zone, port: int) -> str:
    """Write a configuration for NSD 4."""
    return f"""\
server:
    ip-address: {HOST}@{port}
    server-count: 1
    username: ""
    chroot: ""
    zonesdir: "{directory}"
    database: ""
    pidfile: ""
    xfrdfile: "{directory / "nsd.xfrd"}"
    zonelistfile: "{directory / "nsd.zones"}"
    xfrdir: "{directory}"
    minimal-responses: yes
    rrl-ratelimit: 0
    verbosity: 0
remote-control:
    control-enable: no
zone:
    name: "{zone.name}"
    zonefile: "{zone.file}"
"""


@contextlib.contextmanager
def _running(
    command: Sequence[str | Path], log: Path, zone: Zone, port: int
) -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(log.open("wb"))
        answers = partial(_answers, zone.name, port)
        try:
            run = stack.enter_context(serving(command, answers, log=file))
        except RuntimeError as error:
            said = log.read_text(errors="replace").strip()
            message = f"{error}; it said: {said or 'nothing'}"
            raise RuntimeError(message) from error
        yield Server(run.pid, (HOST, port))


def _answers(zone: str, port: int) -> bool:
    question = dns.message.make_query(zone, "SOA")
    try:
        answer = dns.query.udp(question, HOST, timeout=_PROBE_SECONDS, port=port)
    except (OSError, dns.exception.DNSException):
        return False
    return answer.rcode() == dns.rcode.NOERROR and bool(answer.answer)
