"""How contenders are asked: by our load generator, or by dnsperf for comparison."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.blast import Load, Prepared, blast, prepare_load
from bench.corpus import Corpus
from bench.peers.contender import Ask, Tally
from resolver.dns.names import name_of

STREAM_WINDOW = 64
"""Requests in flight on one connection, except where it is one."""

DATAGRAM_WINDOW = 160
"""More than the batches of server and generator together, so that neither waits, and
few enough for the receive buffer that the system gives a server by itself."""

_NOERROR = re.compile(r"^\s*Response codes:.*\bNOERROR (\d+)", re.MULTILINE)
_SENT = re.compile(r"^\s*Queries sent:\s*(\d+)", re.MULTILINE)
_COMPLETED = re.compile(r"^\s*Queries completed:\s*(\d+)", re.MULTILINE)
_SECONDS = re.compile(r"^\s*Run time \(s\):\s*([0-9.]+)", re.MULTILINE)
_LEEWAY_SECONDS = 30.0
_TIMES = 2
_WARM_UP_SECONDS = 60.0
"""At most: it ends when all is asked."""


def prepare_warm(load: Load) -> Prepared:
    """Learn the right replies, and ask for everything again until caches must have it.

    A cache may wait for the second question before it keeps an answer.

    Raises:
        SetupError: The corpus is not registered there.
        UnreachableError: Nothing answers.
    """
    prepared = prepare_load(load)
    once = replace(prepared, sequence=np.arange(len(prepared.numbers)))
    again = replace(load, distribution="each-once", seconds=_WARM_UP_SECONDS)
    for _ in range(_TIMES):
        blast(again, prepared=once)
    return prepared


def ask_with_blast(load: Load, prepared: Prepared) -> Ask:
    """Ask as a load says, with what was prepared for its target."""

    def ask(seconds: float) -> Tally:
        outcome = blast(replace(load, seconds=seconds, warm_up=0.0), prepared=prepared)
        right = outcome.answered - outcome.wrong
        return Tally(right, outcome.wrong, outcome.lost, outcome.seconds)

    return ask


def write_queries(file: Path, corpus: Corpus, zone: str, kind: str) -> None:
    """Write a data file for dnsperf: every name of the corpus once.

    Raises:
        OSError: It cannot be written.
    """
    names = (name_of(corpus.identifier(n), zone) for n in range(corpus.count))
    file.write_text("".join(f"{name} {kind}\n" for name in names))


def ask_with_dnsperf(dnsperf: Path, queries: Path, address: tuple[str, int]) -> Ask:
    """Ask with another generator than ours, for a second opinion."""
    host, port = address
    fixed = ["-s", host, "-p", str(port), "-d", str(queries), "-e"]
    fixed += ["-q", str(DATAGRAM_WINDOW), "-c", "1", "-T", "1"]

    def ask(seconds: float) -> Tally:
        # It counts in whole seconds.
        length = max(1, round(seconds))
        done = subprocess.run(  # noqa: S603 (the person's own program)
            [str(dnsperf), *fixed, "-l", str(length)],
            capture_output=True,
            text=True,
            timeout=length + _LEEWAY_SECONDS,
            check=True,
        )
        return read_dnsperf(done.stdout)

    return ask


def read_dnsperf(said: str) -> Tally:
    """Read what dnsperf prints at its end; only NOERROR is a right answer.

    Raises:
        RuntimeError: It printed something else.
    """
    patterns = _SENT, _COMPLETED, _SECONDS
    sent, completed, seconds = (pattern.search(said) for pattern in patterns)
    if sent is None or completed is None or seconds is None:
        message = f"statistics of dnsperf expected, got {said[-200:]!r}"
        raise RuntimeError(message)
    noerror = _NOERROR.search(said)
    right = int(noerror[1]) if noerror else 0
    answered = int(completed[1])
    return Tally(right, answered - right, int(sent[1]) - answered, float(seconds[1]))
