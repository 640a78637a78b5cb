"""`python -m bench`: measure what the README says, on this machine.

Alone it prints a table of figures and, with `--json`, one JSON document. Each figure has
its bound from the design; the exit code is 0 whether or not it is met, because a busy
machine is no error. The larger measurements are commands of their own, each with
`--help`; what they need is imported when they are asked for.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Iterable

from bench.figures import figures_table, measure
from bench.machine import describe_machine
from resolver.commands.console import show

COMMANDS = {
    "peers": ("bench.peers.command", "other servers asked the same, side by side"),
    "registrations": ("bench.registrations", "durable and proven: in bulk, one by one"),
    "links": ("bench.links", "GS1 Digital Link redirects over HTTP"),
    "anchoring": ("bench.anchoring", "what anchoring the log adds to a registration"),
    "chain": (
        "bench.chain.command",
        "the local chain: transfers, batches, large blocks",
    ),
    "codes": ("bench.codes", "product codes decoded and resolved"),
    "limits": ("bench.limits.command", "a full cache, floods, a busy registry"),
    "growth": ("bench.growth.command", "14 to 35 secondary nodes, step by step"),
    "simulate": ("bench.simulate.command", "the tree at the scale of the nation"),
}
"""By name: the module whose `main(arguments)` runs it, and what it measures."""


def main(arguments: Iterable[str] | None = None) -> int:
    """Measure the figures, or run the command that is named first."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in COMMANDS:
        module = importlib.import_module(COMMANDS[given[0]][0])
        return int(module.main(given[1:]))
    options = _parser().parse_args(given)
    figures = list(measure(options.rounds))
    if options.json:
        found = {
            "machine": describe_machine(),
            "figures": [f.as_dict() for f in figures],
        }
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return 0
    show(figures_table(figures))
    return 0


def _parser() -> argparse.ArgumentParser:
    lines = [f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog="\n".join(("commands:", *lines)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # Names are looked up before this parser is asked; here they make the messages.
    parser.add_argument("command", nargs="?", choices=sorted(COMMANDS))
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    parser.add_argument("--rounds", type=int, default=3, help="per figure, default 3")
    return parser


if __name__ == "__main__":
    sys.exit(main())
