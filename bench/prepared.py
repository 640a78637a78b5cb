"""What is made before a load: requests, and the replies that they should get.

Learning asks every identifier of the load once, by the same loops as the load itself,
and compares each reply with the corpus: type and data of every value, nothing missing,
nothing more. From then on the very octets of that reply are what is right.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bench import load_flight as flight
from bench.distribution import draw
from bench.load import DEFAULT_SEQUENCE, MAX_SEQUENCE, Load, Told
from bench.load_run import MAX_REPLY_OCTETS, Pace, new_run, perform
from bench.load_sockets import Sockets, open_sockets
from bench.questions import Flat, computed_reply, writer_of
from bench.verifying import verifier_of
from resolver.errors import UnreachableError

CHUNK = 8192
"""Identifiers learned at a time."""

MAX_COMPUTED = 500_000
"""Replies computed; of other items only code and name are checked."""

_ROUNDS = 3
_LEARN_WINDOW = 64
_NOTHING = Flat.of(())


@dataclass(frozen=True, slots=True)
class Prepared:
    """Requests and expected replies; good for other rates and windows too."""

    numbers: np.ndarray
    """The number of each item in the corpus."""

    sequence: np.ndarray
    """Items in the order in which they are asked."""

    questions: Flat
    answers: Flat


def prepare(load: Load, address: str, told: Told | None = None) -> Prepared:
    """Draw the sequence, write the requests, learn or compute the replies.

    Raises:
        UnreachableError: Nothing answers.
        SetupError: The corpus is not registered there.
    """
    told = told or _tell_nobody
    order = draw(
        load.distribution,
        load.corpus.count,
        sequence_length(load),
        exponent=load.exponent,
        seed=load.seed,
    )
    numbers, sequence = np.unique(order, return_inverse=True)
    write, name = writer_of(load), load.corpus.identifier
    count = len(numbers)
    written = (write(name(int(number))) for number in numbers)
    questions = Flat.of(_counted(written, count, "requests written", told))
    prepared = Prepared(numbers, sequence, questions, _NOTHING)
    if load.checked_by == "computed":
        computed = _compute(load, numbers)
        answers = Flat.of(_counted(computed, count, "replies computed", told))
    else:
        answers = Flat.of(_learn(load, address, prepared, told))
    return replace(prepared, answers=answers)


def sequence_length(load: Load) -> int:
    """Give how many requests there are before the sequence begins again."""
    if load.sequence is not None:
        return load.sequence
    if load.distribution == "each-once":
        wanted = load.queries or load.corpus.count
    else:
        wanted = load.queries or DEFAULT_SEQUENCE
    return min(wanted, MAX_SEQUENCE)


def _compute(load: Load, numbers: np.ndarray) -> Iterator[bytes]:
    """Compute replies for all items, or for some spread among them."""
    step = -(-len(numbers) // MAX_COMPUTED)
    for at, number in enumerate(numbers):
        yield computed_reply(load.corpus, int(number)) if at % step == 0 else b""


def _learn(load: Load, address: str, prepared: Prepared, told: Told) -> Iterator[bytes]:
    alone = replace(load, rate=None, window=_LEARN_WINDOW, connections=1)
    largest = prepared.questions.largest()
    target = address, load.target[1]
    verify = verifier_of(load)
    count = len(prepared.numbers)
    with open_sockets(target, load.transport, 1, largest) as sockets:
        for items in _chunks(count):
            replies = _ask(alone, prepared, items, sockets)
            for item, reply in zip(items, replies, strict=True):
                verify(int(prepared.numbers[item]), reply)
                yield reply
            told("replies learned", int(items[-1]) + 1, count)


def _chunks(count: int) -> Iterator[np.ndarray]:
    """Cut items into chunks, the first one small: it tells whether anything answers."""
    start = 0
    while start < count:
        stop = min(start + (CHUNK if start else _LEARN_WINDOW), count)
        yield np.arange(start, stop)
        start = stop


def _ask(
    load: Load, prepared: Prepared, items: np.ndarray, sockets: Sockets
) -> Iterator[bytes]:
    """Ask items that follow each other, and again those without a reply.

    Raises:
        UnreachableError: One still has none.
    """
    learned = np.zeros((len(items), MAX_REPLY_OCTETS), np.uint8)
    octets = np.zeros(len(items), np.int64)
    run = new_run(load, items, prepared.questions, _NOTHING)
    run = run._replace(learned=learned, learned_octets=octets)
    run.control[flight.CHECK] = flight.LEARN
    run.control[flight.LEARNED_FROM] = items[0]
    missing = items
    for _ in range(_ROUNDS):
        run = run._replace(sequence=missing)
        run.control[flight.NEXT] = 0
        perform(run, sockets, Pace(last=len(missing)))
        missing = items[octets == 0]
        if len(missing) in (0, len(items)):  # all there, or nobody answers
            break
    if len(missing):
        raise _unanswered(load, prepared, missing)
    for row, size in zip(learned, octets, strict=True):
        yield row[:size].tobytes()


def _unanswered(
    load: Load, prepared: Prepared, missing: np.ndarray
) -> UnreachableError:
    host, port = load.target
    name = load.corpus.identifier(int(prepared.numbers[missing[0]]))
    return UnreachableError(
        f"{host}:{port} ({load.transport}) does not answer {load.protocol} requests: "
        f"{len(missing)} without a reply, the first one for {name}"
    )


def _counted(
    pieces: Iterator[bytes], count: int, what: str, told: Told
) -> Iterator[bytes]:
    """Pass pieces on and tell how many there were."""
    for done, piece in enumerate(pieces, 1):
        yield piece
        if done % CHUNK == 0:
            told(what, done, count)


def _tell_nobody(what: str, done: int, count: int) -> None:
    """Tell nobody."""
