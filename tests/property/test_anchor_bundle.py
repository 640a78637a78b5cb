"""Proof bundles with anything in them changed: refused, or the same content."""

from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st

from chain_anchor.bundle import Bundle, Parents, decode_bundle, encode_bundle
from chain_anchor.cosignature import cosign, cosigner_key
from chain_anchor.errors import AnchorError, BundleError
from chain_anchor.note import Note
from chain_anchor.proof import verify_bundle
from chain_anchor.statemap import KIND_HOME, State
from tests.small_log import SmallLog, private_key, with_signature

NAME = b"88.118/a"
GONE = b"88.118/b"
SECRET = b"88.118/c"
NEVER = b"88.118/d"
WITNESS = cosigner_key(
    "witness.example", private_key(21).public_key().public_bytes_raw()
)


def _logs() -> tuple[SmallLog, SmallLog, bytes, int]:
    log, top = SmallLog("log.example/a"), SmallLog("log.example/top", key=2)
    log.register(NAME, b"one")
    log.register(GONE, b"two")
    log.register(SECRET, b"three", b"\x99" * 32)
    log.register(b"88.118", None, kind=KIND_HOME)
    log.seal()
    top.register(b"log.example/z")
    note, size = top.log_child(log)
    top.seal()
    log.register(NAME, b"four")
    log.delete(GONE)
    log.seal()
    return log, top, note, size


LOG, TOP, LOGGED, LOGGED_SIZE = _logs()
PINNED = {log.origin: [log.signer.key] for log in (LOG, TOP)}
BUNDLES = {
    "present": LOG.bundle(NAME),
    "history": LOG.bundle(NAME, history=1),
    "secret": LOG.bundle(SECRET),
    "home": LOG.bundle(b"88.118", kind=KIND_HOME),
    "deleted": LOG.bundle(GONE),
    "absent": LOG.bundle(NEVER),
    "parents": LOG.bundle(NAME, parents=LOG.under(TOP, LOGGED, LOGGED_SIZE)),
}
KINDS = {kind: encode_bundle(bundle) for kind, bundle in BUNDLES.items()}
OCTETS = st.sampled_from(sorted(KINDS))
TRUE = set(KINDS.values()) | {
    # Sections that may be left out: less is shown, and it is still true.
    encode_bundle(replace(BUNDLES["parents"], parents=None)),
}


def asked(kind: str) -> dict:
    """What who verifies a bundle of this kind asks it to show.

    Another name may be absent for the same reason, and a parent of another name is
    one whose key is not pinned: only a question shows that they are not the answer.
    """
    bundle = BUNDLES[kind]
    question: dict = {"about": (bundle.kind, bundle.name)}
    if bundle.parents:
        question["up_to"] = TOP.origin
    return question


def check(octets: bytes, question: dict) -> bool:
    """Whether a bundle is accepted; no error but ours may come out."""
    try:
        verify_bundle(octets, PINNED, **question)
    except AnchorError:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_no_octet_can_be_changed(kind):
    octets = bytearray(KINDS[kind])
    question = asked(kind)
    assert check(bytes(octets), question)
    for place, octet in enumerate(octets):
        for wrong in (octet ^ 0x01, octet ^ 0x80, octet ^ 0x20, 255 - octet):
            octets[place] = wrong
            assert not check(bytes(octets), question), (place, octet, wrong)
        octets[place] = octet


def test_no_octet_of_a_cosignature_that_is_asked_for_can_be_changed():
    bundle = BUNDLES["absent"]
    text = Note.parse(bundle.checkpoint).text
    signature = cosign(text, WITNESS.name, private_key(21), 1_800_000_000)
    longer = with_signature(bundle.checkpoint, signature)
    octets = bytearray(encode_bundle(replace(bundle, checkpoint=longer)))
    question = asked("absent") | {"witnesses": [WITNESS], "quorum": 1}
    assert check(bytes(octets), question)
    for place, octet in enumerate(octets):
        for wrong in (octet ^ 0x01, octet ^ 0x20):
            octets[place] = wrong
            assert not check(bytes(octets), question), (place, octet, wrong)
        octets[place] = octet


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_octet_leaves_another_truth_or_none(kind):
    """Without a question: what is accepted says the same, or less, or of another."""
    octets = bytearray(KINDS[kind])
    before = verify_bundle(bytes(octets), PINNED)
    for place, octet in enumerate(octets):
        octets[place] = octet ^ 0x01
        try:
            after = verify_bundle(bytes(octets), PINNED)
        except AnchorError:
            continue
        finally:
            octets[place] = octet
        if after.name != before.name:
            assert after.standing == "absent"
            assert before.standing == "absent"
        else:
            assert after.unpinned_parent not in (None, TOP.origin)
            assert replace(after, unpinned_parent=None) == replace(before, parent=None)


@settings(max_examples=300)
@given(OCTETS, st.data())
def test_octets_put_in_or_taken_out_are_noticed(kind, data):
    octets = KINDS[kind]
    start = data.draw(st.integers(0, len(octets)))
    end = data.draw(st.integers(start, min(len(octets), start + 40)))
    changed = octets[:start] + data.draw(st.binary(max_size=40)) + octets[end:]
    # A signature by a key that nobody knows is the only freedom there is, and no
    # such line fits into so little without a length elsewhere that tells of it.
    if changed not in TRUE:
        assert not check(changed, asked(kind))


@settings(max_examples=300)
@given(OCTETS, OCTETS, st.data())
def test_parts_of_two_bundles_make_no_third(one, other, data):
    cut = data.draw(st.integers(0, len(KINDS[one])))
    again = data.draw(st.integers(0, len(KINDS[other])))
    mixed = KINDS[one][:cut] + KINDS[other][again:]
    if mixed not in TRUE:
        assert not check(mixed, {})


@given(
    st.binary(max_size=200)
    | st.binary(max_size=200).map(lambda octets: b"idis-proof/1\n" + octets)
    | st.tuples(
        OCTETS.map(KINDS.get), st.integers(0, 3000), st.binary(max_size=60)
    ).map(lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :])
)
def test_any_octets_are_a_bundle_or_refused(octets):
    try:
        bundle = decode_bundle(octets)
    except BundleError:
        return
    assert encode_bundle(bundle) == octets


@given(st.lists(st.tuples(st.integers(0, 15), st.binary(max_size=140)), max_size=13))
def test_any_sections_are_a_bundle_or_refused(parts):
    octets = b"idis-proof/1\n"
    for tag, content in parts:
        length = len(content)
        count = bytes((length,)) if length < 128 else bytes((length & 127 | 128, 1))
        octets += bytes((tag,)) + count + content
    try:
        bundle = decode_bundle(octets)
    except BundleError:
        return
    assert encode_bundle(bundle) == octets


HASHES = st.binary(min_size=32, max_size=32)


@st.composite
def well_formed(draw):
    """Bundles that the codec must take, whatever they prove."""
    state = draw(
        st.none()
        | st.builds(
            State,
            state=st.sampled_from([1, 2]),
            version=st.integers(1, 2**63 - 1),
            index=st.integers(0, 2**63 - 1),
            leaf_hash=HASHES,
        )
    )
    record = draw(st.none() | st.binary(max_size=300)) if state else None
    if state and state.state == 2:
        record = None
    commitment = None
    if record is not None:
        commitment = draw(st.none() | HASHES.filter(any))
    parents = None
    if draw(st.integers(0, 2)) == 0:
        parents = Parents(
            tuple(draw(st.lists(HASHES, max_size=3))),
            draw(st.binary(max_size=20)),
            decode_bundle(KINDS["absent"]),
        )
    return Bundle(
        checkpoint=draw(st.binary(max_size=200)),
        header=draw(st.binary(max_size=20)),
        header_path=tuple(draw(st.lists(HASHES, max_size=4))),
        kind=draw(st.integers(1, 3)),
        name=draw(st.binary(min_size=1, max_size=20)),
        map_path=tuple(
            draw(st.lists(st.tuples(st.integers(0, 255), HASHES), max_size=4))
        ),
        state=state,
        neighbour=None if state else draw(st.none() | st.tuples(HASHES, HASHES)),
        entry=draw(st.binary(max_size=20)) if state else None,
        record=record,
        commitment=commitment,
        history=tuple(draw(st.lists(st.binary(max_size=9), max_size=3)))
        if state
        else (),
        parents=parents,
    )


@given(well_formed())
def test_a_bundle_comes_back_as_it_was_written(bundle):
    octets = encode_bundle(bundle)
    assert decode_bundle(octets) == bundle
    assert not check(octets, {})
