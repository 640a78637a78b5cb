"""`python -m bench.limits.flood`: send what a server has to withstand, at a set rate.

    octets    datagrams of random octets, 1 to 200 of them
    unknown   questions for identifiers that do not exist, each another one
    missing   questions for identifiers of the corpus that nobody has asked for yet
    half      connections that begin a request and never end it

Answers are not read: the system drops them once the socket is full. Says `ready`, then
floods until its time is up and prints how much was sent, as JSON. Only loopback is
flooded.
"""

import argparse
import ipaddress
import json
import random
import resource
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from bench.corpus import Corpus
from bench.load import Load
from bench.questions import writer_of

MAX_OPEN = 3000
"""Connections held open; the oldest is closed for a new one."""

KINDS = ("octets", "unknown", "missing", "half")
_MAX_OCTETS = 200
_TURN_SECONDS = 0.001
_MOST_AT_ONCE = 256
_BEGINNING = bytes.fromhex(
    "020a020b 00000000 00000001 00000000 000000c8".replace(" ", "")
)
"""An envelope that announces 200 octets (handle notes §1.1)."""


def flood(send: Callable[[], object], rate: float, seconds: float) -> tuple[int, float]:
    """Call `send` so often a second; give how often it was, and the seconds.

    What could not be sent in time is not made up for: floods have no conscience.
    """
    sent = 0
    start = now = time.monotonic()
    behind = 0.0
    while now - start < seconds:
        time.sleep(_TURN_SECONDS)
        before, now = now, time.monotonic()
        behind = min(behind + (now - before) * rate, _MOST_AT_ONCE)
        for _ in range(int(behind)):
            send()
        sent += int(behind)
        behind -= int(behind)
    return sent, now - start


def datagrams(kind: str, corpus: Corpus, seed: int) -> Iterator[bytes]:
    """Make the datagrams of a flood, without end."""
    dice = random.Random(seed)
    if kind == "octets":
        while True:
            yield dice.randbytes(dice.randint(1, _MAX_OCTETS))
    write = writer_of(Load(("127.0.0.1", 1), corpus))
    while True:
        if kind == "missing":
            yield write(corpus.identifier(dice.randrange(corpus.count)))
        else:
            prefix = dice.choice(corpus.prefixes)
            yield write(f"{prefix}/NONE-{dice.getrandbits(64):x}")


def _datagram_sender(
    target: tuple[str, int], messages: Iterator[bytes]
) -> Callable[[], object]:
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sender.connect(target)

    def send() -> None:
        try:
            sender.send(next(messages))
        except ConnectionRefusedError:
            return  # what an earlier datagram met

    return send


def _beginner(target: tuple[str, int]) -> Callable[[], object]:
    opened: deque[socket.socket] = deque()

    def begin() -> None:
        if len(opened) >= MAX_OPEN:
            opened.popleft().close()
        try:
            connection = socket.create_connection(target, timeout=1)
            opened.append(connection)
            connection.send(_BEGINNING)
        except OSError:
            return  # refused or cut, as a flood should be

    return begin


def main(arguments: Iterable[str] | None = None) -> int:
    """Flood for a while."""
    parser = argparse.ArgumentParser(prog="bench.limits.flood", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="a second")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--prefixes", nargs="+", default=["88.118.7"])
    parser.add_argument("--corpus", type=int, default=1, help="identifiers there are")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    if not ipaddress.ip_address(options.host).is_loopback:
        parser.error(f"--host {options.host}: only loopback is flooded")
    target = options.host, options.port
    if options.kind == "half":
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        send = _beginner(target)
    else:
        corpus = Corpus(tuple(options.prefixes), options.corpus)
        send = _datagram_sender(target, datagrams(options.kind, corpus, options.seed))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sent, seconds = flood(send, options.rate, options.seconds)
    sys.stdout.write(json.dumps({"done": sent, "seconds": seconds}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
