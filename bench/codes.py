"""`python -m bench codes`: what a product code costs, decoded and resolved.

Decoding needs no network. For resolving, `idis up` runs in a process of its own, on one
core where there are two; products with alias records, serials by alias and by rule are
registered, and each is asked for once, so that the recursive node has it in its cache.
What counts then is this process's own CPU time: "a core" of the client. Memory is this
process's resident peak over ten thousand and over a million lines.
"""

import argparse
import asyncio
import functools
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import psutil

from bench.figures import Figure, figures_table
from bench.machine import describe_machine
from bench.serving import find_cores, on_cores, pin, wait_for_fast_path
from registry.model.codes import ResponseCode
from registry.model.value import Value
from registry.schemes.decoding import decode
from registry.schemes.gs1 import check_digit
from resolver.client import Client
from resolver.client.pipeline import Pipeline
from resolver.client.request import creation
from resolver.commands.console import show
from resolver.commands.running import from_ready
from resolver.errors import ResolverError
from resolver.running import RunningNetwork, run_network
from resolver.session.exchange import ServerAddress

ENTERPRISE, COMPANY_PREFIX = "88.100.1", "95210001"
CODE_PREFIX = f"88.GS1.{COMPANY_PREFIX}"
FIRST_ITEM = 5000
"""Items below are left to the seeded products."""

MAX_PRODUCTS = 4999
CONCURRENCY = 64
DECODE_GOAL, RESOLVE_GOAL, MEMORY_GOAL_MIB = 150_000, 20_000, 8
_MIB = 1 << 20
_SAMPLED_EVERY = 5000


class Corpus(NamedTuple):
    """The codes of the same products, by the way they are written."""

    gtin: list[str]
    alias: list[str]
    """Items whose serial has an alias record, as element strings."""

    rule: list[str]
    """Items whose serial the enterprise's rule maps."""

    identifier: list[str]

    @property
    def mixed(self) -> list[str]:
        """All kinds, in turn."""
        return list(itertools.chain.from_iterable(zip(*self, strict=True)))


def corpus(products: int) -> Corpus:
    """Make the codes of `products` products."""
    gtins = [_gtin(number) for number in range(products)]
    return Corpus(
        gtins,
        [f"(01)0{gtin}(21)A{number}" for number, gtin in enumerate(gtins)],
        [f"(01)0{gtin}(21)R{number}" for number, gtin in enumerate(gtins)],
        [f"{ENTERPRISE}/BENCH{number}" for number in range(products)],
    )


def _gtin(number: int) -> str:
    digits = f"{COMPANY_PREFIX}{FIRST_ITEM + number:04d}"
    return digits + check_digit(digits)


def _records(codes: Corpus) -> Iterator[tuple[str, tuple[Value, ...]]]:
    """Name what must be registered for the codes: records and alias records."""
    for number, (gtin, identifier) in enumerate(
        zip(codes.gtin, codes.identifier, strict=True)
    ):
        values = (
            Value(1, "URL", f"https://example.com/{number}".encode()),
            Value(2, "NAME", f"product {number}".encode()),
        )
        alias = (Value(1, "HS_ALIAS", identifier.encode()),)
        yield identifier, values
        yield f"{ENTERPRISE}/SNR{number}", values
        yield f"{CODE_PREFIX}/01/0{gtin}", alias
        yield f"{CODE_PREFIX}/01/0{gtin}/21/A{number}", alias


async def register(network: RunningNetwork, codes: Corpus) -> None:
    """Register everything, as the enterprise."""
    credential = from_ready(network.credential("secret", ENTERPRISE))
    refused: list[str] = []

    def answered(number: int, code: int, text: str) -> None:
        if code != ResponseCode.SUCCESS:
            refused.append(f"{number}: {code} {text}")

    server = _server(network)
    pipeline = await Pipeline.connect(server, credential, answered)
    for number, (name, values) in enumerate(_records(codes)):
        await pipeline.send(creation(name, values, overwrite=True), number)
    await pipeline.finish()
    pipeline.close()
    if refused:
        raise ResolverError(f"{len(refused)} registrations refused: {refused[0]}")


def _server(network: RunningNetwork) -> ServerAddress:
    nodes: list[dict[str, Any]] = network.ready["nodes"]
    node = next(node for node in nodes if ENTERPRISE in node["prefixes"])
    host, port = node["handle"]
    return ServerAddress(host, None, port)


def decoded_per_second(codes: Sequence[str], count: int) -> float:
    """Codes decoded in a second of CPU time."""
    rounds = max(1, count // len(codes))
    started = time.process_time()
    for _ in range(rounds):
        for code in codes:
            decode(code)
    return rounds * len(codes) / (time.process_time() - started)


def resolved_per_second(
    network: RunningNetwork, codes: Sequence[str], count: int
) -> float:
    """Codes resolved in a second of this process's CPU time; each has its record."""
    with Client(network.recursive) as client:
        _run(client, codes)  # the recursive node learns them
        lines = itertools.islice(itertools.cycle(codes), count)
        started = time.process_time()
        _run(client, lines)
        return count / (time.process_time() - started)


def _run(client: Client, lines: Iterable[str]) -> None:
    for result in client.resolve_many(lines, concurrency=CONCURRENCY):
        if not result.answer.values:
            raise ResolverError(f"{result.text}: no values")


def peak_mib(network: RunningNetwork, codes: Sequence[str], count: int) -> float:
    """Resident peak of this process while it resolves `count` lines."""
    process = psutil.Process()
    peak: int = process.memory_info().rss
    lines = itertools.islice(itertools.cycle(codes), count)
    with Client(network.recursive) as client:
        results = client.resolve_many(lines, concurrency=CONCURRENCY)
        for number, _ in enumerate(results):
            if number % _SAMPLED_EVERY == 0:
                peak = max(peak, process.memory_info().rss)
    return float(max(peak, process.memory_info().rss)) / _MIB


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    """Measure every figure."""
    codes = corpus(options.products)
    plain = [f"010{gtin}21A{n}" for n, gtin in enumerate(codes.gtin)]
    count, rounds = options.count, options.rounds
    for name, kind in (
        ("GTIN-13", codes.gtin),
        ("element string, bracketed", codes.alias),
        ("element string, plain", plain),
        ("identifier", codes.identifier),
    ):
        found = _repeat(rounds, functools.partial(decoded_per_second, kind, count))
        yield Figure(f"decoded, {name}", "1/s", DECODE_GOAL, found, at_least=True)
    cores = find_cores()
    with run_network("--port-base", "0") as network, on_cores(cores.generator):
        wait_for_fast_path(network)
        asyncio.run(register(network, codes))
        pin(network.process.pid, cores.server)
        for name, kind in (
            ("GTIN-13", codes.gtin),
            ("serial by alias", codes.alias),
            ("serial by rule", codes.rule),
            ("identifier", codes.identifier),
            ("all mixed", codes.mixed),
        ):
            found = _repeat(
                rounds, functools.partial(resolved_per_second, network, kind, count)
            )
            yield Figure(f"resolved, {name}", "1/s", RESOLVE_GOAL, found, at_least=True)
        small = peak_mib(network, codes.mixed, 10_000)
        large = peak_mib(network, codes.mixed, options.lines)
        name = f"memory, {options.lines:,} lines over 10,000"
        yield Figure(name, "MiB", MEMORY_GOAL_MIB, (large - small,))


def _repeat(rounds: int, once: Callable[[], float]) -> tuple[float, ...]:
    return tuple(once() for _ in range(rounds))


def main(arguments: Iterable[str] | None = None) -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench codes", description=__doc__)
    parser.add_argument("--products", type=int, default=2000, help="in the corpus")
    parser.add_argument("--count", type=int, default=50_000, help="codes a round")
    parser.add_argument("--lines", type=int, default=1_000_000, help="for memory")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    if not 0 < options.products <= MAX_PRODUCTS:
        parser.error(f"--products {options.products}: 1 to {MAX_PRODUCTS} expected")
    figures = list(measure(options))
    if options.json:
        found = {
            "machine": describe_machine(),
            "figures": [figure.as_dict() for figure in figures],
        }
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
    else:
        show(figures_table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
