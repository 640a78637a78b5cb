"""The log over HTTP and HTTPS: what is served verifies, and nothing else is served."""

import base64
import hashlib

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chain_anchor.checkpoint import open_checkpoint
from chain_anchor.merkle import leaf_hash, verify_consistency, verify_inclusion
from chain_anchor.note import VerifierKey
from chain_anchor.proof import verify_bundle
from chain_anchor.rotation import RotationProof, follow_rotations
from chain_anchor.statemap import KIND_CHILD, KIND_HOME, KIND_RECORD
from chain_anchor.tlog_proof import verify_tlog_proof
from chain_anchor.witnessing import AddCheckpoint
from registry.change import Change
from registry.journal import Operation
from registry.model.identity import Identity
from registry.model.typed import ALL_ADMIN_BITS, Admin
from registry.model.value import Value, decode_values
from resolver.log_keys import LogKeys
from resolver.ready_file import describe
from tests.e2e import networks
from tests.e2e.http_support import ADMIN, KEYS, PREFIX, Served, request, serve, submit
from tests.e2e.log_support import (
    JSON,
    ORIGIN,
    TEXT,
    URL,
    change,
    check_site,
    download,
    get,
    key_of,
    register,
)

P1 = f"{PREFIX}/P1".encode()
RECORD = f"/log/proof/record?identifier={PREFIX}/P1"
CHILD = "child.idis.test/log"
CHECKPOINT = f"{CHILD}\n7\n{'A' * 43}=\n"
EVERYTHING = (
    "/log",
    "/log/checkpoint",
    "/log/tile/0/000.p/3",
    "/log/tile/entries/000.p/3",
    RECORD,
    f"/log/proof/prefix?prefix={PREFIX}",
    f"/log/proof/child?origin={CHILD}",
    "/log/proof/inclusion?index=0",
    "/log/proof/consistency?old=1",
    f"/log/history?identifier={PREFIX}/P1",
    "/log/rotations",
)
"""One address of each kind, all of them answered with 200."""


@pytest.fixture
async def served(tmp_path):
    operator = Identity(ADMIN.upper().encode(), 302)
    log = LogKeys(ORIGIN, KEYS)
    async with serve(tmp_path, log=log, operators=(operator,)) as served:
        yield served


async def head_of(served):
    note = (await get(served, "/log/checkpoint")).body
    return open_checkpoint(note, ORIGIN, [key_of(served)])


async def proved(served, name, target=None, kind=KIND_RECORD):
    """Fetch a bundle and verify it as a client does."""
    target = target or f"/log/proof/record?identifier={name}"
    answer = await get(served, target)
    about = (kind, name.upper().encode())
    return verify_bundle(answer.body, key_of(served), about=about)


async def test_the_checkpoint_is_signed_and_stays_fresh(served):
    answer = await get(served, "/log/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    checkpoint = open_checkpoint(answer.body, ORIGIN, [key_of(served)])
    assert checkpoint.size == served.node.sealing.log.head.size
    await register(served, "NEW")
    assert (await head_of(served)).size == checkpoint.size + 2


@pytest.mark.parametrize("target", EVERYTHING)
async def test_head_and_get_have_equal_headers(served, target):
    get_answer = await get(served, target)
    head_answer = await request(served, "HEAD", target)
    for answer in (get_answer, head_answer):
        del answer.headers["date"]
    assert head_answer.status == 200
    assert head_answer.headers == get_answer.headers
    assert head_answer.body == b""
    assert int(get_answer.headers["content-length"]) == len(get_answer.body)


@pytest.mark.parametrize("target", EVERYTHING)
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "OPTIONS", "PATCH"])
async def test_a_log_is_only_read(served, target, method):
    answer = await request(served, method, target)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("target", EVERYTHING)
async def test_plain_http_and_https_give_the_same(served, target):
    plain, secure = [await get(served, target, secure=one) for one in (False, True)]
    assert plain.body == secure.body


@pytest.mark.parametrize("target", EVERYTHING[2:4])
async def test_tiles_may_be_kept_for_ever(served, target):
    answer = await get(served, target)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("target", EVERYTHING[1:4])
async def test_who_has_it_already_is_told_so(served, target):
    tag = (await get(served, target)).headers["etag"]
    for known in (tag, f'"other", W/{tag}'):
        again = await request(served, "GET", target, headers={"If-None-Match": known})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == tag
        assert "content-length" not in again.headers
    await get(served, target, {"If-None-Match": '"other"'})


async def test_every_tile_and_entry_leads_to_the_signed_root(served):
    await register(served, *(f"N{number}" for number in range(600)))
    checkpoint = await head_of(served)
    assert checkpoint.size > 600
    site = await download(served, checkpoint.size)
    assert {tile.level for tile in site.tiles} == {0, 1}
    check_site(site, checkpoint.size, checkpoint.root)


async def test_partial_tiles_of_every_past_checkpoint_stay(served):
    past = [await head_of(served)]
    for group in range(5):
        await register(served, *(f"G{group}-{number}" for number in range(60)))
        past.append(await head_of(served))
    assert past[0].size < 256 < past[-1].size
    for checkpoint in past:
        site = await download(served, checkpoint.size)
        check_site(site, checkpoint.size, checkpoint.root)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("tile", 404),
        ("tile/", 400),
        ("tile/0", 400),
        ("tile/0/0", 400),
        ("tile/0/0000", 400),
        ("tile/00/000", 400),
        ("tile/64/000", 400),
        ("tile/-1/000", 400),
        ("tile/0/x000/000", 400),
        ("tile/0/001/002", 400),
        ("tile/0/000.p/0", 400),
        ("tile/0/000.p/256", 400),
        ("tile/0/000.p/01", 400),
        ("tile/0/000.p/", 400),
        ("tile/0/000/", 400),
        ("tile/entry/000", 400),
        ("tile/entries/000.p/3/4", 400),
        ("tile/0/%30%30%30.p/3", 400),
        ("tile/0/000.p/255", 404),
        ("tile/0/000", 404),
        ("tile/1/000.p/1", 404),
        ("tile/63/000.p/1", 404),
        ("tile/entries/000", 404),
        ("tile/0/x999/x999/x999/x999/x999/999", 404),
        ("tile/0/x009/x223/x372/x036/x854/x775/807.p/1", 404),
        ("tile/0/x009/x223/x372/x036/x854/x775/808.p/1", 400),
        ("checkpoint/", 404),
        ("Checkpoint", 404),
        ("proof", 404),
        ("proof/", 404),
        ("proof/history", 404),
        ("record", 404),
        ("/checkpoint", 404),
        ("../healthz", 404),
    ],
)
async def test_what_is_no_address_of_the_log_is_refused(served, path, status):
    answer = await request(served, "GET", f"/log/{path}")
    assert answer.status == status
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json["message"]


async def test_neighbours_of_the_log_are_not_the_log(served):
    assert (await request(served, "GET", "/logs")).status == 404
    assert (await request(served, "GET", "/log?x=1")).status == 200


async def test_a_record_is_proved_present_deleted_and_absent(served):
    present = await proved(served, f"{PREFIX}/P1")
    assert present.standing == "present"
    assert [value.index for value in decode_values(present.record)] == [1, 2, 3]
    await change(served, Operation.DELETE, "P1")
    assert (await proved(served, f"{PREFIX}/p1")).standing == "deleted"
    assert (await proved(served, f"{PREFIX}/NOTHING")).standing == "absent"
    await register(served, "P1")
    again = await proved(served, f"{PREFIX}/P1")
    assert (again.standing, again.state.version) == ("present", 3)


async def test_the_file_has_a_type_and_a_name(served):
    answer = await get(served, f"/log/proof/record?identifier={PREFIX}/a%22%2F%C3%BC")
    assert answer.headers["content-type"] == "application/vnd.idis.proof"
    assert answer.headers["vary"] == "accept"
    stem = f"{PREFIX}_A_"
    expected = f'attachment; filename="{stem}.idis-proof"'
    assert answer.headers["content-disposition"] == expected


async def test_the_readable_form_holds_the_bundle(served):
    await register(served, "R")
    answer = await get(served, f"/log/proof/record?identifier={PREFIX}/R", JSON)
    told = answer.json
    octets = base64.b64decode(told["bundle_base64"])
    verified = verify_bundle(octets, key_of(served))
    assert told["standing"] == "present"
    assert told["state"]["index"] == verified.state.index
    assert told["values"][0]["data"]["value"] == URL.data.decode()
    pretty = await get(served, f"{RECORD}&pretty=true", JSON)
    assert b'\n  "standing": "present"' in pretty.body


async def test_history_comes_along_when_it_is_asked_for(served):
    for number in range(4):
        await register(served, "P1", values=(Value(number + 1, "URL", b"x"),))
    short = await proved(served, f"{PREFIX}/P1")
    assert not short.history_is_complete
    long = await proved(served, f"{PREFIX}/P1", f"{RECORD}&history=true")
    assert long.history_is_complete
    assert [one.version for one in long.history] == [4, 3, 2, 1]


async def test_changes_are_listed_by_the_page(served):
    for number in range(4):
        await register(served, "P1", values=(Value(number + 1, "URL", b"x"),))
    target = f"/log/history?identifier={PREFIX}/P1"
    whole = (await get(served, target)).json
    assert [one["version"] for one in whole["changes"]] == [5, 4, 3, 2, 1]
    assert whole["next"] is None
    paged, start = [], ""
    while start is not None:
        page = (await get(served, f"{target}&limit=2{start}")).json
        paged += page["changes"]
        start = page["next"] and f"&from={page['next']}"
    assert paged == whole["changes"]
    for one in paged:
        index, leaf = one["index"], bytes.fromhex(one["leaf_hash"])
        proof = (await get(served, f"/log/proof/inclusion?index={index}")).body
        verify_tlog_proof(proof, leaf, ORIGIN, [key_of(served)])
    other = (await get(served, f"/log/history?identifier={PREFIX}/NONE")).json
    assert (other["changes"], other["next"]) == ([], None)


async def test_a_prefix_is_proved(served):
    target = f"/log/proof/prefix?prefix={PREFIX}"
    found = await proved(served, PREFIX, target, KIND_HOME)
    assert found.standing == "present"
    assert found.record[0] == 1
    assert [one.type for one in decode_values(found.record[1:])] == ["HS_ADMIN"]
    absent = await proved(served, "88.9", "/log/proof/prefix?prefix=88.9", KIND_HOME)
    assert absent.standing == "absent"
    await submit(served.node, Operation.HOME, "88.9")
    await submit(served.node, Operation.UNHOME, "88.9")
    gone = await proved(served, "88.9", "/log/proof/prefix?prefix=88.9", KIND_HOME)
    assert (gone.standing, gone.state.version) == ("deleted", 2)


async def test_a_childs_checkpoint_is_proved(served):
    target = f"/log/proof/child?origin={CHILD}"
    about = (KIND_CHILD, CHILD.encode())
    absent = (await get(served, target)).body
    assert verify_bundle(absent, key_of(served), about=about).standing == "absent"
    note = Change(
        Operation.NOTE, CHILD.encode(), trusted=True, note=CHECKPOINT.encode()
    )
    await served.node.registry.submit(note)
    present = (await get(served, target)).body
    verified = verify_bundle(present, key_of(served), about=about)
    assert verified.record == CHECKPOINT.encode()


async def test_inclusion_is_proved_under_the_head_and_under_older_trees(served):
    old = await head_of(served)
    await register(served, *(f"N{number}" for number in range(40)))
    new = await head_of(served)
    site = await download(served, new.size)
    for index in (0, 1, old.size - 1, old.size, new.size - 1):
        leaf = leaf_hash(site.entries[index])
        answer = await get(served, f"/log/proof/inclusion?index={index}")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["content-disposition"].endswith('.tlog-proof"')
        logged = verify_tlog_proof(answer.body, leaf, ORIGIN, [key_of(served)])
        assert (logged.index, logged.checkpoint) == (index, new)
        for size in {max(index + 1, old.size), index + 1, new.size}:
            target = f"/log/proof/inclusion?index={index}&size={size}"
            told = (await get(served, target, JSON)).json
            path = [bytes.fromhex(one) for one in told["path"]]
            root = bytes.fromhex(told["root"])
            assert bytes.fromhex(told["leaf_hash"]) == leaf
            verify_inclusion(index, size, leaf, root, path)
            assert size != old.size or root == old.root


async def test_growth_is_proved_from_any_size_to_any_other(served):
    old = await head_of(served)
    await register(served, *(f"N{number}" for number in range(40)))
    new = await head_of(served)
    answer = await get(served, f"/log/proof/consistency?old={old.size}")
    asked = AddCheckpoint.parse(answer.body)
    checkpoint = open_checkpoint(asked.checkpoint, ORIGIN, [key_of(served)])
    assert (asked.old_size, checkpoint) == (old.size, new)
    verify_consistency(old.size, new.size, old.root, new.root, asked.proof)
    for first, second in ((0, 5), (5, 5), (5, old.size), (old.size, new.size)):
        target = f"/log/proof/consistency?old={first}&size={second}"
        told = (await get(served, target, JSON)).json
        roots = [bytes.fromhex(told[name]) for name in ("old_root", "root")]
        path = [bytes.fromhex(one) for one in told["path"]]
        verify_consistency(first, second, *roots, path)
        assert second != old.size or roots[1] == old.root


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("proof/record", 400),
        ("proof/record?identifier=", 400),
        ("proof/record?identifier=%ff", 400),
        ("proof/record?identifier=/", 400),
        (f"proof/record?identifier={PREFIX}/P1&identifier={PREFIX}/P1", 400),
        (f"proof/record?identifier={PREFIX}/P1&historie=true", 400),
        (f"proof/record?identifier={PREFIX}/P1&history=yes", 400),
        (f"proof/record?identifier={PREFIX}/P1&parents=2", 400),
        (f"proof/record?identifier={PREFIX}/P1&callback=f", 400),
        (f"proof/record?identifier={PREFIX}/{'x' * 2048}", 400),
        ("proof/prefix", 400),
        (f"proof/prefix?prefix={PREFIX}/P1", 400),
        ("proof/prefix?prefix=88..1", 400),
        ("proof/child", 400),
        (f"proof/child?origin={'x' * 1025}", 400),
        ("proof/inclusion", 400),
        ("proof/inclusion?index=", 400),
        ("proof/inclusion?index=-1", 400),
        ("proof/inclusion?index=+1", 400),
        ("proof/inclusion?index=01", 400),
        ("proof/inclusion?index=1.0", 400),
        ("proof/inclusion?index=%D9%A1", 400),
        ("proof/inclusion?index=9223372036854775808", 400),
        (f"proof/inclusion?index={'9' * 4000}", 400),
        ("proof/inclusion?index=9223372036854775807", 404),
        ("proof/inclusion?index=1&size=1", 404),
        ("proof/inclusion?index=0&size=0", 404),
        ("proof/inclusion?index=0&size=1000", 404),
        ("proof/consistency", 400),
        ("proof/consistency?old=x", 400),
        ("proof/consistency?old=3&size=2", 404),
        ("proof/consistency?old=1000", 404),
        ("proof/consistency?old=1&size=1000", 404),
        ("history", 400),
        (f"history?identifier={PREFIX}/P1&limit=0", 400),
        (f"history?identifier={PREFIX}/P1&limit=1001", 400),
        (f"history?identifier={PREFIX}/P1&from=0", 404),
        (f"history?identifier={PREFIX}/P1&from=1000", 404),
        ("rotations?index=1", 400),
        ("history?" + "&".join(["identifier=a"] * 5000), 400),
    ],
)
async def test_questions_are_read_strictly(served, target, status):
    answer = await request(served, "GET", f"/log/{target}")
    assert answer.status == status
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json["message"]


SECRET = b"correct horse battery staple"
HIDDEN = Value(2, "HS_SECKEY", SECRET, permissions=0x0C)


async def test_restricted_values_never_leave_the_node(served):
    await register(served, "HALF", values=(URL, HIDDEN))
    await register(served, "WHOLLY", values=(HIDDEN,))
    admin = Admin(ALL_ADMIN_BITS, "88.100.1/secretary", 0).encode()
    hidden_admin = Value(101, "HS_ADMIN", admin, permissions=0x0C)
    await submit(served.node, Operation.HOME, "88.100.2", (hidden_admin,))
    head = await head_of(served)
    site = await download(served, head.size)
    told = [*site.tiles.values(), *site.entries]
    names = [f"identifier={PREFIX}/{name}" for name in ("HALF", "WHOLLY", "P1")]
    for target in (
        *EVERYTHING,
        *(f"/log/proof/record?{name}&history=true" for name in names),
        *(f"/log/history?{name}" for name in names),
        "/log/proof/prefix?prefix=88.100.2",
        *(f"/log/proof/inclusion?index={index}" for index in range(head.size)),
    ):
        for headers in ({}, JSON):
            answer = await get(served, target, headers)
            told.append(answer.body)
            if answer.headers["content-type"].startswith("application/json"):
                told.append(base64.b64decode(answer.json.get("bundle_base64", "")))
    digests = [hashlib.sha256(octets).digest() for octets in (SECRET, admin)]
    searched = [SECRET, b"secretary", *digests]
    assert any(URL.data in octets for octets in told)
    for octets in told:
        for needle in searched:
            assert needle not in octets
            assert needle.hex().encode() not in octets


async def test_restricted_values_are_committed_to(served):
    await register(served, "HALF", values=(URL, HIDDEN))
    await register(served, "WHOLLY", values=(HIDDEN,))
    half = await proved(served, f"{PREFIX}/HALF")
    assert [value.type for value in decode_values(half.record)] == ["URL"]
    wholly = await proved(served, f"{PREFIX}/WHOLLY")
    assert decode_values(wholly.record) == ()
    assert len({half.commitment, wholly.commitment, None}) == 3
    resolved = await request(served, "GET", f"/api/handles/{PREFIX}/WHOLLY")
    assert (
        resolved.json["values"] == []
    )  # it tells that there is one, as the proof does


async def test_names_of_a_stopped_prefix_are_not_proved(served):
    await submit(served.node, Operation.STOP, PREFIX)
    for target in (RECORD, f"/log/history?identifier={PREFIX}/P1"):
        answer = await request(served, "GET", target)
        assert answer.status == 400
        assert answer.json["message"] == f"prefix {PREFIX} is stopped"


async def test_what_is_kept_of_a_prefix_that_moved_away_is_not_proved(served):
    await change(served, Operation.DELETE, "P1")
    await submit(served.node, Operation.UNHOME, PREFIX)
    assert (await proved(served, f"{PREFIX}/P1")).standing == "deleted"
    for name in ("admin", "NOTHING"):
        target = f"/log/proof/record?identifier={PREFIX}/{name}"
        answer = await request(served, "GET", target)
        assert (answer.status, answer.json["responseCode"]) == (404, 301)


async def test_damage_is_told_and_never_proved(served):
    await register(served, *(f"N{number}" for number in range(40)))
    for table, target in (
        ("log_map", RECORD),
        ("log_entries", RECORD),
        ("log_rows", RECORD),
        ("log_rows", "/log/tile/0/000.p/40"),
        ("log_entries", "/log/tile/entries/000.p/40"),
        ("log_entries", "/log/proof/inclusion?index=0"),
    ):
        await get(served, target)
        restore = _spoil(served, table)
        answer = await request(served, "GET", target)
        assert answer.status == 500, (table, target)
        assert table in answer.json["message"]
        restore()
    await get(served, RECORD)
    assert (await _metrics(served))["idis_log_failures_total"] == 6


async def test_a_growing_store_asks_for_patience(served):
    served.node.sealing.release()
    answer = await request(served, "GET", "/log/checkpoint")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    await register(served, "NEW")
    await get(served, "/log/checkpoint")


@pytest.mark.parametrize("target", ["/log", "/log/"])
async def test_the_page_explains_itself(served, target):
    page = await get(served, target, {"Accept": "text/html, */*;q=0.8"})
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"] == "default-src 'none'"
    text = await get(served, target, TEXT)
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    size = served.node.sealing.log.head.size
    for told in (str(key_of(served)), ORIGIN, f"{size} entries", "idis verify"):
        assert told.encode() in text.body
        assert told.encode() in page.body
    for sign in (b"<script", b"src=", b"<link", b"@import", b"url("):
        assert sign not in page.body
    url = f"http://127.0.0.1:{served.node.http.port}/log/checkpoint"
    assert f"<a href='{url}'>".encode() in page.body


async def test_what_was_given_is_counted(served):
    for target in (*EVERYTHING, RECORD):
        await get(served, target)
    found = await _metrics(served)
    head = served.node.sealing.log.head
    assert found["idis_log_size"] == head.size
    assert found["idis_log_groups_total"] == head.header.height
    assert found["idis_log_map_keys"] == head.header.map_keys
    assert found["idis_log_checkpoint_time_seconds"] == head.header.time_ms / 1000
    assert found["idis_log_requests_total record"] == 2
    assert found["idis_log_requests_total tile"] == 1
    assert found["idis_log_failures_total"] == 0
    told = (await request(served, "GET", "/api/v1/statistics")).json["log"]
    assert told["key"] == str(key_of(served))
    assert (told["origin"], told["size"]) == (ORIGIN, head.size)


async def test_a_rotated_key_is_led_to(served):
    first = key_of(served)
    assert (await get(served, "/log/rotations")).json["rotations"] == []
    served.node.sealing.rotate()
    served.node.sealing.rotate()
    told = (await get(served, "/log/rotations")).json
    proofs = [
        RotationProof(base64.b64decode(one["entry_base64"]), one["proof"].encode())
        for one in told["rotations"]
    ]
    assert follow_rotations(first, proofs) == VerifierKey.parse(told["key"])
    assert (await proved(served, f"{PREFIX}/P1")).standing == "present"


async def test_a_network_serves_every_log_under_the_keys_it_publishes(keys):
    async with networks.running(keys) as network:
        described = {node["name"]: node for node in describe(network)["nodes"]}
        for name, node in network.nodes.items():
            if node.sealing is None:
                assert "log" not in described[name]
                continue
            log = described[name]["log"]
            served = _reached(network, node)
            assert log["url"] == f"http://127.0.0.1:{node.http.port}/log"
            key = VerifierKey.parse(log["key"])
            note = (await get(served, "/log/checkpoint")).body
            checkpoint = open_checkpoint(note, f"{name}.idis.test/log", [key])
            site = await download(served, checkpoint.size)
            check_site(site, checkpoint.size, checkpoint.root)


async def test_the_right_node_proves_and_the_others_name_it(keys):
    async with networks.running(keys) as network:
        enterprise = network.node_of(networks.SELF_RUN_PREFIX)
        name = networks.SELF_RUN.encode()
        target = f"/log/proof/record?identifier={networks.SELF_RUN}"
        for above in (network.top, network.node_of(networks.HOST_PREFIX)):
            answer = await request(_reached(network, above), "GET", target)
            assert answer.status == 404
            links = answer.headers["link"]
        assert f'{enterprise.http.port}/log>; rel="related"' in links
        assert f"http://127.0.0.1:{enterprise.http.port}/log" in answer.json["message"]
        served = _reached(network, enterprise)
        bundle = (await get(served, target)).body
        found = verify_bundle(bundle, key_of(served), about=(KIND_RECORD, name))
        assert found.standing == "present"
        nobody = await request(_reached(network, network.recursive), "GET", target)
        assert nobody.status == 404
        assert "keeps no log" in nobody.json["message"]


async def test_a_proof_reaches_the_national_log(keys):
    async with networks.running(keys) as network:
        node = network.node_of(networks.SELF_RUN_PREFIX)
        for one in network.oversight.logs[node.settings.name].ancestors:
            await one.report()
        served = _reached(network, node)
        target = f"/log/proof/record?identifier={networks.SELF_RUN}&parents=true"
        bundle = (await get(served, target)).body
        logs = [one.sealing.log for one in network.oversight.logs.values()]
        pinned = {log.origin: [log.signer.key] for log in logs}
        national = network.top.sealing.log.origin
        verified = verify_bundle(bundle, pinned, up_to=national)
        assert len(verified.origins) == 3


def _reached(network, node):
    """Let the helpers of single nodes reach one of a network."""

    class Files:
        authority = network.authority_file

    return Served(node, node.http_face, Files)


def _spoil(served, table):
    """Flip the last bit of everything in a table; gives what undoes it."""
    store = served.node.registry.store
    handle = store.log_tables[table]

    def flip():
        with store._environment.begin(write=True) as transaction:
            for key, octets in list(transaction.cursor(db=handle)):
                spoiled = octets[:-1] + bytes((octets[-1] ^ 1,))
                transaction.put(key, spoiled, db=handle)
        served.node.sealing._renew()

    flip()
    return flip


async def _metrics(served):
    text = (await request(served, "GET", "/metrics")).body.decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            kind = sample.labels.get("kind")
            found[f"{sample.name} {kind}" if kind else sample.name] = sample.value
    return found
