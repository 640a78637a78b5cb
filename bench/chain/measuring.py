"""What is measured at one chain of a network that runs."""

import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

from bench.chain.posting import Node, Payer, address_of
from bench.figures import Figure
from chain_anchor.bif.keys import PrivateKey
from resolver.running import RunningNetwork, run_network

CHAIN = "wuhan"
OPERATIONS = 100
"""Of a transaction, the most that a node takes."""

CHANGED = 10_000
"""Accounts that a block changes."""

MAX_TRANSFER_MS = 10.0
MIN_PER_SECOND = 1_500.0
MAX_BLOCK_MS = 500.0
MAX_MILLION_MIB = 1024.0
MAX_READY_SECONDS = 1.0

BATCH = 250
SENDERS = 2
"""Connections that send batches, so that the node reads one while it closes another."""

_MIB = 1 << 20
_MILLION = 1_000_000

T = TypeVar("T")
Tell = Callable[[str], None]


class Bed(NamedTuple):
    """A chain under measurement."""

    url: str
    directory: Path
    payers: tuple[Payer, ...]
    """Accounts with money, one for each connection."""


def make_bed(network: RunningNetwork) -> Bed:
    """Take the main chain of a network that was just started."""
    chain = network.chain(CHAIN)
    keys = [PrivateKey.parse(one["private_key"]) for one in chain["accounts"]]
    payers = tuple(Payer(key) for key in keys[:SENDERS])
    directory = Path(network.ready["data"]) / "chains" / CHAIN
    return Bed(chain["http"], directory, payers)


def transfers(bed: Bed, rounds: int, count: int) -> Iterator[Figure]:
    """Send transfers one after the other, each when the one before is answered."""
    payer, node = bed.payers[0], Node(bed.url)
    halves, tails = [], []
    for _ in range(rounds):
        bodies = [payer.body([[address_of(n)]]) for n in range(count)]
        times = sorted(_milliseconds(node.submit, body) for body in bodies)
        halves.append(statistics.median(times))
        tails.append(times[int(len(times) * 0.99)])
    node.close()
    yield Figure("transfer by automine, p50", "ms", MAX_TRANSFER_MS, tuple(halves))
    yield Figure("transfer by automine, p99", "ms", 5 * MAX_TRANSFER_MS, tuple(tails))


def batches(bed: Bed, rounds: int, count: int) -> Iterator[Figure]:
    """Send transactions in batches over a few connections at a time."""
    found = []
    for _ in range(rounds):
        sent = [_batches(payer, count // SENDERS) for payer in bed.payers]
        started = time.perf_counter()
        with ThreadPoolExecutor(SENDERS) as senders:
            list(senders.map(lambda bodies: _send(bed.url, bodies), sent))
        took = time.perf_counter() - started
        found.append(sum(map(len, sent)) * BATCH / took)
    name = f"transactions in batches of {BATCH}"
    yield Figure(name, "1/s", MIN_PER_SECOND, tuple(found), at_least=True)


def many_accounts(
    bed: Bed, rounds: int, counts: Sequence[int], tell: Tell
) -> Iterator[Figure]:
    """Fill the chain step by step, weigh it, and change accounts among those there are.

    Args:
        bed: the chain.
        rounds: of blocks, for each count.
        counts: accounts, ascending.
        tell: told how far it is.
    """
    for first, count in itertools.pairwise((0, *counts)):
        tell(f"accounts: {count:,}")
        fill(bed, first, count)
        size = sum(file.stat().st_blocks * 512 for file in bed.directory.iterdir())
        bound = MAX_MILLION_MIB * count / _MILLION
        yield Figure(f"{count:,} accounts on disk", "MiB", bound, (size / _MIB,))
        yield _large_blocks(bed, rounds, count)


def fill(bed: Bed, first: int, end: int) -> None:
    """Make accounts, 10 000 with each submission."""
    node = Node(bed.url)
    for start in range(first, end, CHANGED):
        made = [address_of(n) for n in range(start, min(start + CHANGED, end))]
        node.submit(bed.payers[0].body(_grouped(made)))
    node.close()


def _large_blocks(bed: Bed, rounds: int, count: int) -> Figure:
    dice, times = random.Random(1), []
    node = Node(bed.url)
    node.develop("mining", mode="manual")
    for _ in range(rounds):
        chosen = [address_of(n) for n in dice.sample(range(count), CHANGED)]
        node.submit(bed.payers[0].body(_grouped(chosen)))
        times.append(_milliseconds(node.develop, "mine"))
    node.develop("mining", mode="automine")
    node.close()
    name = f"a block that changes {CHANGED:,} of {count:,} accounts"
    return Figure(name, "ms", MAX_BLOCK_MS, tuple(times))


def starts(rounds: int) -> Iterator[Figure]:
    """Start networks with and without chains, in turns: the difference is theirs."""
    took = [(_start(), _start("--no-chains")) for _ in range(rounds + 1)]
    # The first start derives keys and warms the disk's cache.
    added = tuple(chains - none for chains, none in took[1:])
    yield Figure("what both chains add to a start", "s", MAX_READY_SECONDS, added)


def _start(*arguments: str) -> float:
    started = time.perf_counter()
    with run_network("--port-base", "0", *arguments):
        return time.perf_counter() - started


def _batches(payer: Payer, count: int) -> list[bytes]:
    to = [[address_of(n)] for n in range(BATCH)]
    return [payer.body(to) for _ in range(count // BATCH)]


def _send(url: str, bodies: Sequence[bytes]) -> None:
    node = Node(url)
    for body in bodies:
        node.submit(body)
    node.close()


def _grouped(to: Sequence[str]) -> list[Sequence[str]]:
    return [to[at : at + OPERATIONS] for at in range(0, len(to), OPERATIONS)]


def _milliseconds(ask: Callable[[T], object], what: T) -> float:
    started = time.perf_counter()
    ask(what)
    return (time.perf_counter() - started) * 1000
