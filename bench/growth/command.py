"""`python -m bench growth`: the same work put to more and more secondary nodes.

For each number of secondary nodes a fresh network in a process of its own, in two
series: the same identifiers spread over more nodes, and identifiers that grow with the
nodes. Writes `growth.json` and `growth.html` to DIR and prints a table.
"""

import argparse
import contextlib
import datetime as dt
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from bench.growth import plan as mixes
from bench.growth.html import page
from bench.growth.plan import (
    FULL_STEPS,
    QUICK_STEPS,
    Plan,
    Run,
    full_plan,
    in_order,
    quick_plan,
    runs,
    steps_between,
)
from bench.growth.results import growth_json
from bench.growth.stepping import Step, steady_rate
from bench.growth.summary import Json
from bench.growth.tables import show_results
from bench.growth.under_test import NetworkUnderTest, network_under_test
from bench.machine import describe_commit, describe_machine
from bench.serving import Cores, find_cores, on_cores
from resolver.commands.console import fail, say
from resolver.errors import SetupError
from resolver.topology import load_topology

_COLD_START_ARGUMENTS = ("--secondaries", "1")


def main(arguments: Iterable[str] | None = None) -> int:
    """Measure growth; 0 when it was measured, whatever came of it."""
    options = _parser().parse_args(list(arguments) if arguments is not None else None)
    try:
        plan = _plan(options)
        options.out.mkdir(parents=True, exist_ok=True)
    except SetupError as error:
        fail(str(error), error.hint)
        return 2
    except OSError as error:
        fail(f"--out {options.out}: {error.strerror or error}")
        return 2
    started = time.monotonic()
    found = measure(plan, topology=options.topology)
    found["seconds"] = time.monotonic() - started
    text = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
    (options.out / "growth.json").write_text(text)
    (options.out / "growth.html").write_text(page(found))
    show_results(found)
    say(f"{options.out / 'growth.json'}, {options.out / 'growth.html'}")
    return 0


def measure(plan: Plan, *, topology: Path | None = None) -> Json:
    """Run a plan; gives what `growth.json` holds.

    With a topology file there is one network, and so one step.

    Raises:
        RuntimeError: A network did not start, or an order to it failed.
    """
    cores = find_cores()
    about = {
        "commit": describe_commit(),
        "machine": {**describe_machine(), "pinning": cores.text},
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),  # noqa: TID251
    }
    with (
        tempfile.TemporaryDirectory(prefix="idis-growth-") as work,
        contextlib.ExitStack() as stack,
    ):
        measuring = _Measuring(plan, cores, Path(work), topology)
        steps = measuring.start_all(stack)
        with on_cores(cores.generator):
            measuring.measure_all(steps)
        return growth_json(plan, steps, about)


class _Measuring:
    """Carries a plan out and says how far it is."""

    def __init__(
        self, plan: Plan, cores: Cores, work: Path, topology: Path | None
    ) -> None:
        self._plan = plan
        self._cores = cores
        self._work = work
        self._topology = topology
        self._ready_file = work / "ready.json"
        self._rates: dict[str, float] = {}
        self._done = 0
        chosen = runs(plan)
        self._all = len(chosen) * (2 + plan.rounds * len(mixes.SEARCHED))

    def start_all(self, stack: contextlib.ExitStack) -> list[Step]:
        """Start and fill every network; each sleeps until it is measured."""
        if self._plan.starts:
            # Derived keys and the disk's cache: only the first start ever waits so.
            with self._network(_COLD_START_ARGUMENTS):
                pass
        return [self._start(run, stack) for run in runs(self._plan)]

    def measure_all(self, steps: list[Step]) -> None:
        """Go through all mixes and rounds, then through what comes once."""
        for number in range(self._plan.rounds):
            for mix in mixes.SEARCHED:
                for at in in_order(range(len(steps)), number):
                    with _awake(steps[at]):
                        self._measure(steps[at], mix)
        for step in steps:
            with _awake(step):
                self._measure_once(step)

    def _measure(self, step: Step, mix: str) -> None:
        found = step.search(mix, self._ready_file)
        rate = self._rates.setdefault(mix, steady_rate(found))
        step.steady(mix, rate, self._ready_file)
        best = found.best or found.closed
        kept = "" if found.best else " (closed loop: no rate kept the limit)"
        self._say(
            step,
            f"{mix}: {best.outcome.qps:,.0f}/s, p99 {best.outcome.p99_us / 1000:.2f} "
            f"ms, {best.cpu_us_per_query:.1f} µs CPU{kept}",
        )

    def _measure_once(self, step: Step) -> None:
        rate = step.register_in_bulk(self._ready_file)
        natural = step.ask_naturally()
        lost = step.lose_and_regain()
        back = lost.seen.regained_seconds
        self._say(
            step,
            f"{rate:,.0f} registrations/s, hit rate {natural.hits.rate:.0%}, node lost: "
            f"{lost.lost.outcome.failed} of {lost.lost.outcome.sent} failed, regained "
            + (f"in {back:.2f} s" if back is not None else "never"),
        )

    def _start(self, run: Run, stack: contextlib.ExitStack) -> Step:
        arguments = self._arguments(run)
        times, sizes = [], []
        for _ in range(self._plan.starts - 1):
            with self._network(arguments) as network:
                times.append(network.start_seconds)
                sizes.append(network.resident_mib())
        network = stack.enter_context(self._network(arguments))
        step = Step(run, self._plan, network)
        step.start_seconds += times
        step.resident_mib += sizes
        step.fill()
        network.sleep()
        self._say(
            step,
            f"ready in {network.start_seconds:.2f} s, {step.resident_mib[0]:.0f} MiB, "
            f"filled in {step.load_seconds:.1f} s",
        )
        return step

    def _network(
        self, arguments: Iterable[str]
    ) -> contextlib.AbstractContextManager[NetworkUnderTest]:
        return network_under_test(
            tuple(arguments),
            self._cores,
            fast_path=self._plan.fast_path,
            log=self._work / "network.log",
        )

    def _arguments(self, run: Run) -> tuple[str, ...]:
        if self._topology is not None:
            where: tuple[str, ...] = ("--topology", str(self._topology))
        else:
            where = ("--secondaries", str(run.secondaries))
        return (*where, "--seed", str(self._plan.seed))

    def _say(self, step: Step, text: str) -> None:
        self._done += 1
        run = step.run
        say(
            f"[{self._done}/{self._all}] {run.secondaries} nodes, "
            f"{run.identifiers:,} identifiers: {text}"
        )


@contextlib.contextmanager
def _awake(step: Step) -> Iterator[None]:
    step.network.wake()
    try:
        yield
    finally:
        step.network.sleep()


def _plan(options: argparse.Namespace) -> Plan:
    default = QUICK_STEPS if options.quick else FULL_STEPS
    if options.topology is not None:
        steps: tuple[int, ...] = (len(load_topology(options.topology).secondaries),)
    else:
        steps = steps_between(options.first, options.last, options.steps, default)
    made = quick_plan if options.quick else full_plan
    plan = made(steps, options.seed)
    changed = {
        "identifiers": options.identifiers,
        "rounds": options.rounds,
        "p99_limit_us": options.p99_limit_us,
        "registrations_per_second": options.registrations,
    }
    return replace(
        plan,
        fast_path=options.fast_path == "auto",
        **{name: value for name, value in changed.items() if value is not None},
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench growth",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--from", dest="first", type=int, default=14, help="secondary nodes at first")
    add("--to", dest="last", type=int, default=35, help="secondary nodes at last")
    add(
        "--steps",
        default="",
        help=f"how many steps, or which, like 14,24,35; default {FULL_STEPS}, "
        f"{QUICK_STEPS} with --quick",
    )
    add("--quick", action="store_true", help="three minutes: a first look")
    add("--out", type=Path, required=True, help="directory for JSON and HTML")
    add("--seed", type=int, default=1)
    add("--identifiers", type=int, help="at the first step")
    add("--rounds", type=int, help="medians are over these")
    add("--p99-limit-us", type=int, help="what a rate must keep, default 10000")
    add("--registrations", type=int, help="a second, beside questions, default 2000")
    add("--fast-path", choices=("auto", "off"), default="auto")
    add("--topology", type=Path, help="one network from this file instead of steps")
    return parser


if __name__ == "__main__":
    sys.exit(main())
