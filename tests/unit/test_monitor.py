"""What a monitor accepts of a log, and what it raises an alarm for."""

import pytest

from chain_anchor.buckets import PlainEngine
from chain_anchor.changes import Change
from chain_anchor.checkpoint import sign_checkpoint
from chain_anchor.entries import Restart, decode_entry, encode_entry
from chain_anchor.errors import (
    CorruptLogError,
    EntryError,
    ForkError,
    FormatError,
    ProofError,
    RollbackError,
    SignatureError,
)
from chain_anchor.merkle import root_of
from chain_anchor.monitor import Monitor, keys_after, kind_of
from chain_anchor.monitor_position import Position
from chain_anchor.note import Signer
from chain_anchor.rotation import rotation_entry
from chain_anchor.trusted_tiles import TrustedTiles
from chain_anchor.watch import Watch
from tests.served_log import ORIGIN, grow, grown, tile_octets
from tests.small_log import TIME_MS, SmallLog, private_key, reader

KEY = SmallLog(ORIGIN).signer.key
NEW = Signer(ORIGIN, private_key(9))


class Buckets(dict):
    """A table in memory."""

    def put(self, puts):
        for place, bucket in puts:
            if bucket is None:
                del self[place]
            else:
                self[place] = bucket


def monitor(position=None, table=None, watches=()):
    table = Buckets() if table is None else table
    engine = PlainEngine()
    engine.load(sorted(table.items()))
    return Monitor(position or Position(ORIGIN, (KEY,)), engine, table, watches)


def follow(watching: Monitor, log: SmallLog, *, note=None, keys=()):
    """Do what the command does; gives what was seen."""
    note = note or log.signed_checkpoint()
    checkpoint = watching.admit(note, keys)
    tiles = TrustedTiles(
        checkpoint.size, checkpoint.root, lambda tile: tile_octets(log, tile)
    )
    before = watching.position.checkpoint.size
    watching.accept(note, root_of(before, tiles.read))
    bundles = tiles.entries(watching.position.size)
    seen = [watching.feed(entry) for bundle in bundles for entry in bundle]
    watching.finish()
    return seen


def alarms(seen):
    return [alarm for one in seen for alarm in one.alarms]


def test_an_honest_log_is_followed_without_an_alarm():
    watching, log = monitor(), grown(1)
    assert [one.index for one in follow(watching, log)] == list(range(6))
    for groups in (1, 2, 60):
        before = log.size
        grow(log, groups)
        seen = follow(watching, log)
        assert [one.index for one in seen] == list(range(before, log.size))
        assert [one.entry for one in seen] == [
            decode_entry(octets) for octets in log.entries[before:]
        ]
        assert not alarms(seen)
        assert watching.position.size == log.size
    assert follow(watching, log) == []


def test_a_log_is_followed_from_where_it_was_left():
    table, log = Buckets(), grown(7)
    first = monitor(table=table)
    follow(first, log)
    position = Position.decode(first.position.encode())
    assert position == first.position
    grow(log, 3)
    again = monitor(position, table)
    follow(again, log)
    whole = monitor()
    follow(whole, log)
    assert again.position == whole.position


def test_a_map_that_is_not_the_position_s_is_refused():
    table, log = Buckets(), grown(7, per_group=30)
    watching = monitor(table=table)
    follow(watching, log)
    assert len(table) > 1
    del table[min(table)]
    with pytest.raises(CorruptLogError):
        monitor(watching.position, table)
    with pytest.raises(CorruptLogError):
        monitor(table=Buckets(table))


def test_a_damaged_bucket_is_found_when_it_is_used():
    table, log = Buckets(), grown(7)
    watching = monitor(table=table)
    follow(watching, log)
    for place, bucket in table.items():
        table[place] = bucket[:-1] + bytes([bucket[-1] ^ 1])
    grow(log, 3)
    with pytest.raises(CorruptLogError):
        follow(watching, log)


def test_a_smaller_checkpoint_is_a_rollback():
    watching, log = monitor(), grown(5)
    follow(watching, log)
    with pytest.raises(RollbackError, match="were seen"):
        watching.admit(grown(4).signed_checkpoint())
    assert kind_of(RollbackError()) == "rollback"


def test_another_root_at_the_same_size_is_a_fork():
    watching, log = monitor(), grown(5)
    follow(watching, log)
    with pytest.raises(ForkError):
        watching.admit(grown(5, fork_at=2).signed_checkpoint())
    assert kind_of(ForkError()) == "fork"


def test_growth_from_another_history_is_a_fork():
    watching = monitor()
    follow(watching, grown(5))
    before = watching.position
    with pytest.raises(ForkError):
        follow(watching, grown(9, fork_at=3))
    assert watching.position == before
    follow(watching, grown(9))


def test_what_a_log_has_not_signed_is_refused():
    watching = monitor()
    log = grown(3)
    stranger = SmallLog(ORIGIN, key=8).signer
    with pytest.raises(SignatureError):
        watching.admit(sign_checkpoint(log.checkpoint(), [stranger]))
    other = log.checkpoint()._replace(origin="other")
    with pytest.raises(SignatureError):
        watching.admit(sign_checkpoint(other, [log.signer]))
    with pytest.raises(FormatError):
        watching.admit(b"nothing")


def tampered(number, **fields):
    """A log of three groups, in which one entry was other than it must be.

    The log signs a tree over that; only what the entry says is wrong.
    """
    log = grown(3)
    entry = decode_entry(log.entries[number])._replace(**fields)
    changed = SmallLog(ORIGIN)
    for index, octets in enumerate(log.entries):
        changed._append(encode_entry(entry) if index == number else octets)
    return changed


HEADER_2 = 11  # five changes and a header, twice


@pytest.mark.parametrize(
    ("number", "fields", "reason"),
    [
        (0, {"version": 2, "previous_hash": b"x" * 32}, "entry 0: version 1"),
        (8, {"version": 3}, "entry 8: version"),
        (8, {"previous_index": 0}, "entry 8: version 2 after entry"),
        (8, {"previous_hash": b"x" * 32}, "entry 8: version 2 after entry"),
        (8, {"key": b"k" * 32}, "entry 8: version"),
        (8, {"record_digest": b"d" * 32}, "map_root"),
        (8, {"time_ms": 1}, "map_root"),
        (8, {"actor": b"other"}, "map_root"),
        (HEADER_2, {"height": 3}, "height 2 expected, got 3"),
        (HEADER_2, {"previous_hash": b"x" * 32}, "previous_hash"),
        (HEADER_2, {"first_index": 5}, "first_index 6 expected"),
        (HEADER_2, {"count": 4}, "count 5 expected, got 4"),
        (HEADER_2, {"map_root": b"x" * 32}, "map_root"),
        (HEADER_2, {"map_keys": 1}, "map_keys"),
    ],
)
def test_a_signed_tree_with_a_wrong_entry_is_noticed(number, fields, reason):
    watching = monitor()
    with pytest.raises(ProofError, match=reason):
        follow(watching, tampered(number, **fields))
    assert kind_of(ProofError()) == "proof"
    # All before the group was right.
    assert watching.position.size == (0 if number < 6 else 6)


def test_an_entry_of_no_kind_is_noticed():
    log = grown(1)
    log._append(b"\x09 something")
    log.seal()
    with pytest.raises(EntryError):
        follow(monitor(), log)
    assert kind_of(EntryError()) == "malformed"


def test_a_tree_that_does_not_end_with_a_header_is_noticed():
    log = grown(2)
    log.register(b"88.118/x")
    with pytest.raises(ProofError, match="a header at the end"):
        follow(monitor(), log)


def test_finishing_early_is_noticed():
    watching, log = monitor(), grown(3)
    note = log.signed_checkpoint()
    watching.admit(note)
    watching.accept(note, root_of(0, reader(log.leaves)))
    for entry in log.entries[: HEADER_2 + 1]:
        watching.feed(entry)
    with pytest.raises(ProofError, match="are signed, followed were 12"):
        watching.finish()


def test_a_group_of_more_changes_than_are_replayed_at_once(monkeypatch):
    monkeypatch.setattr("chain_anchor.monitor.MAX_RUN", 4)
    watching = monitor()
    follow(watching, grown(4, per_group=23))
    assert watching.position.checkpoint.size == watching.position.size


def test_times_may_run_back_a_little_and_not_much():
    log = grown(1)
    for milliseconds, expected in ((-60_000, 0), (-60_001, 1), (0, 0)):
        watching, changed = monitor(), SmallLog(ORIGIN)
        for octets in log.entries:
            changed._append(octets)
        changed.map, changed.header, changed._group_start = (
            log.map,
            log.header,
            log.size,
        )
        changed._header_hash = log._header_hash
        changed.seal()
        last = decode_entry(changed.entries.pop())
        changed.leaves.pop()
        time_ms = log.header.time_ms + milliseconds
        changed._append(encode_entry(last._replace(time_ms=time_ms)))
        found = alarms(follow(watching, changed))
        assert [alarm.kind for alarm in found] == ["time"] * expected


def test_an_accepted_rollback_is_an_alarm():
    log = grown(1)
    restart = Restart(ORIGIN, 99, bytes(32), "restored from the copy of May", TIME_MS)
    log._append(encode_entry(restart))
    log.seal()
    (alarm,) = alarms(follow(monitor(), log))
    assert (alarm.kind, alarm.index) == ("restart", 6)
    assert "99 entries: restored from the copy of May" in alarm.message


def rotating(*, old=None, new=NEW, index=None, signers=None):
    """A log of which another key signs, after an entry says so."""
    log = grown(2)
    old = old or log.signer
    log._append(rotation_entry(old, new, log.size if index is None else index))
    log.seal()
    return log, sign_checkpoint(log.checkpoint(), signers or (new,))


def test_after_a_rotation_only_the_new_key_signs():
    watching, log = monitor(), grown(2)
    follow(watching, log)
    log, note = rotating()
    with pytest.raises(SignatureError):
        watching.admit(note)
    keys = keys_after(watching.position, log.entries[watching.position.size :])
    assert keys == (NEW.key,)
    follow(watching, log, note=note, keys=keys)
    assert watching.position.keys == (NEW.key,)
    # The checkpoint that was accepted stays so; the next one needs the new key.
    watching.admit(note)
    grow(log, 1)
    with pytest.raises(SignatureError):
        follow(watching, log)
    follow(watching, log, note=sign_checkpoint(log.checkpoint(), [NEW]))


def test_a_checkpoint_of_both_keys_leads_over_a_rotation():
    log, note = rotating(signers=(SmallLog(ORIGIN).signer, NEW))
    watching = monitor()
    follow(watching, log, note=note)
    assert watching.position.keys == (NEW.key,)
    assert watching.admit(note) == log.checkpoint()


@pytest.mark.parametrize(
    "wrong",
    [
        {"old": Signer(ORIGIN, private_key(8))},
        {"new": Signer("other", private_key(9))},
        {"index": 3},
    ],
)
def test_a_rotation_that_is_not_signed_for_here_is_noticed(wrong):
    log, _ = rotating(**wrong)
    with pytest.raises(SignatureError):
        follow(monitor(), log)
    with pytest.raises(SignatureError):
        keys_after(Position(ORIGIN, (KEY,)), log.entries)


def test_a_change_by_a_stranger_under_a_watched_prefix_is_an_alarm():
    watch = Watch.parse("88.118=300:88.118/Admin")
    assert not alarms(follow(monitor(watches=[watch]), grown(3)))
    stranger = Watch.parse("88.118=300:88.100/admin")
    seen = follow(monitor(watches=[stranger]), grown(3))
    found = alarms(seen)
    changes = [one.index for one in seen if isinstance(one.entry, Change)]
    assert [alarm.index for alarm in found] == changes
    assert {alarm.kind for alarm in found} == {"watch"}
    assert found[0].message == "88.118: 300:88.118/admin changed something under 88.118"
    assert not alarms(follow(monitor(watches=[Watch.parse("88.11")]), grown(3)))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{}",
        b"[]",
        b'{"format": 2}',
        Position(ORIGIN, (KEY,)).encode().replace(b'"size": 0', b'"size": "x"', 1)[:-9],
        Position(ORIGIN, (KEY,), b"no note").encode(),
        Position("other", (KEY,), grown(1).signed_checkpoint()).encode(),
    ],
)
def test_a_position_that_breaks_its_format_is_refused(octets):
    with pytest.raises(FormatError):
        Position.decode(octets)
