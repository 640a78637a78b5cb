"""Proof bundles: what they prove, what they refuse, and how large they are."""

import hashlib
import json
from dataclasses import replace

import pytest

from chain_anchor import changes, entries, merkle, statemap
from chain_anchor.bundle import Bundle, bundle_json, decode_bundle, encode_bundle
from chain_anchor.changes import Change
from chain_anchor.checkpoint import Checkpoint, sign_checkpoint
from chain_anchor.cosignature import cosign, cosigner_key
from chain_anchor.entries import Header, encode_entry
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.errors import BundleError, FormatError, ProofError, SignatureError
from chain_anchor.merkle import leaf_hash
from chain_anchor.note import Note, Signer
from chain_anchor.proof import verify_bundle
from chain_anchor.statemap import KIND_CHILD, KIND_HOME, KIND_RECORD, State, map_key
from chain_anchor.verified import describe
from tests.small_log import SmallLog, private_key, reader, with_signature

NAME = b"88.118.7/pump-1"
OTHER = b"88.118.7/pump-2"
GONE = b"88.118.7/pump-3"
NEVER = b"88.118.7/pump-4"
CITY = "log.example/wuhan"
NATION = "log.example/top"
WITNESSES = ("w1.example", "w2.example")


def city(origin: str = CITY) -> SmallLog:
    """A log with three groups: one registered thrice, one secret, one deleted."""
    log = SmallLog(origin)
    log.register(b"88.118", None, kind=KIND_HOME)
    log.register(NAME, b"first")
    log.register(OTHER, b"public", b"\x99" * 32)
    log.seal()
    log.register(NAME, b"second")
    log.register(GONE, b"short-lived")
    log.seal()
    log.delete(GONE)
    log.register(NAME, b"third")
    log.register(b"88.118.7/pump-5", b"fifth")
    log.seal()
    return log


def nation(child: SmallLog) -> tuple[SmallLog, bytes, int]:
    log = SmallLog(NATION, key=2)
    log.register(b"log.example/other", b"log.example/other\n0\n", kind=KIND_CHILD)
    logged, size = log.log_child(child)
    log.seal()
    return log, logged, size


LOG = city()
KEY = LOG.signer.key
TOP, LOGGED, LOGGED_SIZE = nation(LOG)
PINNED = {CITY: [KEY], NATION: [TOP.signer.key]}
KEYS = [
    cosigner_key(name, _public)
    for name, _public in zip(
        WITNESSES,
        [private_key(number).public_key().public_bytes_raw() for number in (11, 12)],
        strict=True,
    )
]


def cosigned(bundle: Bundle, *numbers: int) -> Bundle:
    """The same under a checkpoint with cosignatures of these witnesses."""
    note = bundle.checkpoint
    for number in numbers:
        signature = cosign(
            Note.parse(note).text,
            WITNESSES[number],
            private_key(11 + number),
            1_800_000_000 + number,
        )
        note = with_signature(note, signature)
    return replace(bundle, checkpoint=note)


def verify(bundle: Bundle, keys=PINNED, **more):
    return verify_bundle(encode_bundle(bundle), keys, **more)


def refused(bundle: Bundle, reason: str, error=ProofError, **more) -> None:
    with pytest.raises(error, match=reason):
        verify(bundle, **more)


def test_a_present_record_is_proved():
    proved = verify(LOG.bundle(NAME))
    assert proved.standing == "present"
    assert (proved.kind, proved.name, proved.record) == (KIND_RECORD, NAME, b"third")
    assert (proved.state.version, proved.state.index) == (3, 8)
    assert proved.change.actor == b"88.118/admin"
    assert (proved.origin, proved.size) == (CITY, LOG.size)
    assert proved.header == LOG.header
    assert not proved.history_is_complete
    assert proved.parent is proved.unpinned_parent is None


def test_restricted_values_are_proved_by_their_commitment():
    proved = verify(LOG.bundle(OTHER))
    assert (proved.record, proved.commitment) == (b"public", b"\x99" * 32)
    assert proved.history_is_complete


def test_a_key_without_a_record_is_proved():
    proved = verify(LOG.bundle(b"88.118", kind=KIND_HOME))
    assert (proved.standing, proved.record) == ("present", None)


def test_a_deletion_is_proved():
    proved = verify(LOG.bundle(GONE, history=9))
    assert proved.standing == "deleted"
    assert (proved.record, proved.state.version) == (None, 2)
    assert [change.version for change in proved.history] == [1]
    assert proved.history_is_complete


def test_absence_is_proved():
    proved = verify(LOG.bundle(NEVER))
    assert proved.standing == "absent"
    assert proved.state is proved.change is proved.record is None
    assert proved.history_is_complete


def test_in_a_log_without_changes_everything_is_absent():
    log = SmallLog()
    log.seal()
    bundle = log.bundle(NAME)
    assert (bundle.header_path, bundle.map_path) == ((), ())
    assert verify(bundle, {CITY: [log.signer.key]}).standing == "absent"


def test_a_map_of_one_key_has_no_path():
    log = SmallLog()
    log.register(NAME)
    log.seal()
    assert verify(log.bundle(NAME)).standing == "present"
    assert verify(log.bundle(NEVER)).standing == "absent"


@pytest.mark.parametrize(("count", "complete"), [(0, False), (1, False), (2, True)])
def test_history_is_proved_as_far_as_it_goes(count, complete):
    proved = verify(LOG.bundle(NAME, history=count))
    assert [change.version for change in proved.history] == [2, 1][:count]
    assert proved.history_is_complete is complete


def test_a_history_survives_deletion_and_registration_anew():
    log = city()
    log.register(GONE, b"again")
    log.seal()
    proved = verify(log.bundle(GONE, history=9))
    assert [(one.version, one.state) for one in proved.history] == [(2, 2), (1, 1)]
    assert (proved.standing, proved.state.version) == ("present", 3)


def test_one_key_is_pinned_for_the_origin_of_its_name():
    assert verify(LOG.bundle(NAME), KEY).standing == "present"
    with pytest.raises(SignatureError, match=r"pinned for: log\.example/top"):
        verify(LOG.bundle(NAME), TOP.signer.key)


def test_a_checkpoint_by_a_key_that_is_not_pinned_is_refused():
    forger = SmallLog(key=9)
    forger.register(NAME)
    forger.seal()
    refused(forger.bundle(NAME), "a signature by .* expected", SignatureError)
    # Its own key does not help: another origin's is another's.
    refused(
        forger.bundle(NAME), "signature", SignatureError, keys={CITY: [TOP.signer.key]}
    )


def test_a_bundle_about_something_else_is_refused():
    bundle = LOG.bundle(NAME)
    assert verify(bundle, about=(KIND_RECORD, NAME)).standing == "present"
    refused(bundle, "expected kind 1 '88.118.7/pump-2'", about=(KIND_RECORD, OTHER))
    refused(bundle, "expected kind 2", about=(KIND_HOME, NAME))


def test_cosignatures_are_proved_and_counted():
    bundle = cosigned(LOG.bundle(NAME), 0)
    proved = verify(bundle, witnesses=KEYS, quorum=1)
    assert [one.key.name for one in proved.cosignatures] == ["w1.example"]
    assert proved.cosignatures[0].time_seconds == 1_800_000_000
    refused(bundle, "w2.example", SignatureError, witnesses=KEYS, quorum=2)
    assert len(verify(cosigned(bundle, 1), witnesses=KEYS, quorum=2).cosignatures) == 2
    assert verify(bundle).cosignatures == ()


def test_a_quorum_is_asked_of_the_own_checkpoint_and_not_of_parents():
    bundle = LOG.bundle(NAME, parents=LOG.under(TOP, LOGGED, LOGGED_SIZE))
    refused(bundle, "w1.example", SignatureError, witnesses=KEYS, quorum=1)
    proved = verify(cosigned(bundle, 0), witnesses=KEYS, quorum=1)
    assert proved.parent.cosignatures == ()


def test_a_wrong_cosignature_of_a_known_witness_is_refused():
    bundle = LOG.bundle(NAME)
    wrong = cosign(
        "log.example/wuhan\n0\n" + Note.parse(LOGGED).text.split("\n")[2] + "\n",
        WITNESSES[0],
        private_key(11),
        5,
    )
    bundle = replace(bundle, checkpoint=with_signature(bundle.checkpoint, wrong))
    assert verify(bundle).cosignatures == ()
    refused(bundle, "w1.example", SignatureError, witnesses=KEYS)


def test_parents_are_proved_up_to_the_top():
    child = city()
    top, logged, size = nation(child)
    child.register(NEVER)
    child.seal()
    proved = verify(
        child.bundle(NAME, parents=child.under(top, logged, size)), up_to=NATION
    )
    assert proved.origins == (CITY, NATION)
    assert proved.parent.name == CITY.encode()
    assert proved.parent.record.split(b"\n")[1] == b"%d" % size
    assert proved.size == size + 2


def test_a_log_may_be_at_the_size_that_its_parent_has():
    proved = verify(
        LOG.bundle(NEVER, parents=LOG.under(TOP, LOGGED, LOGGED_SIZE)), up_to=NATION
    )
    assert proved.standing == "absent"


def test_parents_whose_key_is_not_pinned_are_named_and_not_believed():
    bundle = LOG.bundle(NAME, parents=LOG.under(TOP, LOGGED, LOGGED_SIZE))
    proved = verify(bundle, KEY)
    assert (proved.parent, proved.unpinned_parent) == (None, NATION)
    refused(bundle, "goes up to log.example/top", keys=KEY, up_to=NATION)
    refused(LOG.bundle(NAME), "goes up to log.example/top", up_to=NATION)


def test_parents_must_be_about_this_log_and_hold_the_logged_checkpoint():
    parents = LOG.under(TOP, LOGGED, LOGGED_SIZE)
    bundle = LOG.bundle(NAME)

    other = TOP.bundle(b"log.example/other", kind=KIND_CHILD)
    refused(replace(bundle, parents=replace(parents, bundle=other)), "is about kind 3")

    child = city()
    old = child.signed_checkpoint()
    child.register(NEVER)
    child.seal()
    newer = child.signed_checkpoint()
    refused(
        child.bundle(NAME, parents=replace(parents, logged=newer, path=())),
        "record is not the logged checkpoint",
    )
    refused(
        child.bundle(NAME, parents=replace(parents, logged=old, path=())),
        "hash",
    )


def test_a_logged_checkpoint_that_contradicts_ours_is_refused():
    fork = SmallLog()
    fork.register(NAME, b"another history")
    fork.seal()
    top, logged, size = nation(fork)
    path = merkle.consistency_path(size, LOG.size, reader(LOG.leaves))
    parents = replace(fork.under(top, logged, size), path=tuple(path))
    refused(
        LOG.bundle(NAME, parents=parents),
        "consistency",
        keys={CITY: [KEY], NATION: [top.signer.key]},
    )


def test_a_logged_checkpoint_needs_our_own_signature():
    text = Note.parse(LOGGED).text
    forged = Note(text, (Signer(CITY, private_key(9)).sign(text),)).encode()
    parents = replace(LOG.under(TOP, LOGGED, LOGGED_SIZE), logged=forged)
    refused(LOG.bundle(NAME, parents=parents), "signature", SignatureError)


def test_a_logged_checkpoint_of_nothing_proves_nothing():
    empty = Checkpoint(CITY, 0, merkle.EMPTY_ROOT)
    note = sign_checkpoint(empty, [LOG.signer])
    parents = replace(LOG.under(TOP, LOGGED, LOGGED_SIZE), logged=note, path=())
    refused(LOG.bundle(NAME, parents=parents), "empty log")


# What does not follow, each by itself.


def test_another_record_or_commitment_is_refused():
    bundle = LOG.bundle(OTHER)
    refused(replace(bundle, record=b"Public"), "its digest is")
    refused(replace(bundle, commitment=b"\x98" * 32), "its digest is")
    refused(replace(bundle, commitment=None), "its digest is")
    refused(replace(bundle, record=None, commitment=None), "missing")
    refused(replace(LOG.bundle(NAME), commitment=b"\x01" * 32), "its digest is")


def test_a_record_where_none_was_registered_is_refused():
    bundle = LOG.bundle(b"88.118", kind=KIND_HOME)
    refused(replace(bundle, record=b""), "its digest is")


def test_an_older_state_under_a_newer_checkpoint_is_refused():
    old = city()
    bundle = old.bundle(NAME)
    old.register(NAME, b"fourth")
    old.seal()
    new = old.bundle(NAME)
    verify(new)
    refused(replace(new, state=bundle.state, entry=bundle.entry), "presence leads")
    refused(replace(new, entry=bundle.entry), "leaf hash")
    refused(
        replace(bundle, checkpoint=new.checkpoint, header_path=new.header_path),
        "inclusion",
    )


def test_a_header_of_an_earlier_group_is_refused():
    index = 6
    path = merkle.inclusion_path(index, LOG.size, reader(LOG.leaves))
    bundle = replace(
        LOG.bundle(NAME), header=LOG.entries[index], header_path=tuple(path)
    )
    refused(bundle, "hashes expected|inclusion of leaf 10")


def test_a_change_in_the_place_of_a_header_is_refused():
    log = city()
    log.register(NEVER)
    refused(log.bundle(NAME), "a change in its place")


def test_a_header_that_does_not_end_its_group_is_refused():
    log = city()
    for change in ({"count": 2}, {"count": 4}, {"first_index": 6}, {"first_index": 8}):
        _with_header(log, log.header._replace(**change))
        refused(log.bundle(NAME), "its group ends at")


def test_a_header_that_counts_keys_in_the_empty_map_is_refused():
    log = city()
    _with_header(log, log.header._replace(map_keys=0))
    refused(log.bundle(NAME), "0 keys under the map root")
    _with_header(log, log.header._replace(map_root=statemap.EMPTY_ROOT, map_keys=1))
    refused(log.bundle(NAME), "1 keys under the map root")


def _with_header(log: SmallLog, header: Header) -> None:
    """Put another header at the end of a log that lies."""
    log.entries[-1] = encode_entry(header)
    log.leaves[-1] = leaf_hash(log.entries[-1])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"state": 2, "record_digest": NO_HASH}, "makes state 2 version 2"),
        ({"version": 3}, "makes state 1 version 3"),
        ({"key": map_key(1, OTHER)}, "a change of the map key"),
        ({"previous_index": 2}, "entry 2: follows entry 2, which is not before it"),
    ],
)
def test_an_entry_that_contradicts_the_map_is_refused(fields, reason):
    """Even if the log signed it: then the log lies, and the bundle shows nothing."""
    log = SmallLog()
    log.register(NAME)
    log.seal()
    log.register(NAME)
    change = entries.decode_entry(log.entries[-1])
    assert isinstance(change, Change)
    _with_entry(log, encode_entry(change._replace(**fields)), version=2)
    log.seal()
    refused(log.bundle(NAME), reason)


def test_a_state_made_by_a_header_or_from_the_future_is_refused():
    log = SmallLog()
    log.register(NAME)
    log.seal()
    _with_entry(log, log.entries[1], version=1)
    log.seal()
    refused(log.bundle(NAME), "a header in its place")
    log = SmallLog()
    log.register(NAME)
    state = log.map.get(map_key(1, NAME))
    log.map.put(map_key(1, NAME), state._replace(index=1))
    log.seal()
    bundle = replace(
        log.bundle(OTHER),
        name=NAME,
        neighbour=None,
        state=state._replace(index=1),
        entry=log.entries[0],
        record=b"record",
    )
    refused(bundle, "made by entry 1, the log has 1")


def _with_entry(log: SmallLog, entry: bytes, version: int) -> None:
    """Let the map say that this entry, put at the end, is the state of NAME."""
    index = log.size - 1
    log.entries[index] = entry
    log.leaves[index] = leaf_hash(entry)
    log.map.put(map_key(1, NAME), State(1, version, index, log.leaves[index]))


def test_a_history_with_a_gap_a_stranger_or_too_much_is_refused():
    bundle = LOG.bundle(NAME, history=2)
    second, first = bundle.history
    stranger = LOG.entries[2]
    for history in ((first,), (second, second), (stranger,), (second, stranger)):
        refused(replace(bundle, history=history), "leaf hash is")
    refused(replace(bundle, history=(second, first, first)), "before version 1")
    alone = LOG.bundle(OTHER)
    refused(replace(alone, history=(first,)), "before version 1")


def test_a_history_that_skips_versions_or_goes_forward_is_refused():
    for fields, reason in (
        ({"version": 5}, "version 2 before version 5"),
        ({"previous_index": 4}, "not before it"),
    ):
        log = SmallLog()
        log.register(NAME)
        log.register(NAME)
        log.seal()
        log.register(NAME)
        change = entries.decode_entry(log.entries[-1])
        assert isinstance(change, Change)
        change = change._replace(**fields)
        _with_entry(log, encode_entry(change), version=change.version)
        log.seal()
        refused(log.bundle(NAME, history=1), reason)


def test_an_entry_in_a_history_follows_one_before_it():
    log = SmallLog()
    log.register(NAME)
    log.seal()
    log.register(NAME)
    change = entries.decode_entry(log.entries[-1])
    assert isinstance(change, Change)
    _with_entry(log, encode_entry(change._replace(previous_index=2)), version=2)
    log.register(NAME)
    log.seal()
    assert verify(log.bundle(NAME)).state.version == 3
    refused(log.bundle(NAME, history=1), "entry 2: follows entry 2")


def test_a_child_whose_entry_and_record_differ_is_refused():
    top = SmallLog(NATION, key=2)
    digest = changes.record_digest(b"a checkpoint")
    top.change(KIND_CHILD, b"child", 1, digest, b"another checkpoint")
    top.records[map_key(KIND_CHILD, b"child")] = (b"a checkpoint", None)
    top.seal()
    refused(top.bundle(b"child", kind=KIND_CHILD), "in clear")


def test_absence_is_not_proved_for_what_is_present_or_deleted():
    for name in (NAME, GONE):
        bundle = LOG.bundle(name)
        leaf = (map_key(1, name), bundle.state.value_hash())
        hidden = replace(bundle, state=None, entry=None, record=None)
        refused(replace(hidden, neighbour=leaf), "the key's own")
        refused(replace(hidden, neighbour=None), "no leaf at its end")
        refused(replace(hidden, neighbour=None, map_path=()), "empty map")
        stranger = LOG.bundle(NEVER)
        refused(replace(stranger, name=name), "absence|key does not lead")


# The codec.


def test_a_bundle_lies_as_its_table_says():
    log = SmallLog()
    log.register(NAME, b"r" * 200, b"\x77" * 32)
    log.seal()
    bundle = log.bundle(NAME)
    note, header, entry = bundle.checkpoint, bundle.header, bundle.entry
    assert 127 < len(note) < 256
    assert 127 < len(entry) < 256
    assert encode_bundle(bundle) == b"".join(
        (
            b"idis-proof/1\n",
            b"\x01" + bytes((len(note) & 0x7F | 0x80, 1)) + note,
            b"\x02\x65" + header,
            b"\x03\x20" + log.leaves[0],
            b"\x04\x01\x01",
            b"\x05\x0f" + NAME,
            b"\x06\x00",
            b"\x07\x31\x01" + (1).to_bytes(8) + bytes(8) + log.leaves[0],
            b"\x09" + bytes((len(entry) & 0x7F | 0x80, 1)) + entry,
            b"\x0a\xc8\x01" + b"r" * 200,
            b"\x0b\x20" + b"\x77" * 32,
        )
    )


def test_history_parents_and_neighbour_lie_as_their_tables_say():
    child = city()
    top, logged, size = nation(child)
    child.register(NEVER)
    child.seal()
    parents = child.under(top, logged, size)
    octets = encode_bundle(child.bundle(NAME, history=2, parents=parents))
    inner = encode_bundle(parents.bundle)
    section = (
        bytes((len(parents.path),))
        + b"".join(parents.path)
        + len(logged).to_bytes(2)
        + logged
        + inner
    )
    length = bytes((len(section) & 0x7F | 0x80, len(section) >> 7))
    assert octets.endswith(b"\x0d" + length + section)
    second, first = (child.entries[index] for index in (4, 1))
    section = b"".join(len(one).to_bytes(2) + one for one in (second, first))
    assert len(section) >> 7 == 2
    assert b"\x0c" + bytes((len(section) & 0x7F | 0x80, 2)) + section in octets
    absent = LOG.bundle(b"nothing")
    key, value = absent.neighbour
    assert encode_bundle(absent).endswith(b"\x08\x40" + key + value)


def sections(octets: bytes) -> list[tuple[int, bytes]]:
    """Take apart what is known to be well-formed."""
    place, found = len(b"idis-proof/1\n"), []
    while place < len(octets):
        tag, place = octets[place], place + 1
        length = shift = 0
        while True:
            octet, place = octets[place], place + 1
            length |= (octet & 0x7F) << shift
            shift += 7
            if octet < 0x80:
                break
        found.append((tag, octets[place : place + length]))
        place += length
    return found


def joined(parts: list[tuple[int, bytes]]) -> bytes:
    octets = b"idis-proof/1\n"
    for tag, content in parts:
        length = len(content)
        octets += bytes((tag,))
        while length > 0x7F:
            octets += bytes((length & 0x7F | 0x80,))
            length >>= 7
        octets += bytes((length,)) + content
    return octets


WHOLE = {
    "present": LOG.bundle(NAME),
    "secret": LOG.bundle(OTHER),
    "home": LOG.bundle(b"88.118", kind=KIND_HOME),
    "deleted": LOG.bundle(GONE, history=1),
    "absent": LOG.bundle(NEVER),
    "history": LOG.bundle(NAME, history=2),
    "parents": LOG.bundle(NAME, parents=LOG.under(TOP, LOGGED, LOGGED_SIZE)),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_bundle_comes_back_as_it_was_written(name):
    octets = encode_bundle(WHOLE[name])
    assert joined(sections(octets)) == octets
    assert decode_bundle(octets) == WHOLE[name]


@pytest.mark.parametrize("name", WHOLE)
def test_a_section_missing_twice_out_of_order_or_unknown_is_refused(name):
    about = (WHOLE[name].kind, WHOLE[name].name)
    parts = sections(encode_bundle(WHOLE[name]))
    for place, part in enumerate(parts):
        bad = [
            parts[: place + 1] + parts[place:],
            [*parts[:place], (part[0], part[1] + b"\x00"), *parts[place + 1 :]],
            [*parts, (14, b"")],
            [(0, b""), *parts],
        ]
        if place:
            swapped = [parts[place], parts[place - 1]]
            bad.append([*parts[: place - 1], *swapped, *parts[place + 1 :]])
        for wrong in bad:
            with pytest.raises((FormatError, ProofError, SignatureError)):
                verify_bundle(joined(wrong), PINNED, about=about)
        shorter = parts[:place] + parts[place + 1 :]
        if part[0] in (12, 13):
            verify_bundle(joined(shorter), PINNED, about=about)
        else:
            with pytest.raises((BundleError, ProofError)):
                verify_bundle(joined(shorter), PINNED, about=about)


@pytest.mark.parametrize("name", WHOLE)
def test_every_shortening_and_any_octet_more_is_refused(name):
    octets = encode_bundle(WHOLE[name])
    ends = {13}
    for tag, content in sections(octets):
        ends.add(max(ends) + len(joined([(tag, content)])) - 13)
    for end in range(len(octets)):
        if end not in ends:
            with pytest.raises(BundleError):
                decode_bundle(octets[:end])
    for more in (b"\x00", b"\n", octets):
        with pytest.raises(BundleError):
            decode_bundle(octets + more)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"idis-proof/1\n", b"idis-proof/2\n", "does not begin"),
        (b"\x04\x01\x01", b"\x04\x81\x00\x01", "shortest form"),
        (b"\x04\x01\x01", b"\x04\x80\x80\x80\x80\x01", "more than 4 octets"),
        (b"\x04\x01\x01", b"\x04\x01\x04", "kind 4"),
        (b"\x04\x01\x01", b"\x04\x00", "kind has 0 octets"),
        (b"\x05\x0f" + NAME, b"\x05\x00", "name is empty"),
    ],
)
def test_another_spelling_is_refused(old, new, reason):
    octets = encode_bundle(LOG.bundle(NAME))
    assert octets.count(old) == 1
    with pytest.raises(BundleError, match=reason):
        decode_bundle(octets.replace(old, new))


def test_a_bundle_larger_than_is_read_is_refused():
    bundle = replace(LOG.bundle(NAME), record=bytes(4 * 1024 * 1024))
    with pytest.raises(BundleError, match="at most 4194304"):
        encode_bundle(bundle)
    with pytest.raises(BundleError, match="at most 4194304"):
        decode_bundle(bytes(4 * 1024 * 1024 + 1))


def test_more_than_eight_parents_are_refused():
    bundle = LOG.bundle(NAME)
    parents = LOG.under(TOP, LOGGED, LOGGED_SIZE)
    for _ in range(8):
        bundle = replace(LOG.bundle(NAME), parents=replace(parents, bundle=bundle))
    octets = encode_bundle(bundle)
    assert decode_bundle(octets) == bundle
    with pytest.raises(BundleError, match="more than 8 parents"):
        encode_bundle(
            replace(LOG.bundle(NAME), parents=replace(parents, bundle=bundle))
        )
    (*_, (_, inner)) = sections(encode_bundle(WHOLE["parents"]))
    start = inner.index(b"idis-proof/1\n")
    nested = joined(
        [*sections(encode_bundle(LOG.bundle(NAME))), (13, inner[:start] + octets)]
    )
    with pytest.raises(BundleError, match="more than 8 parents"):
        decode_bundle(nested)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": 0}, "kind 0"),
        ({"name": b""}, "name is empty"),
        ({"entry": None}, "state and entry"),
        ({"state": None}, "state and entry"),
        ({"neighbour": (bytes(32), bytes(32))}, "a neighbour says absent"),
        ({"record": None, "commitment": b"\x01" * 32}, "a commitment, but no record"),
        ({"commitment": bytes(32)}, "commitment of zeros"),
        ({"commitment": b"\x01" * 31}, "31 octets"),
        ({"header_path": (bytes(31),)}, "31 octets"),
        ({"header_path": (bytes(32),) * 65}, "65 hashes"),
        ({"map_path": ((0, bytes(33)),)}, "33 octets"),
        ({"map_path": ((256, bytes(32)),)}, "0 to 255"),
        ({"map_path": ((0, bytes(32)),) * 257}, "257 steps"),
        ({"state": None, "entry": None, "record": None, "history": (b"x",)}, "history"),
        ({"state": None, "entry": None}, "a record, but no state"),
    ],
)
def test_parts_that_do_not_fit_together_are_not_written(change, reason):
    with pytest.raises(BundleError, match=reason):
        encode_bundle(replace(LOG.bundle(NAME), **change))


def test_a_record_of_what_is_deleted_is_neither_written_nor_read():
    bundle = replace(LOG.bundle(GONE), record=b"short-lived")
    with pytest.raises(BundleError, match="no state that is active"):
        encode_bundle(bundle)
    octets = joined([*sections(encode_bundle(LOG.bundle(GONE))), (10, b"short-lived")])
    with pytest.raises(BundleError, match="no state that is active"):
        decode_bundle(octets)


def test_an_empty_history_is_left_out():
    octets = joined([*sections(encode_bundle(LOG.bundle(NAME))), (12, b"")])
    with pytest.raises(BundleError, match="history is empty"):
        decode_bundle(octets)


# For people.


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_proved_and_what_is_in_a_bundle_can_be_read(name):
    told = json.loads(json.dumps(describe(verify(WHOLE[name]))))
    assert told["origin"] == CITY
    assert told["standing"] in ("present", "deleted", "absent")
    shown = json.loads(json.dumps(bundle_json(WHOLE[name])))
    assert shown["name"] == told["name"]
    assert shown["header"] == told["header"]
    assert shown.get("entry") == told["change"]
    assert shown.get("record_base64") == told["record_base64"]
    assert len(shown["map_path"]) == len(WHOLE[name].map_path)
    assert ("parents" in shown) == (told["parent"] is not None)


def test_a_description_says_who_did_what_and_when():
    told = describe(verify(cosigned(LOG.bundle(NAME), 0), witnesses=KEYS))
    assert told["version"] == 3
    assert told["change"]["actor"] == "88.118/admin"
    assert told["change"]["scope"] == "88.118"
    assert told["change"]["time_ms"] == 1_800_000_000_008
    assert told["cosignatures"] == [
        {"key": str(KEYS[0]), "time_seconds": 1_800_000_000}
    ]


# At the size of the whole system.

NATIONAL_SIZE = 1_900_000_000


def national_bundle() -> tuple[Bundle, Signer]:
    """A proof at 1.9e9 entries, over a tree of which only the right edge exists.

    The tree of that size has 15 complete subtrees on its edge. The 14 on the left
    are only their hashes; the last one, of 256 leaves, is real.
    """
    signer = Signer("log.idis.example/88/wuhan", private_key(1))
    base = NATIONAL_SIZE - 256
    name = b"88.118.7/pump-2026-000000001"
    record = bytes(range(150))
    change = Change(
        state=1,
        version=2,
        previous_index=1_234_567_890,
        previous_hash=hashlib.sha256(b"previous").digest(),
        key=map_key(1, name),
        operation=5,
        record_digest=changes.record_digest(record),
        time_ms=1_800_000_000_000,
        actor_index=300,
        actor=b"88.118.7/admin",
        scope=b"88.118.7",
        extra=b"",
    )
    entry = encode_entry(change)
    assert 150 <= len(entry) <= 170
    state = State(1, 2, NATIONAL_SIZE - 2, leaf_hash(entry))
    map_path = tuple(
        (bit, hashlib.sha256(b"side %d" % bit).digest()) for bit in range(31)
    )
    root = statemap.leaf_hash(change.key, state.value_hash())
    for bit, sibling in reversed(map_path):
        pair = (root, sibling)
        if statemap.bit_at(change.key, bit):
            pair = (sibling, root)
        root = statemap.inner_hash(bit, *pair)
    header = encode_entry(
        Header(
            height=7_421_875,
            previous_hash=hashlib.sha256(b"header").digest(),
            first_index=base,
            count=255,
            map_root=root,
            map_keys=1_500_000_000,
            time_ms=1_800_000_000_001,
        )
    )
    leaves = [hashlib.sha256(b"leaf %d" % index).digest() for index in range(254)]
    edge = reader([*leaves, state.leaf_hash, leaf_hash(header)])
    left = set()

    def read(level: int, index: int) -> bytes:
        if index << level >= base:
            return edge(level, index - (base >> level))
        left.add((level, index))
        return hashlib.sha256(b"edge %d %d" % (level, index)).digest()

    size = NATIONAL_SIZE
    path = merkle.inclusion_path(size - 1, size, read)
    checkpoint = Checkpoint(signer.key.name, size, merkle.root_of(size, read))
    assert len(left) == 14
    bundle = Bundle(
        checkpoint=sign_checkpoint(checkpoint, [signer]),
        header=header,
        header_path=tuple(path),
        kind=1,
        name=name,
        map_path=map_path,
        state=state,
        entry=entry,
        record=record,
    )
    return bundle, signer


def test_a_bundle_at_nineteen_hundred_million_entries_is_small():
    bundle, signer = national_bundle()
    assert len(bundle.header_path) == 22
    assert len(bundle.map_path) == 31
    octets = encode_bundle(bundle)
    assert len(octets) <= 2500
    proved = verify_bundle(octets, signer.key, about=(1, bundle.name))
    assert proved.size == NATIONAL_SIZE
    with pytest.raises(ProofError):
        verify_bundle(octets.replace(bytes(range(150)), bytes(150)), signer.key)
