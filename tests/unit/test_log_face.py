"""The log's HTTP face without sockets: choices, limits, and stored octets gone bad."""

import json
from random import Random

import pytest

from chain_anchor.errors import ProofError
from chain_anchor.proof import verify_bundle
from chain_anchor.statemap import KIND_HOME, KIND_RECORD
from chain_anchor.view import MAX_HISTORY
from registry.change import Receipt
from registry.journal import Operation
from registry.model.record import make_record
from registry.model.typed import Interface, Server, Site
from registry.model.value import Value
from resolver.faces import log_proofs
from resolver.faces.exchange import HttpError, Parameters
from resolver.faces.log_access import log_urls
from resolver.faces.log_proofs import Proofs
from resolver.faces.log_receipts import record_receipt
from resolver.faces.negotiation import chosen_type
from tests.log_in_memory import KEYS, ORIGIN, PREFIX, URL, MemoryLog, ask, face_of

KEY = KEYS.signer().key
HTML, TEXT = "text/html", "text/plain"
RECORD = f"/log/proof/record?identifier={PREFIX.decode()}/"
HISTORY = f"/log/history?identifier={PREFIX.decode()}/"


@pytest.fixture
def sealing():
    sealing = MemoryLog()
    sealing.home_prefix()
    return sealing


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", HTML),
        ("*/*", HTML),
        (TEXT, TEXT),
        ("text/*", HTML),
        ("TEXT/PLAIN", TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", HTML),
        ("text/plain;q=0.9,text/html;q=0.8", TEXT),
        ("text/plain;q=0.8,text/html;q=0.9", HTML),
        ("*/*,text/html;q=0", TEXT),
        ("text/*;q=0.1,text/plain ; charset=utf-8 ; q=0.2", TEXT),
        ("text/html;q=nonsense,text/plain;q=0.1", TEXT),
        ("text/html;q=2,text/plain;q=0.1", TEXT),
        ("image/png", HTML),
        (",,;q=1,", HTML),
        (",".join(["image/png"] * 32 + [TEXT]), HTML),
    ],
)
def test_the_client_chooses_the_type(accept, chosen):
    assert chosen_type(accept, (HTML, TEXT)) == chosen


def test_unknown_and_repeated_parameters_are_refused():
    Parameters(b"a=1&b=2").only("a", "b", "c")
    for query in (b"a=1&a=1", b"a=1&d=2", b"=1", b"a=&a="):
        with pytest.raises(HttpError, match="expected"):
            Parameters(query).only("a", "b")


def test_the_log_of_a_site_is_where_its_http_is():
    def site(address, *interfaces):
        return Site(1, True, (Server(1, address, b"", interfaces),)).encode()

    values = [
        Value(1, "HS_SITE", b"no site"),
        Value(
            2, "HS_SITE", site("127.0.0.1", Interface(2, 2, 80), Interface(3, 2, 81))
        ),
        Value(3, "HS_SITE", site("::1", Interface(2, 2, 82))),
        Value(
            4, "HS_SITE", site("127.0.0.2", Interface(2, 1, 83), Interface(1, 2, 84))
        ),
    ]
    record = make_record(b"0.NA/88.1", 1, tuple(values))
    assert list(log_urls(record)) == ["http://127.0.0.1:80/log", "http://[::1]:82/log"]


def test_an_empty_log_proves_nothing_yet():
    face, _ = face_of(MemoryLog())
    for target in ("/log/checkpoint", "/log", f"{RECORD}X", "/log/tile/0/000.p/1"):
        response = ask(face, target)
        assert response.status == 404
        assert b"empty" in response.body


def test_names_are_found_whatever_their_case(sealing):
    sealing.register(b"ABC")
    face, _ = face_of(sealing)
    bundle = ask(face, f"{RECORD}abc").body
    found = verify_bundle(bundle, KEY, about=(KIND_RECORD, PREFIX + b"/ABC"))
    assert found.standing == "present"


def test_a_long_history_comes_in_pieces(sealing):
    versions = MAX_HISTORY + 5
    sealing.group(*((Operation.CREATE, PREFIX + b"/X", (URL,)),) * versions)
    face, _ = face_of(sealing)
    verified = verify_bundle(ask(face, f"{RECORD}X&history=true").body, KEY)
    assert len(verified.history) == MAX_HISTORY
    assert not verified.history_is_complete
    found, after = [], ""
    while after is not None:
        page = json.loads(ask(face, f"{HISTORY}X&limit=400{after}").body)
        found += [one["version"] for one in page["changes"]]
        after = page["next"] and f"&from={page['next']}"
    assert found == list(range(versions, 0, -1))


def test_a_history_of_many_octets_is_cut(sealing, monkeypatch):
    sealing.group(*((Operation.CREATE, PREFIX + b"/X", (URL,)),) * 10)
    size = len(Proofs(sealing).view.entry(2))
    monkeypatch.setattr(log_proofs, "MAX_HISTORY_OCTETS", 3 * size + size // 2)
    face, _ = face_of(sealing)
    verified = verify_bundle(ask(face, f"{RECORD}X&history=true").body, KEY)
    assert [one.version for one in verified.history] == [9, 8, 7]


def test_a_history_begins_nowhere_but_at_a_change_of_the_name(sealing):
    sealing.register(b"X", b"Y")
    sealing.register(b"X")
    face, _ = face_of(sealing)
    statuses = {n: ask(face, f"{HISTORY}X&from={n}").status for n in range(8)}
    # 0 home, 1 header, 2 X, 3 Y, 4 header, 5 X, 6 header
    assert [n for n, status in statuses.items() if status == 200] == [2, 5]
    assert set(statuses.values()) == {200, 404}


def test_a_receipt_is_not_made_of_another_group(sealing):
    sealing.register(b"X")
    made = Receipt(sealing.serial, PREFIX + b"/X", sealing.records[PREFIX + b"/X"])
    assert record_receipt(sealing, made)["index"] == 2
    sealing.register(b"Y")
    for late in (made, made._replace(serial=sealing.serial), made._replace(serial=9)):
        with pytest.raises(ProofError, match="not in the last group"):
            record_receipt(sealing, late)


def test_hidden_administrators_of_a_prefix_are_committed_to():
    sealing = MemoryLog()
    shown = Value(100, "HS_ADMIN", b"\x0f\xf2\0\0\0\x01a\0\0\0\1\0\0")
    hidden = shown._replace(index=101, permissions=0x0C, data=shown.data + b"secret")
    sealing.home_prefix(shown, hidden)
    face, _ = face_of(sealing)
    bundle = ask(face, f"/log/proof/prefix?prefix={PREFIX.decode()}").body
    found = verify_bundle(bundle, KEY, about=(KIND_HOME, PREFIX))
    assert b"secret" not in bundle
    assert found.commitment is not None
    sealing.home_prefix(shown)
    bundle = ask(face, f"/log/proof/prefix?prefix={PREFIX.decode()}").body
    assert verify_bundle(bundle, KEY).commitment is None


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda records, name: records.pop(name), "is not there"),
        (
            lambda records, name: records.update(
                {name: make_record(name, 2, (URL._replace(data=b"other"),))}
            ),
            "digest",
        ),
        (
            lambda records, name: records.update({PREFIX + b"/Y": records[name]}),
            "is not in the map",
        ),
    ],
)
def test_what_the_store_says_otherwise_than_the_log_is_not_served(
    sealing, spoil, problem
):
    sealing.register(b"X")
    face, node = face_of(sealing)
    spoil(sealing.records, PREFIX + b"/X")
    responses = [ask(face, RECORD + name) for name in ("X", "Y")]
    bad = [one for one in responses if one.status == 500]
    assert len(bad) == 1
    assert problem in json.loads(bad[0].body)["message"]
    assert node.telemetry.log_failures == 1


TARGETS = (
    f"{RECORD}N3&history=true",
    f"{RECORD}NONE",
    f"{HISTORY}N3",
    "/log/tile/0/000.p/70",
    "/log/tile/entries/000.p/70",
    "/log/proof/inclusion?index=5",
    "/log/proof/inclusion?index=5&size=40",
    "/log/proof/consistency?old=40",
    "/log/proof/consistency?old=5&size=40",
)


def test_one_flipped_bit_never_changes_an_answer_unnoticed(sealing):
    names = [b"N%d" % number for number in range(40)]
    sealing.register(*names)
    sealing.register(*names)
    face, _ = face_of(sealing)
    honest = {target: ask(face, target) for target in TARGETS}
    assert {one.status for one in honest.values()} == {200}
    random, noticed = Random(1), 0
    kept = sealing.tables.kept
    for place, octets in sorted(kept.items()):
        for _ in range(3):
            bit = random.randrange(8 * len(octets))
            spoiled = bytearray(octets)
            spoiled[bit // 8] ^= 1 << bit % 8
            kept[place] = bytes(spoiled)
            for target, right in honest.items():
                answer = ask(face, target)
                if answer != right:
                    noticed += 1
                    assert answer.status == 500, (place, bit, target)
        kept[place] = octets
    assert noticed > 100
    assert {target: ask(face, target) for target in TARGETS} == honest


def test_what_is_missing_never_changes_an_answer_unnoticed(sealing):
    names = [b"N%d" % number for number in range(40)]
    sealing.register(*names)
    sealing.register(*names)
    face, _ = face_of(sealing)
    honest = {target: ask(face, target) for target in TARGETS}
    kept = sealing.tables.kept
    for place in sorted(kept):
        octets = kept.pop(place)
        for target, right in honest.items():
            answer = ask(face, target)
            assert answer == right or answer.status == 500, (place, target)
        kept[place] = octets


def test_the_origin_is_told_with_every_proof(sealing):
    sealing.register(b"X")
    face, _ = face_of(sealing)
    for target in (f"{RECORD}X", f"{HISTORY}X", "/log/rotations", *TARGETS[5:]):
        told = json.loads(ask(face, target, "application/json").body)
        if "message" not in told:
            assert told["origin"] == ORIGIN
