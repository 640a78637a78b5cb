"""The fast path against the long way: the same octets for whatever is asked and done.

A node without sockets answers through a packet cache in front of it. Each hit must be
what the node itself says at that moment, and so must what the cache has just learned.
"""

import asyncio
import contextlib
import functools
import operator
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import uvloop
from hypothesis import HealthCheck, event, given, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from registry.change import Change
from registry.errors import RegistryError
from registry.journal import Operation
from registry.model.identifier import CaseRule, canonical
from registry.model.octets import pack_u32
from registry.model.value import Reference, Value, encode_values
from registry.prefixes import Prefixes
from resolver.cache import shared_key
from resolver.chain import Origin
from resolver.encoder import MAX_BODY_OCTETS
from resolver.node import Node, ServerKey
from resolver.settings import NodeSettings
from resolver.wire.codes import OpCode, OpFlag, ResponseCode
from resolver.wire.message import decode_message
from resolver.wire.request import KNOWN_OPERATIONS, Resolution, WithValues
from tests.packet_caches import NOW, PUBLIC, ask, check_packets, reply, request
from tests.registries import InlineExecutor
from tests.strategies import U8, U16, U32
from tests.vectors.read import golden_pairs, sdk_requests

pytest.importorskip("numba", exc_type=ImportError)

from resolver.faces.fast_path import FastHandle
from resolver.fastpath import compiled, layout
from resolver.fastpath.engine import Engine

# Kernels may have to be compiled first.
pytestmark = pytest.mark.timeout(120)

TCP, UDP = Origin("tcp", connected=True), Origin("udp", connected=False)
TICK = 1 / 64
"""A time that is the same in microseconds and in seconds, to the last bit."""

URL = Value(1, "URL", b"https://example.com")
MAIL = Value(2, "EMAIL", b"a@example.com")
ALTERNATIVE = Value(4, "URL.ALT", b"https://example.org")
RESTRICTED = Value(3, "SERIAL", b"for administrators", permissions=0x0C)
SITE = Value(1, "HS_SITE", b"a site that nobody reads")
OWNER = Reference("88.100.1/ADMIN", 300)


class Fronted:
    """A node with a packet cache in front, in the test's own thread."""

    def __init__(self, node: Node, arena_octets: int = 1 << 18, slots: int = 512):
        assert node.responder is not None
        self.node = node
        self.engine = Engine(arena_octets=arena_octets, slots=slots)
        self.engine.doorkeeper = _Welcoming()
        self.packets = self.engine._packets
        self.fast = FastHandle(
            self.engine,
            node.telemetry,
            exact_suffixes=node.settings.case_rule is CaseRule.EXACT,
            from_cache=node.cache is not None,
        )
        self.now = float(NOW)
        self.hits = 0
        self._key = layout.make_key()
        self._out = np.zeros(layout.MAX_REPLY_OCTETS, np.uint8)

    def close(self) -> None:
        self.engine._poll.close()
        os.close(self.engine._bell)
        os.close(self.engine._stop_bell)

    def quick(self, octets: bytes, transport: int = layout.UDP) -> bytes | None:
        """Answer from the packet cache, as the serving loop does."""
        if not octets:
            return None
        size = compiled.answer(
            self.packets,
            self.fast._owner,
            transport,
            np.frombuffer(octets, np.uint8),
            0,
            len(octets),
            self._out,
            0,
            layout.MAX_REPLY_OCTETS,
            int(self.now * 1_000_000),
            self._key,
        )
        return self._out[:size].tobytes() if size else None

    def slow(self, octets: bytes, origin: Origin = UDP, *, learn: bool = True):
        """Answer by the node itself; gives an awaitable where it has to wait."""
        responder = self.node.responder
        assert responder is not None
        responder.learn = self.fast.learn if learn else _ignore
        return responder.respond(octets, origin, "peer", self.now)

    async def check(self, octets: bytes, origin: Origin = UDP) -> tuple[bytes, ...]:
        """Ask both ways; give what the node answers."""
        quick = self.quick(octets)
        slow = self.slow(octets, origin, learn=quick is None)
        if quick is not None:
            self.hits += 1
            assert isinstance(slow, tuple), "a hit for what needs waiting"
            assert slow == (quick,)
            return slow
        answers = slow if isinstance(slow, tuple) else await slow
        after = self.quick(octets)
        if after is not None:
            assert answers == (after,), "learned something else than was answered"
        return answers


class _Welcoming:
    """Takes every question for one that came before: so all there is is learned."""

    def knows(self, question: bytes) -> bool:
        return True


def _ignore(question, answer, reply) -> None:
    del question, answer, reply


class Answering:
    """A node of its own with all kinds of records, and its loop."""

    def __init__(self, directory: Path | None, **more) -> None:
        role = "secondary" if directory else "recursive"
        chosen = NodeSettings("fast", role, directory=directory, **more)
        self.node = Node(chosen, ServerKey(b"", lambda octets: b"s" * 256))
        self.node.bind()
        # Without a root nothing is asked of anybody: nobody would answer here.
        self.node.open(InlineExecutor(), "88", ())
        self.loop = uvloop.new_event_loop()
        self.front: Fronted | None = None
        if self.node.registry is not None:
            self.node.registry._clock = lambda: float(NOW)
            self.node.registry.follow(self._forget)

    def _forget(self, batch) -> None:
        if self.front is not None:
            self.front.fast.forget(batch)

    def run(self, awaitable):
        async def awaited():
            async with asyncio.timeout(10):
                return await awaitable

        return self.loop.run_until_complete(awaited())

    def close(self) -> None:
        self.run(self.node.close())
        self.loop.close()

    async def write(self, operation: Operation, name: bytes, *values: Value) -> None:
        rule_ = self.node.settings.case_rule
        octets = name if operation >= Operation.HOME else canonical(name, rule_)
        change = Change(operation, octets, values, trusted=True)
        await self.node.registry.submit(change)

    async def seed(self) -> None:
        prefixes = Prefixes(self.node.registry, None, trusted=True)
        await self.write(Operation.HOME, b"88.100")
        await self.write(Operation.HOME, b"88.100.1")
        for name, values in RECORDS.items():
            await self.write(Operation.CREATE, name, *values)
        await self.write(Operation.ADD, b"88.100.1/vast", *VAST[1:])
        for prefix in (b"88.100.5", b"88.100.6", b"88.100.7"):
            await prefixes.allocate(prefix, OWNER)
        await prefixes.delegate(b"88.100.5", [b"site one", b"site two"])
        await prefixes.host(b"88.100.6", [b"own site"])
        await prefixes.stop(b"88.100.6")


VAST = tuple(Value(n, "X", b"x" * 65_000) for n in range(1, 5))
"""More than fits in an answer."""

RECORDS = {
    b"88.100.1/P1": (URL,),
    b"88.100.1/P2": (URL, MAIL, RESTRICTED, ALTERNATIVE),
    b"88.100.1/P3": (RESTRICTED,),
    b"88.100.1/\xe6\xa0\x87": (URL, ALTERNATIVE),
    b"88.100.1/long": (URL, Value(9, "X", b"x" * 3000)),
    b"88.100.1/longer": (URL, Value(9, "X", b"x" * 5000)),
    b"88.100.1/" + b"n" * 500: (URL,),
    b"88.100.1/vast": VAST[:1],
}
NAMES = [
    *RECORDS,
    b"88.100.1/absent",
    b"88.100.5/delegated",
    b"88.100.5.9/below",
    b"88.100.6/stopped",
    b"88.100.7/allocated",
    b"0.NA/88.100.5",
    b"0.na/88.100.1",
    b"88.100.5",
    b"88.100.9",
    b"99.1/elsewhere",
    b"88.100.1/" + b"n" * 503,
    b"88.100.1/" + b"n" * 504,
    b"88.100.1/",
    b"/x",
    b"",
    b"88.100.1/\xff",
    b"88.100.1/a\nb",
]
FLAGS = [int(flag) for flag in OpFlag]
SHAPING = [int(OpFlag.AUTHORITATIVE), PUBLIC, int(OpFlag.DO_NOT_REFER)]


@st.composite
def spellings(draw, name: bytes) -> bytes:
    if not draw(st.booleans()):
        return name
    return draw(st.sampled_from((name.upper(), name.lower(), name.swapcase())))


BODIES = st.builds(
    Resolution,
    st.sampled_from(NAMES).flatmap(spellings),
    st.lists(st.sampled_from((0, 1, 2, 3, 99)), max_size=2).map(tuple),
    st.lists(
        st.sampled_from((b"URL", b"url", b"URL.", b"SERIAL", b"", b"T" * 250)),
        max_size=2,
    ).map(tuple),
    st.sampled_from((b"", b"", b"", None, b"token", b"t" * 250)),
).map(Resolution.encode)
USUAL = {
    "flags": st.sampled_from((PUBLIC, PUBLIC, 0, 0x1900_0000)),
    "session_id": U32,
    "request_id": U32,
    "site_serial": U16,
    "expiration": st.integers(NOW - 3, NOW + 3) | U32,
}


def _united(flags: list[int]) -> int:
    return functools.reduce(operator.or_, flags, 0)


UNUSUAL = {
    "flags": st.lists(st.sampled_from(FLAGS + SHAPING), max_size=3).map(_united) | U32,
    "session_id": U32,
    "request_id": U32,
    "site_serial": U16,
    "expiration": st.integers(NOW - 3, NOW + 3) | U32,
    "version": st.tuples(st.integers(0, 4), st.sampled_from((0, 4, 5, 10, 11, 99))),
    "suggested": st.tuples(st.integers(0, 31), st.sampled_from((0, 4, 5, 11, 12))),
    "envelope_flags": st.sampled_from((0, 0, 0, 0x80, 0x40, 0x20)),
    "sequence": st.sampled_from((0, 0, 0, 1)),
    "recursion_count": st.sampled_from((0, 1, 16, 17, 255)),
    "reserved": U8,
    "code": st.sampled_from((0, 0, 0, 0, 1)),
    "credential": st.sampled_from((b"", b"", None, b"c")),
}
PLAIN = st.builds(request, BODIES, **USUAL)
QUESTIONS = PLAIN | PLAIN | st.builds(request, BODIES, **UNUSUAL)
REQUESTS = QUESTIONS | st.builds(
    request,
    BODIES,
    opcode=st.sampled_from(sorted(KNOWN_OPERATIONS)) | U32,
    flags=st.sampled_from((PUBLIC, 0)),
)


@st.composite
def accidents(draw, octets: bytes) -> bytes:
    """Flip, cut, extend, or put a number that hurts."""
    broken = bytearray(octets)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(broken) - 1)))
        match draw(st.sampled_from(("flip", "cut", "extend", "number"))):
            case "flip" if broken:
                broken[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del broken[at:]
            case "extend":
                broken[at:at] = draw(st.binary(max_size=9))
            case _:
                number = draw(st.sampled_from((0, 1, 4, 8, 0x7FFF_FFFF, 0xFFFF_FFFF)))
                broken[at : at + 4] = pack_u32(number)
    whole = bytes(broken)
    if draw(st.booleans()):
        return whole[:16] + pack_u32(max(0, len(whole) - 20)) + whole[20:]
    return whole


BROKEN = REQUESTS.flatmap(accidents)
VECTORS = [
    *(pair.request for pair in golden_pairs()),
    *(line.octets for line in sdk_requests()),
]
BROKEN_VECTORS = st.sampled_from(VECTORS).flatmap(accidents)


@pytest.fixture(
    scope="module",
    params=[(True, CaseRule.FOLD), (False, CaseRule.FOLD), (True, CaseRule.EXACT)],
    ids=["secured", "open", "exact"],
)
def answering(request, tmp_path_factory):
    authentication, rule_ = request.param
    answering = Answering(
        tmp_path_factory.mktemp("fast"), authentication=authentication, case_rule=rule_
    )
    answering.run(answering.seed())
    yield answering
    answering.close()


@contextlib.contextmanager
def fronted(answering: Answering, **more):
    front = answering.front = Fronted(answering.node, **more)
    try:
        yield front
        check_packets(front.packets)
    finally:
        answering.front = None
        front.close()


def check_each(answering: Answering, front: Fronted, octets: bytes) -> None:
    """Ask over both transports: once to learn, then to hit."""

    async def ask_thrice():
        for origin in (TCP, UDP, TCP):
            await front.check(octets, origin)

    before = front.hits
    answering.run(ask_thrice())
    if front.hits > before:
        assert octets[20:24] == pack_u32(OpCode.RESOLUTION)


LONG = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def check_lists_of(answering: Answering, requests: st.SearchStrategy[bytes]) -> int:
    """Ask for lists of requests, each list with an empty cache; give the hits."""
    hits = 0

    @LONG
    @given(asked=st.lists(requests, min_size=2, max_size=20))
    def run(asked):
        nonlocal hits
        with fronted(answering) as front:
            for octets in asked:
                check_each(answering, front, octets)
            hits += front.hits

    run()
    assert answering.node.telemetry.internal_errors == 0
    return hits


def test_any_questions_get_the_same_octets_either_way(answering):
    assert check_lists_of(answering, QUESTIONS) > 100


def test_any_requests_get_the_same_octets_either_way(answering):
    assert check_lists_of(answering, REQUESTS) > 100


def test_any_requests_after_accidents_get_the_same_octets_either_way(answering):
    assert check_lists_of(answering, BROKEN) > 20


def test_recorded_requests_after_accidents_get_the_same_octets(answering):
    check_lists_of(answering, BROKEN_VECTORS)


@pytest.mark.parametrize("authentication", [True, False])
def test_recorded_requests_get_the_same_octets_either_way(tmp_path, authentication):
    answering = Answering(tmp_path, authentication=authentication)
    try:
        answering.run(answering.write(Operation.HOME, b"88.888.1024"))
        answering.run(answering.write(Operation.CREATE, b"88.888.1024/P1", URL))
        with fronted(answering) as front:
            for octets in VECTORS * 2:
                check_each(answering, front, octets)
            assert front.hits > 15
    finally:
        answering.close()


def test_every_kind_of_answer_that_is_kept_is_tried(answering):
    with fronted(answering) as front:
        for name in NAMES:
            check_each(answering, front, ask(name))
            check_each(answering, front, ask(name, types=(b"NONE",)))
        hits = front.fast.counts().udp
        assert [bool(count) for count in hits] == [True] * 5 + [False] * 3


@pytest.mark.parametrize("name", [b"88.100.1/vast", b"88.100.1/VAST"])
def test_an_answer_too_long_for_a_message_is_not_copied(answering, name):
    with fronted(answering) as front:
        check_each(answering, front, ask(name))
        (answer,) = answering.run(front.check(ask(name)))
        if decode_message(answer).header.response_code != 100:  # the exact rule
            assert b"octets, at most %d fit" % MAX_BODY_OCTETS in answer
            assert front.hits == 0


def test_an_answer_too_long_for_a_message_under_a_long_name_is_not_copied(answering):
    name = b"88.100.1/" + b"v" * 500
    answering.run(answering.write(Operation.CREATE, name, *VAST[:1]))
    answering.run(answering.write(Operation.ADD, name, *VAST[1:]))
    with fronted(answering) as front:
        check_each(answering, front, ask(name))
        assert front.hits == 0


def test_questions_in_strange_versions_keep_no_others_out_of_the_cache(answering):
    """What replies begin with is kept in a small table: nobody can fill it."""
    versions = [(major, minor) for major in (0, 1, 2, 3, 9) for minor in range(256)]
    with fronted(answering, arena_octets=1 << 14) as front:
        for suggested in versions:
            for version in ((2, suggested[1]), (3, suggested[1])):
                octets = ask(b"88.100.1/P1", version=version, suggested=suggested)
                answering.run(front.check(octets))
        for name in (b"88.100.1/P1", b"88.100.1/none", b"88.100.5/x", b"88.100.5.9/x"):
            for suggested in ((2, 5), (2, 10), (2, 11), (3, 0)):
                hits = front.hits
                check_each(answering, front, ask(name, suggested=suggested))
                assert front.hits >= hits + 2, (name, suggested)


def test_answers_are_counted_the_same_either_way(answering):
    def counted(ask_one):
        telemetry = answering.node.telemetry
        names = [name for name in NAMES for _ in range(3)]
        before = [Counter(telemetry.requests), Counter(telemetry.answers)]
        resolutions = telemetry.resolutions
        for octets in map(ask, names):
            ask_one(octets)
        with contextlib.suppress(AttributeError):
            answering.front.fast.update_telemetry()
        after = [telemetry.requests - before[0], telemetry.answers - before[1]]
        return after, telemetry.resolutions - resolutions

    def plainly(front):
        return lambda octets: front.slow(octets, learn=False)

    def quickly(front):
        return lambda octets: front.quick(octets) or front.slow(octets)

    with fronted(answering) as front:
        expected = counted(plainly(front))
        assert not front.fast.counts().hits
        assert counted(quickly(front)) == expected
        assert front.fast.counts().hits > 20


# The same after any history.

LIVE = [b"88.100.1/a", b"88.100.1/B", b"88.100.1/" + b"n" * 200]
CHILD = b"88.100.5"
ASKED = [
    *LIVE,
    b"88.100.1/A",
    CHILD,
    b"0.NA/" + CHILD,
    CHILD + b"/x",
    CHILD + b".9/x",
    b"88.100.6/x",
]
VALUES = st.lists(
    st.sampled_from((URL, MAIL, RESTRICTED, ALTERNATIVE)),
    min_size=1,
    max_size=4,
    unique_by=lambda value: value.index,
).flatmap(
    lambda values: st.binary(max_size=2).map(
        lambda data: tuple(v._replace(data=v.data + data) for v in values)
    )
)
LOOKS = st.builds(
    ask,
    st.sampled_from(ASKED).flatmap(spellings),
    indexes=st.sampled_from(((), (), (1,), (3,), (9,))),
    types=st.sampled_from(((), (), (b"URL",), (b"URL.",))),
    flags=st.sampled_from((PUBLIC, 0, PUBLIC | SHAPING[0], SHAPING[2])),
)
MAX_LOOKS = 20


class HistoryMachine(RuleBasedStateMachine):
    """One node: whatever is done, a hit is what the node says now."""

    case_rule = CaseRule.FOLD

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="fast-path-"))
        self.answering = Answering(
            self.directory, authentication=False, case_rule=self.case_rule
        )
        self.front = self.answering.front = Fronted(self.answering.node, 4096, 16)
        self.prefixes = Prefixes(self.answering.node.registry, None, trusted=True)
        self.looks: list[bytes] = []
        for prefix in (b"88.100", b"88.100.1"):
            self.answering.run(self.answering.write(Operation.HOME, prefix))

    def teardown(self):
        event(f"hits: {min(self.front.hits, 100) // 10 * 10}")
        type(self).all_hits += self.front.hits
        type(self).all_evicted += self.front.fast.counts().evicted
        self.answering.close()
        self.front.close()
        shutil.rmtree(self.directory)

    all_hits = 0
    all_evicted = 0

    def _do(self, awaitable) -> None:
        with contextlib.suppress(RegistryError):
            self.answering.run(awaitable)

    @rule(asked=st.lists(LOOKS, min_size=1, max_size=6))
    def look(self, asked):
        self.looks = [*self.looks, *asked][-MAX_LOOKS:]
        for octets in asked:
            self.answering.run(self.front.check(octets))

    @rule(
        operation=st.sampled_from(
            (Operation.CREATE, Operation.CREATE, Operation.ADD, Operation.MODIFY)
        ),
        name=st.sampled_from(LIVE).flatmap(spellings),
        values=VALUES,
    )
    def write(self, operation, name, values):
        self._do(self._submit(operation, name, values))

    @rule(name=st.sampled_from(LIVE), index=st.integers(1, 4))
    def remove(self, name, index):
        self._do(self._submit(Operation.REMOVE, name, (), (index,)))

    @rule(name=st.sampled_from(LIVE).flatmap(spellings))
    def delete(self, name):
        self._do(self._submit(Operation.DELETE, name))

    @rule(names=st.lists(st.sampled_from(LIVE), min_size=2, max_size=3), values=VALUES)
    def write_together(self, names, values):
        async def together():
            writes = (self._submit(Operation.CREATE, name, values) for name in names)
            await asyncio.gather(*writes, return_exceptions=True)

        self._do(together())

    async def _submit(self, operation, name, values=(), indexes=()):
        await self.answering.node.registry.submit(
            Change(
                operation,
                canonical(name, self.case_rule),
                values,
                indexes,
                overwrite=True,
                trusted=True,
            )
        )

    @rule(name=st.sampled_from(LIVE).flatmap(spellings), values=VALUES)
    def write_by_message(self, name, values):
        body = WithValues(name, values).encode()
        flags = int(OpFlag.OVERWRITE_WHEN_EXISTS)
        octets = request(body, flags, opcode=OpCode.CREATE_HANDLE)
        (answer,) = self.answering.run(self.front.check(octets))
        assert decode_message(answer).header.response_code in (1, 301)
        if decode_message(answer).header.response_code == ResponseCode.SUCCESS:
            (found,) = self.answering.run(self.front.check(ask(name, flags=0)))
            assert found[48 + len(name) : -4] == self._stored(values)
            again = self.front.quick(ask(name, flags=0))
            assert again in (None, found)

    def _stored(self, values) -> bytes:
        return encode_values(value._replace(timestamp=NOW) for value in values)

    @rule(prefix=st.sampled_from((b"88.100.1", CHILD)), home=st.booleans())
    def home(self, prefix, home):
        if home:
            self._do(self.prefixes.home(prefix))
        else:
            self._do(self.prefixes.unhome(prefix))

    @rule(step=st.sampled_from(("allocate", "delegate", "host", "stop", "delete")))
    def child(self, step):
        match step:
            case "allocate":
                self._do(self.prefixes.allocate(CHILD, OWNER))
            case "delegate":
                self._do(self.prefixes.delegate(CHILD, [b"far", b"away"]))
            case "host":
                self._do(self.prefixes.host(CHILD, [b"here"]))
            case "stop":
                self._do(self.prefixes.stop(CHILD))
            case _:
                self._do(self._submit(Operation.DELETE, b"0.NA/" + CHILD))

    @rule(size=st.integers(0, 100), count=st.integers(1, 40))
    def crowd(self, size, count):
        """Ask for many names that do not exist: others must give way."""

        async def ask_many():
            for number in range(count):
                name = b"88.100.1/%d" % number
                await self.front.check(ask(name + b"x" * size, flags=0))

        self.answering.run(ask_many())

    @rule(ticks=st.integers(0, 200))
    def wait(self, ticks):
        self.front.now += ticks * TICK

    @invariant()
    def hits_are_what_the_node_says_now(self):
        check_packets(self.front.packets)
        for octets in self.looks:
            quick = self.front.quick(octets)
            if quick is not None:
                self.front.hits += 1
                assert self.front.slow(octets, learn=False) == (quick,)


class ExactHistoryMachine(HistoryMachine):
    """The same where suffixes differ by case."""

    case_rule = CaseRule.EXACT


@pytest.mark.parametrize("machine", [HistoryMachine, ExactHistoryMachine])
def test_hits_are_what_the_node_says_after_any_history(machine, monkeypatch):
    monkeypatch.setattr(machine, "all_hits", 0)
    monkeypatch.setattr(machine, "all_evicted", 0)
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=50, stateful_step_count=40, deadline=None),
    )
    assert machine.all_hits > 50
    assert machine.all_evicted > 100


TAILS = st.lists(st.sampled_from((URL, MAIL)), max_size=2, unique=True)


class RememberingMachine(RuleBasedStateMachine):
    """A recursive node: a hit is what it remembers, and for as long."""

    def __init__(self) -> None:
        super().__init__()
        self.answering = Answering(None)
        self.node = self.answering.node
        self.front = Fronted(self.node, 8192, 16)
        self.alive: dict[object, float] = {}
        self.looks: list[bytes] = []

    def teardown(self):
        type(self).all_hits += self.front.hits
        self.answering.close()
        self.front.close()

    all_hits = 0
    all_expired = 0

    def _shared(self, octets: bytes):
        message = decode_message(octets)
        asked = Resolution.decode(message.body)
        return shared_key(asked, message.header.flags, canonical(asked.handle))

    def _is_remembered(self, octets: bytes) -> bool:
        return self.alive.get(self._shared(octets), 0) > self.front.now

    @rule(
        octets=LOOKS,
        values=TAILS,
        code=st.sampled_from((1, 1, 1, 100, 200, 301, 4)),
        ttl=st.sampled_from((-1, 0, 1, 2, 2, 4, 4)),
    )
    def remember(self, octets, values, code, ttl):
        """An answer has come from the tree; none comes while one is remembered."""
        shared = self._shared(octets)
        if shared is None or self._is_remembered(octets):
            return
        tail = encode_values(values) if code == 1 else pack_u32(0)
        assert self.node.cache is not None
        self.node.cache.put(shared, code, tail, ttl, self.front.now)
        self.alive[shared] = self.front.now + ttl
        self.looks = [*self.looks, octets][-MAX_LOOKS:]

    @rule(other=st.booleans())
    def look(self, other):
        for look in self.looks:
            octets = look[:8] + b"\1\2\3\4" + look[12:] if other else look
            if self._is_remembered(octets):
                self.answering.run(self.front.check(octets))
            else:
                assert self.front.quick(octets) is None

    @rule(ticks=st.integers(1, 100))
    def wait(self, ticks):
        self.front.now += ticks * TICK

    @rule()
    def wait_for_the_end_of_one(self):
        coming = [end for end in self.alive.values() if end > self.front.now]
        if coming:
            self.front.now = min(coming) - TICK

    @rule()
    def crowd(self):
        for number in range(40):
            octets = ask(b"88.100.1/%d" % number)
            self.front.engine.learn(self.front.fast._owner, octets, ABSENT, 1, 1e12)

    @invariant()
    def hits_are_what_the_node_remembers_now(self):
        check_packets(self.front.packets)
        for octets in self.looks:
            quick = self.front.quick(octets)
            if not self._is_remembered(octets):
                assert quick is None, "out of date"
                type(self).all_expired += 1
            elif quick is not None:
                self.front.hits += 1
                assert self.front.slow(octets, learn=False) == (quick,)


ABSENT = reply(pack_u32(0), code=100)


def test_hits_of_a_recursive_node_last_as_long_as_it_remembers(monkeypatch):
    monkeypatch.setattr(RememberingMachine, "all_hits", 0)
    monkeypatch.setattr(RememberingMachine, "all_expired", 0)
    run_state_machine_as_test(
        RememberingMachine,
        settings=settings(max_examples=50, stateful_step_count=40, deadline=None),
    )
    assert RememberingMachine.all_hits > 10
    assert RememberingMachine.all_expired > 50
