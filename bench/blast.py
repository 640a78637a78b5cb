"""`python -m bench.blast`: put a server under load, and check every reply.

Sends from one thread in compiled loops, in batches. A closed loop keeps a window of
requests in flight; an open loop sends by schedule and counts latency from when a
request should have been sent. Load goes to loopback only, unless told twice.
"""

import argparse
import contextlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from bench.blasting import blast, prepare_load
from bench.corpus import corpus_of
from bench.distribution import Distribution
from bench.invocation import hint_of, pin, progress, read_ready
from bench.load import PUBLIC_ONLY, Check, Load, Outcome, Protocol, Transport
from bench.prepared import Prepared
from registry.errors import RegistryError
from registry.model.codes import ResponseCode
from resolver.commands.console import fail, print_json, show, table
from resolver.errors import ResolverError, SetupError, UnreachableError
from resolver.wire.codes import OpFlag

__all__ = ["Load", "Outcome", "Prepared", "blast", "prepare_load"]

DONE, WRONG, MISUSE, UNREACHABLE = 0, 1, 2, 3


def main(arguments: Iterable[str] | None = None) -> int:
    """Put a server under load; 0 when every reply came and was right, else 1."""
    options = _parser().parse_args(list(arguments) if arguments is not None else None)
    try:
        if options.cpu is not None:
            pin(options.cpu)
        load = load_of(options)
        twice = options.allow_remote and options.i_own_this_target
        with progress(options.json) as told:
            outcome = blast(load, told_twice=twice, told=told)
    except (ResolverError, RegistryError) as error:
        fail(str(error), hint_of(error))
        return UNREACHABLE if isinstance(error, UnreachableError) else MISUSE
    except KeyboardInterrupt:
        return 130
    if options.json:
        print_json({"target": options.target, **outcome.as_dict()})
    else:
        _show(load, outcome)
    return WRONG if outcome.lost or outcome.wrong or outcome.early_faults else DONE


def load_of(options: argparse.Namespace) -> Load:
    """Make the load that the arguments ask for.

    Raises:
        SetupError: They do not make one.
        UnreachableError: No address was given and nothing runs.
    """
    ready = read_ready(options.ready_file)
    flags = PUBLIC_ONLY | (int(OpFlag.AUTHORITATIVE) if options.fresh else 0)
    return Load(
        target=_target(options.target, ready, options.protocol),
        corpus=corpus_of(ready, options.corpus, options.corpus_seed),
        protocol=options.protocol,
        transport=options.transport,
        distribution=options.distribution,
        exponent=options.exponent,
        window=options.window,
        rate=options.rate,
        connections=options.connections,
        seconds=options.seconds,
        queries=options.queries,
        warm_up=options.warm_up,
        timeout=options.timeout,
        seed=options.seed,
        flags=flags,
        check=options.check,
        dns_zone=options.zone or ready["recursive"].get("dns_zone"),
        dns_type=options.type,
    )


def _target(text: str | None, ready: dict[str, Any], protocol: str) -> tuple[str, int]:
    if text is None:
        found = ready["recursive"].get("dns" if protocol == "dns" else "handle")
        if found is None:
            message = f"the network answers no {protocol}"
            raise SetupError(message, "name the target: HOST:PORT")
        host, port = found
        return host, int(port)
    host, colon, number = text.rpartition(":")
    if not colon or not number.isdecimal() or not 0 < int(number) < 1 << 16:
        message = f"target {text!r}: HOST:PORT expected"
        raise SetupError(message, "for example 127.0.0.1:3641")
    return host.strip("[]"), int(number)


def _show(load: Load, outcome: Outcome) -> None:
    host, port = load.target
    how = f"{load.rate:,.0f}/s" if load.rate else f"{load.window} in flight"
    made = table(f"{load.protocol} over {load.transport}", "figure", "value")
    made.add_row("target", f"{host}:{port}")
    made.add_row("asked", how)
    made.add_row("right answers/s", f"{outcome.qps:,.0f}")
    made.add_row("sent", f"{outcome.sent:,}")
    made.add_row("answered", f"{outcome.answered:,}")
    for name in ("lost", "wrong", "unsolicited", "behind", "early_faults"):
        count = getattr(outcome, name)
        label = name.replace("_", " ")
        made.add_row(f"[red]{label}[/]" if count else label, f"{count:,}")
    for code, count in outcome.codes.items():
        made.add_row(f"code {_code_name(load.protocol, code)}", f"{count:,}")
    for name in ("p50", "p90", "p99", "p999", "max", "mean"):
        made.add_row(f"latency {name}", f"{getattr(outcome, f'{name}_us'):,.1f} µs")
    made.add_row("generator CPU", f"{outcome.generator_cpu:.0%} of a core")
    if outcome.reconnects:
        made.add_row("[red]reconnects[/]", str(outcome.reconnects))
    show(made)
    if outcome.first_wrong:
        fail(f"first wrong reply: {outcome.first_wrong}")
    if outcome.behind > outcome.sent // 100:
        fail(
            f"{outcome.behind:,} requests were sent late: the generator, or what "
            "shares its core, was too slow",
            "give it a core of its own: --cpu N; or a lower --rate",
        )


def _code_name(protocol: str, code: int) -> str:
    if protocol == "handle":
        with contextlib.suppress(ValueError):
            return f"{code} {ResponseCode(code).name}"
    return str(code)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m bench.blast",
        description="Put a server under load and check every reply.",
    )
    add = made.add_argument
    add("target", nargs="?", help="HOST:PORT, default the running recursive node")
    add("--protocol", choices=get_args(Protocol), default="handle")
    add("--transport", choices=get_args(Transport), default="udp")
    mode = made.add_mutually_exclusive_group()
    mode.add_argument("--window", type=int, default=64, help="in flight, default 64")
    mode.add_argument("--rate", type=float, help="requests a second by schedule")
    add("--connections", type=int, default=1, help="sockets, default 1")
    add("--seconds", type=float, default=5.0, help="default 5")
    add("--queries", type=int, help="stop earlier, after so many")
    add("--warm-up", type=float, default=0.5, help="seconds not counted, default 0.5")
    add("--timeout", type=float, default=1.0, help="seconds until lost, default 1")
    add("--corpus", type=int, default=10_000, help="identifiers, default 10000")
    add("--corpus-seed", type=int, default=1, help="of the corpus, default 1")
    add("--seed", type=int, default=1, help="of the sequence, default 1")
    add("--ready-file", type=Path, help="of the network, for its prefixes")
    add("--distribution", choices=get_args(Distribution), default="zipf")
    add("--exponent", type=float, default=1.0, help="of Zipf, default 1.0")
    add("--check", choices=get_args(Check), help="where expected replies come from")
    add("--fresh", action="store_true", help="ask past the recursive node's cache")
    add("--zone", help="of DNS names, default the network's")
    add("--type", default="TXT", help="of DNS records, default TXT")
    add("--cpu", type=int, help="run on this core only")
    add("--allow-remote", action="store_true", help="a target beyond loopback ...")
    add("--i-own-this-target", action="store_true", help="... needs both of these")
    add("--json", action="store_true", help="JSON on stdout")
    return made


if __name__ == "__main__":
    sys.exit(main())
