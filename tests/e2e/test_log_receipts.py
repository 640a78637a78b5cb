"""Receipts: who changes something over HTTP can prove at once what became of it."""

import asyncio
import base64

import pytest

from chain_anchor.checkpoint import open_checkpoint
from chain_anchor.entries import decode_entry
from chain_anchor.merkle import leaf_hash
from chain_anchor.proof import verify_bundle
from chain_anchor.statemap import KIND_HOME, KIND_RECORD
from chain_anchor.tlog_proof import decode_tlog_proof, verify_tlog_proof
from registry.journal import Operation
from registry.model.identity import Identity
from registry.model.value import decode_values
from resolver.log_keys import LogKeys
from tests.e2e.http_support import ADMIN, KEYS, PREFIX, request, serve, submit
from tests.e2e.log_support import ORIGIN, key_of, register, write

ONE = {"index": 1, "type": "URL", "data": "https://example.org"}
TWO = {"index": 2, "type": "EMAIL", "data": "a@example.org"}
WITH = "?receipt=true"


@pytest.fixture
async def served(tmp_path):
    operator = Identity(ADMIN.upper().encode(), 302)
    log = LogKeys(ORIGIN, KEYS)
    async with serve(tmp_path, log=log, operators=(operator,)) as served:
        await submit(served.node, Operation.HOME, "88")
        yield served


def target_of(name: str) -> str:
    return f"/api/handles/{PREFIX}/{name}"


def proved(served, answer, name: str, kind=KIND_RECORD):
    """Verify a receipt with nothing but it and the log's key; give what it proves."""
    receipt = answer.json["receipt"]
    key = key_of(served)
    octets = base64.b64decode(receipt["proof"])
    verified = verify_bundle(octets, key, about=(kind, name.upper().encode()))
    checkpoint = open_checkpoint(receipt["checkpoint"].encode(), ORIGIN, [key])
    assert receipt["origin"] == checkpoint.origin
    assert verified.checkpoint.decode() == receipt["checkpoint"]
    tlog_proof = receipt["tlogProof"].encode()
    entry = decode_tlog_proof(tlog_proof).extra
    logged = verify_tlog_proof(tlog_proof, leaf_hash(entry), ORIGIN, [key])
    assert (logged.index, logged.checkpoint) == (receipt["index"], checkpoint)
    assert decode_entry(entry) in (verified.change, *verified.history)
    return verified


async def test_every_kind_of_write_is_proved_as_it_left_the_record(served):
    name = f"{PREFIX}/NEW"
    steps = [
        ("PUT", "", [ONE], Operation.CREATE, [1]),
        ("PUT", "&index=various", [TWO], Operation.ADD, [1, 2]),
        ("DELETE", "&index=1", None, Operation.REMOVE, [2]),
        ("PUT", "", [ONE], Operation.CREATE, [1]),
        ("DELETE", "", None, Operation.DELETE, None),
        ("PUT", "&overwrite=false", [TWO], Operation.CREATE, [2]),
    ]
    for version, (method, query, body, operation, indexes) in enumerate(steps, 1):
        answer = await write(served, method, target_of("new") + WITH + query, body)
        assert answer.status in (200, 201), answer.body
        assert answer.json["handle"] == f"{PREFIX}/new"
        verified = proved(served, answer, name)
        assert (verified.change.version, verified.change.operation) == (
            version,
            operation,
        )
        assert answer.json["receipt"]["index"] == verified.state.index
        assert verified.change.actor == ADMIN.upper().encode()
        if indexes is None:
            assert verified.standing == "deleted"
        else:
            found = [value.index for value in decode_values(verified.record)]
            assert found == indexes


async def test_a_receipt_is_given_only_when_it_is_asked_for(served):
    for query in ("", "?receipt=false"):
        answer = await write(served, "PUT", target_of("NEW") + query, [ONE])
        assert "receipt" not in answer.json
    answer = await write(served, "PUT", target_of("NEW?receipt"), [ONE])
    assert "receipt" in answer.json
    answer = await write(served, "PUT", target_of("NEW?receipt=maybe"), [TWO])
    assert answer.status == 400
    assert served.node.registry.get(b"%s/NEW" % PREFIX.encode()).value(1) is not None


async def test_a_minted_name_is_proved(served):
    answer = await write(
        served, "PUT", target_of("M-") + WITH + "&mintNewSuffix", [ONE]
    )
    name = answer.json["handle"]
    assert answer.status == 201
    assert name.startswith(f"{PREFIX}/M-")
    assert len(name) == len(f"{PREFIX}/M-") + 16
    assert proved(served, answer, name).standing == "present"


async def test_a_conditional_write_is_proved(served):
    tag = (await write(served, "PUT", target_of("NEW") + WITH, [ONE])).headers["etag"]
    matching = {"If-Match": tag}
    again = await write(served, "PUT", target_of("NEW") + WITH, [TWO], **matching)
    assert proved(served, again, f"{PREFIX}/NEW").change.version == 2
    late = await write(served, "PUT", target_of("NEW") + WITH, [ONE], **matching)
    assert late.status == 412
    assert "receipt" not in late.json


async def test_what_is_refused_is_refused_as_without_a_receipt(served):
    cases = [
        ("PUT", target_of("P1") + "?overwrite=false", [ONE], 409),
        ("DELETE", target_of("NOTHING") + "?", None, 404),
        ("PUT", "/api/handles/88.7/X?", [ONE], 400),
        ("PUT", target_of("P1") + "?", [], 400),
    ]
    for method, target, body, status in cases:
        plain = await write(served, method, target, body)
        asking = await write(served, method, f"{target}&receipt=true", body)
        assert (plain.status, asking.status) == (status, status)
        assert plain.json == asking.json
    nobody = await request(served, "PUT", target_of("X") + WITH, [ONE])
    assert (nobody.status, nobody.json["responseCode"]) == (401, 402)


async def test_many_at_once_are_each_proved(served):
    async def one(number):
        target = target_of(f"N{number}") + WITH
        answer = await write(served, "PUT", target, [ONE])
        return proved(served, answer, f"{PREFIX}/N{number}"), answer

    groups = served.node.registry.groups
    found = await asyncio.gather(*(one(number) for number in range(60)))
    assert served.node.registry.groups - groups < 60
    indexes = {answer.json["receipt"]["index"] for _, answer in found}
    assert len(indexes) == 60


async def test_writes_of_one_record_are_each_proved_at_their_own_place(served):
    values = [{"index": number, "type": "URL", "data": "x"} for number in range(1, 41)]
    target = target_of("SAME") + WITH
    await register(served, "SAME")
    answers = await asyncio.gather(
        *(write(served, "PUT", f"{target}&index=various", [one]) for one in values)
    )
    versions = set()
    for answer in answers:
        verified = proved(served, answer, f"{PREFIX}/SAME")
        index = answer.json["receipt"]["index"]
        places = [verified.state.index]
        later = verified.change
        for earlier in verified.history:
            places.append(later.previous_index)
            later = earlier
        # The history goes back to the change that the receipt is for, no further.
        assert places[-1] == index
        versions.add(later.version)
    assert versions == set(range(2, 42))


async def test_a_prefix_is_proved_when_it_is_homed_and_when_it_goes(served):
    for method, standing in (("POST", "present"), ("DELETE", "deleted")):
        answer = await write(served, method, f"/api/prefixes/88.9{WITH}")
        assert answer.status == 200, answer.body
        verified = proved(served, answer, "88.9", KIND_HOME)
        assert verified.standing == standing
        assert answer.json["receipt"]["index"] == verified.state.index
    plain = await write(served, "POST", "/api/prefixes/88.9")
    assert "receipt" not in plain.json


async def test_a_change_that_cannot_be_proved_says_that_it_is_made(served):
    await register(served, "NEW")
    served.node.sealing.followers.append(lambda _: served.node.sealing.release())
    for method, target, body in (
        ("PUT", target_of("NEW"), [TWO]),
        ("POST", "/api/prefixes/88.9", None),
    ):
        answer = await write(served, method, target + WITH, body)
        assert answer.status == 500
        assert "is changed durably, but cannot be proved" in answer.json["message"]
    assert served.node.registry.get(b"%s/NEW" % PREFIX.encode()).value(2) is not None


async def test_a_node_without_a_log_gives_no_receipts(tmp_path):
    async with serve(tmp_path) as served:
        answer = await write(served, "PUT", target_of("NEW") + WITH, [ONE])
        assert (answer.status, answer.json["responseCode"]) == (501, 5)
        assert served.node.registry.get(b"%s/NEW" % PREFIX.encode()) is None
        assert (await request(served, "GET", "/log")).status == 404


async def test_receipts_are_counted(served):
    await write(served, "PUT", target_of("NEW") + WITH, [ONE])
    await write(served, "POST", f"/api/prefixes/88.9{WITH}")
    assert served.node.telemetry.log_requests["receipt"] == 2
