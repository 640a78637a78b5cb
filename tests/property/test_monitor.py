"""A monitor follows whatever an honest log does, and notices any octet that is wrong."""

import pytest
from hypothesis import assume, given, settings, strategies as st

from chain_anchor.buckets import PlainEngine
from chain_anchor.errors import AnchorError
from chain_anchor.merkle import root_of
from chain_anchor.monitor import Monitor
from chain_anchor.monitor_position import Position
from chain_anchor.trusted_tiles import TrustedTiles
from tests.served_log import ORIGIN, tile_octets
from tests.small_log import SmallLog

NAMES = [b"88.118/%d" % number for number in range(30)]
HEADER_TIME = 93
"""Where a header has its time; nothing else in a log says what it must be."""

groups = st.lists(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.booleans() | st.just(True)), max_size=40
    ),
    min_size=1,
    max_size=6,
)


class Buckets(dict):
    def put(self, puts):
        for place, bucket in puts:
            if bucket is None:
                del self[place]
            else:
                self[place] = bucket


def monitor(position=None, table=None):
    table = Buckets() if table is None else table
    engine = PlainEngine()
    engine.load(sorted(table.items()))
    key = SmallLog(ORIGIN).signer.key
    return Monitor(position or Position(ORIGIN, (key,)), engine, table)


def follow(watching, log):
    checkpoint = watching.admit(log.signed_checkpoint())
    tiles = TrustedTiles(
        checkpoint.size, checkpoint.root, lambda tile: tile_octets(log, tile)
    )
    before = watching.position.checkpoint.size
    watching.accept(log.signed_checkpoint(), root_of(before, tiles.read))
    for bundle in tiles.entries(watching.position.size):
        for entry in bundle:
            watching.feed(entry)
    watching.finish()


def made(log, history):
    for group in history:
        for name, active in group:
            if active:
                log.register(name)
            else:
                log.delete(name)
        log.seal()
    return log


@settings(deadline=None, max_examples=40)
@given(groups, st.lists(groups, max_size=3))
def test_an_honest_log_is_followed_in_any_steps(first, later):
    log, watching, table = SmallLog(ORIGIN), monitor(table=Buckets()), None
    table = watching._table
    for history in (first, *later):
        made(log, history)
        follow(watching, log)
        assert watching.position.frontier.root() == log.checkpoint().root
        assert watching._engine.root == log.map.root()
        watching = monitor(Position.decode(watching.position.encode()), table)


@settings(deadline=None, max_examples=80)
@given(groups, st.data())
def test_any_wrong_octet_under_a_signed_root_is_noticed(history, data):
    log = made(SmallLog(ORIGIN), history)
    index = data.draw(st.integers(0, log.size - 1), label="entry")
    octets = bytearray(log.entries[index])
    place = data.draw(st.integers(0, len(octets) - 1), label="octet")
    assume(index < log.size - 1 or place < HEADER_TIME)
    octets[place] ^= data.draw(st.integers(1, 255), label="change")
    signed = SmallLog(ORIGIN)
    for number, entry in enumerate(log.entries):
        signed._append(bytes(octets) if number == index else entry)
    with pytest.raises(AnchorError):
        follow(monitor(), signed)
