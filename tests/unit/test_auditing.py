"""The recheck of a stored log: whatever differs from what was written is found."""

from collections import defaultdict

import pytest

from chain_anchor import entry_rows, rows, upper
from chain_anchor.auditing import Replay, audit_buckets, audit_head, audit_rows
from chain_anchor.buckets import Draft, PlainEngine
from chain_anchor.changes import assemble_change, encode_body
from chain_anchor.entries import Restart, encode_restart
from chain_anchor.errors import AnchorError, CorruptLogError, SignatureError
from chain_anchor.log import HEAD_KEY, META_TABLE, Log
from chain_anchor.merkle import leaf_hash
from chain_anchor.statemap import ACTIVE, DELETED, map_key
from tests.anchor_engines import ENGINES, make_engine
from tests.merkle_trees import ORIGIN, signer

LOG_TABLES = (rows.TABLE, entry_rows.TABLE, upper.TABLE, META_TABLE)
STRIDE = 11
"""Every eleventh octet of a value is damaged, in a bit that moves on."""


class Stored:
    """The tables of a log, in dicts."""

    def __init__(self, tables=()):
        self.tables = defaultdict(dict, {name: dict(t) for name, t in tables})

    def get(self, table, key):
        return self.tables[table].get(key)

    def items(self, table, start=b""):
        return iter(sorted(i for i in self.tables[table].items() if i[0] >= start))

    def write(self, puts):
        for table, items in puts.items():
            for key, value in items:
                if value is None:
                    del self.tables[table][key]
                else:
                    self.tables[table][key] = value

    def copy(self):
        return Stored(self.tables.items())


def draft(number, state=ACTIVE):
    body = encode_body(1, bytes(32), 1000 + number, 300, b"88/ADMIN", b"88.1")
    return Draft(map_key(1, b"88.1/%d" % number), state, body)


def grow(log, stored, *drafts, notices=()):
    stored.write(log.seal(stored, drafts, 5000, notices))
    log.publish()


def made(engine=None) -> Stored:
    """A log of 55 entries: many groups, notices, a split, deletions, tombstones."""
    stored, log = Stored(), Log(signer(), engine or PlainEngine())
    restart = encode_restart(Restart(ORIGIN, 7, bytes(32), "restored", 1))
    grow(log, stored, *(draft(n) for n in range(30)))
    grow(log, stored, notices=[restart])
    grow(log, stored, draft(3), draft(4, DELETED), draft(3), notices=[restart])
    for number in (4, 3, 31):
        grow(log, stored, draft(number))
    grow(log, stored, *(draft(n, DELETED) for n in range(10, 20)))
    return stored


@pytest.fixture(scope="module")
def whole():
    return made()


def audit(stored, engine=None):
    """Recheck everything, each pass by itself; gives groups, raises what is found."""
    head = audit_head(stored, ORIGIN, [signer().key])
    audit_rows(stored, head.checkpoint)
    audit_buckets(stored, head.header)
    replay = Replay(stored, head, engine or PlainEngine())
    return replay, list(replay.groups())


@pytest.mark.parametrize("kind", ENGINES)
def test_a_whole_log_is_made_once_more_as_it_is(whole, kind):
    replay, groups = audit(whole, make_engine(kind))
    size = replay.head.checkpoint.size
    assert groups[-1].size == size
    assert [len(group.notices) for group in groups] == [0, 1, 1, 0, 0, 0, 0]
    assert sum(len(group.changes) for group in groups) == 46
    assert len(replay.others) == size - 46
    assert replay.buckets == whole.tables[upper.TABLE]
    assert [group.header.height for group in groups] == list(range(1, 8))


def test_states_are_those_of_the_last_changes(whole):
    replay, _ = audit(whole)
    assert replay.state(map_key(1, b"88.1/3"))[:2] == (ACTIVE, 4)
    assert replay.state(map_key(1, b"88.1/4"))[:2] == (ACTIVE, 3)
    assert replay.state(map_key(1, b"88.1/12"))[:2] == (DELETED, 2)
    assert replay.state(map_key(1, b"88.1/77")) is None
    states = list(replay.states())
    assert (states.count(ACTIVE), states.count(DELETED)) == (21, 10)


def test_an_empty_log_is_whole():
    assert audit_head(Stored(), ORIGIN, [signer().key]) is None


@pytest.mark.parametrize("table", LOG_TABLES)
def test_a_log_without_head_must_have_nothing_else(whole, table):
    damaged = Stored([(table, whole.tables[table])])
    damaged.tables[META_TABLE].pop(HEAD_KEY, None)
    damaged.tables[table][b"left over"] = b""
    with pytest.raises(CorruptLogError) as caught:
        audit_head(damaged, ORIGIN, [signer().key])
    assert caught.value.table == table


def flips(table, stored):
    """Give copies of a log, each with one bit of one value of a table flipped."""
    bit = 0
    for key, value in stored.tables[table].items():
        for at in range(0, len(value), STRIDE):
            octets = bytearray(value)
            octets[at] ^= 1 << bit
            bit = (bit + 3) % 8
            damaged = stored.copy()
            damaged.tables[table][key] = bytes(octets)
            yield key, damaged


@pytest.mark.parametrize("table", LOG_TABLES)
def test_every_flipped_bit_of_a_value_is_found_where_it_is(whole, table):
    for key, damaged in flips(table, whole):
        with pytest.raises(AnchorError) as caught:
            audit(damaged)
        assert isinstance(caught.value, CorruptLogError), caught.value
        assert (caught.value.table, caught.value.key) == (table, key)


@pytest.mark.parametrize("table", LOG_TABLES)
def test_every_flipped_bit_of_a_key_is_found(whole, table):
    for key, value in whole.tables[table].items():
        for at in range(len(key)):
            octets = bytearray(key)
            octets[at] ^= 1 << at % 8
            damaged = whole.copy()
            del damaged.tables[table][key]
            damaged.tables[table][bytes(octets)] = value
            with pytest.raises(CorruptLogError):
                audit(damaged)


@pytest.mark.parametrize("table", LOG_TABLES)
def test_a_missing_value_is_found(whole, table):
    for key in whole.tables[table]:
        damaged = whole.copy()
        del damaged.tables[table][key]
        with pytest.raises(CorruptLogError):
            audit(damaged)


@pytest.mark.parametrize("table", LOG_TABLES[:3])
def test_a_value_too_many_is_found(whole, table):
    last = max(whole.tables[table])
    for key in (last[:-1] + bytes((last[-1] + 1,)), last + b"\x00"):
        damaged = whole.copy()
        damaged.tables[table][key] = whole.tables[table][last]
        with pytest.raises(CorruptLogError) as caught:
            audit(damaged)
        assert (caught.value.table, caught.value.key) == (table, key)


def test_swapped_rows_of_entries_are_found_even_with_right_checksums(whole):
    first, second = entry_rows.entry_key(0), entry_rows.entry_key(1)
    stored = whole.tables[entry_rows.TABLE]
    damaged = whole.copy()
    damaged.tables[entry_rows.TABLE][first] = rows.protected(first, stored[second][4:])
    damaged.tables[entry_rows.TABLE][second] = rows.protected(second, stored[first][4:])
    with pytest.raises(CorruptLogError, match="leaf hash") as caught:
        audit(damaged)
    assert caught.value.key == first


def test_another_key_has_not_signed_it(whole):
    with pytest.raises(SignatureError):
        audit_head(whole, ORIGIN, [signer("another").key])
    with pytest.raises(SignatureError):
        audit_head(whole, ORIGIN, [])


class Forger(PlainEngine):
    """Lets one key skip a version, and makes all else fit."""

    def seal(self, first_index, drafts, buckets):
        sealed = super().seal(first_index, drafts, buckets)
        entry = sealed.entries[0]
        forged = assemble_change(
            entry[1], 9, 1, bytes([7]) * 32, entry[50:82], entry[82:]
        )
        return sealed._replace(
            entries=(forged, *sealed.entries[1:]),
            leaf_hashes=leaf_hash(forged) + sealed.leaf_hashes[32:],
        )

    def check(self):
        pass


def test_a_change_that_follows_from_nothing_is_found_although_it_is_signed():
    stored, log = Stored(), Log(signer(), Forger())
    grow(log, stored, draft(1), draft(2))
    with pytest.raises(CorruptLogError, match=r"entry 0: does not follow"):
        audit(stored)


class Shrinker(PlainEngine):
    """Says that the map has another root than it has."""

    def seal(self, first_index, drafts, buckets):
        return super().seal(first_index, drafts, buckets)._replace(root=bytes(32))

    def check(self):
        pass


def test_a_header_with_another_map_root_is_found_although_it_is_signed():
    stored, log = Stored(), Log(signer(), Shrinker())
    grow(log, stored, draft(1), draft(2))
    head = audit_head(stored, ORIGIN, [signer().key])
    with pytest.raises(CorruptLogError, match="all buckets give"):
        audit_buckets(stored, head.header)
    with pytest.raises(CorruptLogError, match=r"entry 2: a header"):
        list(Replay(stored, head, PlainEngine()).groups())


def test_a_table_that_goes_round_in_circles_comes_to_an_end(whole):
    class Circle(Stored):
        def items(self, table, start=b""):
            while True:
                yield from super().items(table, start)

    circle = Circle(whole.tables.items())
    head = audit_head(circle, ORIGIN, [signer().key])
    with pytest.raises(CorruptLogError, match="comes after"):
        audit_rows(circle, head.checkpoint)
    with pytest.raises(CorruptLogError, match="comes after"):
        audit_buckets(circle, head.header)
    with pytest.raises(CorruptLogError, match="comes after"):
        list(Replay(circle, head, PlainEngine()).groups())
