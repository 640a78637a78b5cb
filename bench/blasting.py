"""The load generator: one load put on its target, and what came of it."""

import time
from dataclasses import replace

from bench import load_flight as flight
from bench.latency import summary_of
from bench.load import Load, Outcome, Told, check_target
from bench.load_flight import Run
from bench.load_run import Pace, new_run, perform
from bench.load_sockets import open_sockets
from bench.prepared import Prepared, prepare
from bench.verifying import fault_finder, shown
from resolver.errors import UnreachableError


def blast(
    load: Load,
    *,
    told_twice: bool = False,
    prepared: Prepared | None = None,
    told: Told | None = None,
) -> Outcome:
    """Put a load on its target and give what came of it.

    Args:
        load: What to do.
        told_twice: The target may be another machine.
        prepared: What `prepare_load` made for the same target, corpus, protocol and
            sequence: requests are not written and replies not learned again.
        told: Told from time to time what is being done and how far it is.

    Raises:
        SetupError: The load is refused, or the corpus is not registered there.
        UnreachableError: Nothing answers.
    """
    address = check_target(load, told_twice=told_twice)
    if prepared is None:
        prepared = prepare(load, address, told)
    run = new_run(load, prepared.sequence, prepared.questions, prepared.answers)
    once = load.distribution == "each-once"
    pace = Pace(
        counted_from=load.counted_from,
        seconds=load.seconds,
        queries=load.queries,
        rate=load.rate,
        last=len(prepared.sequence) if once else None,
    )
    target, largest = (address, load.target[1]), prepared.questions.largest()
    with open_sockets(target, load.transport, load.connections, largest) as sockets:
        cpu, wall = time.process_time(), time.monotonic()
        reconnects = perform(run, sockets, pace, told)
        cpu = (time.process_time() - cpu) / max(time.monotonic() - wall, 1e-9)
    outcome = replace(_outcome(run, reconnects), generator_cpu=cpu)
    _check_answered(load, run)
    return replace(outcome, first_wrong=_first_wrong(load, prepared, run))


def prepare_load(
    load: Load, *, told_twice: bool = False, told: Told | None = None
) -> Prepared:
    """Write the requests of a load and learn the replies, to be used several times.

    Raises:
        SetupError: The load is refused, or the corpus is not registered there.
        UnreachableError: Nothing answers.
    """
    return prepare(load, check_target(load, told_twice=told_twice), told)


def _outcome(run: Run, reconnects: int) -> Outcome:
    early, counted = run.counters
    faults = early[[flight.LOST, flight.WRONG, flight.UNSOLICITED]]
    spent = run.control[flight.LAST_NS] - run.control[flight.MEASURE_NS]
    codes = {int(code): int(run.codes[code]) for code in run.codes.nonzero()[0]}
    figures = summary_of(run.latencies)._asdict()
    return Outcome(
        sent=int(counted[flight.SENT]),
        answered=int(counted[flight.ANSWERED]),
        lost=int(counted[flight.LOST]),
        wrong=int(counted[flight.WRONG]),
        failed=int(counted[flight.FAILED]),
        unsolicited=int(counted[flight.UNSOLICITED]),
        behind=int(counted[flight.BEHIND]),
        early_faults=int(faults.sum()),
        reconnects=reconnects,
        seconds=max(0.0, float(spent) / 1e9),
        codes=codes,
        generator_cpu=0.0,
        **figures,
    )


def _check_answered(load: Load, run: Run) -> None:
    if (
        run.counters[:, flight.SENT].sum()
        and not run.counters[:, flight.ANSWERED].sum()
    ):
        host, port = load.target
        lost = run.counters[:, flight.LOST].sum()
        message = f"{host}:{port} ({load.transport}) answered none of {lost} requests"
        raise UnreachableError(message)


def _first_wrong(load: Load, prepared: Prepared, run: Run) -> str:
    """Say what was wrong with the first wrong reply."""
    item = int(run.control[flight.EXAMPLE_ITEM])
    if item < 0:
        return ""
    number = int(prepared.numbers[item])
    reply = run.example[: run.control[flight.EXAMPLE_OCTETS]].tobytes()
    fault = fault_finder(load)(number, reply)
    if not fault:
        expected = prepared.answers[item]
        fault = f"{shown(expected)} expected, got {shown(reply)}"
    return f"{load.corpus.identifier(number)}: {fault}"
