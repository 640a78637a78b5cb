"""The HTTP API of a chain on a socket: framing, bounds, secrets (bif notes §1)."""

import asyncio
import http.client
import json
import logging
import random

import pytest

from chain_anchor.bif.errors import ChainStoppedError
from chain_anchor.bif.json_form import to_json
from resolver.faces import bif_bodies
from tests.bif_chains import ALICE, BOB, key, pay
from tests.bif_served import HOST, MemoryChain, item, serving

ROUNDS = 150
NOBODY = key("nobody").address()


def _ask(port, method, target, body=None, headers=None):
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


async def ask(face, method, target, body=None, **headers):
    asked = {name.replace("_", "-"): value for name, value in headers.items()}
    return await asyncio.to_thread(_ask, face.http_port, method, target, body, asked)


async def raw(port, octets, *, end=True):
    """Send octets; give what comes back until the connection ends."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            writer.write(octets)
            if end:
                writer.write_eof()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


async def test_everything_has_status_200():
    async with serving(MemoryChain()) as face:
        target = f"/getAccountBase?address={ALICE.address()}"
        status, body, headers = await ask(face, "GET", target)
        assert (status, json.loads(body)["error_code"]) == (200, 0)
        assert headers["content-type"].startswith("application/json")
        assert body.startswith(b'{\n   "error_code" : 0,\n   "result" : {\n')
        missing = f"/getAccountBase?address={NOBODY}"
        status, body, headers = await ask(face, "POST", missing)
        found = json.loads(body)
        assert "/_dev/accounts" in found.pop("hint")
        assert (status, found) == (200, {"error_code": 4, "result": None})
        status, body, _ = await ask(face, "GET", "/nowhere")
        assert (status, body) == (200, b"File not found")


async def test_a_body_is_read_whatever_its_content_type():
    chain = MemoryChain()
    async with serving(chain) as face:
        body = json.dumps({"items": [item(chain.test.make(ALICE, pay(BOB, 5)))]})
        kind = "application/x-www-form-urlencoded"
        status, answer, _ = await ask(
            face, "POST", "/submitTransaction", body, Content_Type=kind
        )
        assert (status, json.loads(answer)["success_count"]) == (200, 1)
        assert chain.test.nonce(ALICE) == 1


async def test_a_body_has_a_limit(monkeypatch):
    monkeypatch.setattr(bif_bodies, "MAX_BODY_OCTETS", 1000)
    async with serving(MemoryChain()) as face:
        _, body, _ = await ask(face, "POST", "/callContract", b" " * 1000)
        assert json.loads(body)["error_desc"] == "request must be in json format"
        status, body, _ = await ask(face, "POST", "/callContract", b" " * 1001)
        assert (status, json.loads(body)["error_code"]) == (200, 2)
        assert "exceeds the limit(1000)" in json.loads(body)["error_desc"]
        assert face.http.bodies.held_octets == 0


async def test_bodies_together_have_a_limit(monkeypatch):
    monkeypatch.setattr(bif_bodies, "MAX_HELD_OCTETS", 99)
    async with serving(MemoryChain()) as face:
        _, body, _ = await ask(face, "POST", "/callContract", b"{" + b" " * 99)
        assert json.loads(body)["error_desc"] == "Too many requests"
        _, body, _ = await ask(face, "POST", "/callContract", b"{")
        assert json.loads(body)["error_code"] == 2
        assert face.http.telemetry.shed == 1


async def test_a_stopped_chain_says_so():
    chain = MemoryChain()
    chain.failure = ChainStoppedError("the disk is full")
    async with serving(chain) as face:
        body = json.dumps({"items": [item(chain.test.make(ALICE, pay(BOB, 5)))]})
        status, answer, _ = await ask(face, "POST", "/submitTransaction", body)
        expected = {"error_code": 1, "error_desc": "the disk is full"}
        assert (status, json.loads(answer)) == (200, expected)


async def test_a_strict_node_has_neither_tools_nor_hints():
    async with serving(MemoryChain(strict=True)) as face:
        for target in ("/_dev", "/_dev/accounts", "//_dev/hello", "/%5Fdev/"):
            _, body, _ = await ask(face, "GET", target)
            assert body == b"File not found"
        _, body, _ = await ask(face, "GET", f"/getAccountBase?address={NOBODY}")
        assert json.loads(body) == {"error_code": 4, "result": None}


async def test_pages_of_other_sites_cannot_develop():
    async with serving(MemoryChain()) as face:
        for target in ("/_dev/mine", "//_dev//mine"):
            _, body, _ = await ask(face, "POST", target, Sec_Fetch_Site="cross-site")
            assert json.loads(body)["error_code"] == 6
        _, body, _ = await ask(face, "POST", "/_dev/mine")
        assert json.loads(body)["result"]["seq"] == 2


async def test_programs_in_a_browser_may_ask_from_any_page():
    async with serving(MemoryChain()) as face:
        asks = {
            "Origin": "http://localhost:5173",
            "Access_Control_Request_Method": "POST",
            "Access_Control_Request_Headers": "content-type",
        }
        status, _, headers = await ask(face, "OPTIONS", "/submitTransaction", **asks)
        assert (status, headers["access-control-allow-origin"]) == (200, "*")
        assert headers["access-control-allow-headers"] == "*"
        assert "POST" in headers["access-control-allow-methods"]
        for target in ("/getLedger", "/nowhere"):
            _, _, headers = await ask(face, "GET", target, Origin="http://a.test")
            assert headers["access-control-allow-origin"] == "*"
        for method in ("OPTIONS", "GET"):
            _, _, headers = await ask(face, method, "/_dev/accounts", **asks)
            assert "access-control-allow-origin" not in headers


async def test_a_fault_of_ours_has_status_200_too(monkeypatch):
    told = []
    async with serving(MemoryChain()) as face:
        monkeypatch.setattr(MemoryChain, "network_id", property(lambda _: 1 // 0))
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
        status, body, _ = await ask(face, "GET", "/hello")
        assert (status, json.loads(body)["error_desc"]) == (200, "Internal error")
        assert [type(error) for error in told] == [ZeroDivisionError]


async def test_private_keys_are_not_logged(caplog, capfd):
    chain = MemoryChain()
    caplog.set_level(logging.DEBUG)
    content = to_json(chain.test.make(ALICE, pay(BOB, 5)).content)
    wrong = content | {"nonce": "x"}
    async with serving(chain) as face:
        for written in (content, wrong, 5):
            entry = {"transaction_json": written, "private_keys": [ALICE.text]}
            body = json.dumps({"items": [entry]})
            for endpoint in ("submitTransaction", "testTransaction", "nowhere"):
                _, answer, _ = await ask(face, "POST", f"/{endpoint}", body)
                assert ALICE.text.encode() not in answer
        await ask(face, "GET", f"/getAddress?private_key={ALICE.text}")
    out, err = capfd.readouterr()
    assert ALICE.text not in caplog.text + out + err


async def test_any_octets_give_an_answer_or_an_end():
    chain = MemoryChain()
    good = json.dumps({"items": [item(chain.test.make(ALICE, pay(BOB, 5)))]}).encode()
    request = (
        b"POST /submitTransaction HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
    )
    whole = request % len(good) + good
    async with serving(chain) as face:
        for number in range(ROUNDS):
            chance = random.Random(number)
            octets = bytearray(whole if number % 2 else chance.randbytes(200))
            for _ in range(chance.randrange(1, 6)):
                octets[chance.randrange(len(octets))] = chance.randrange(256)
            cut = octets[: chance.randrange(1, len(octets) + 1)]
            answer = await raw(face.http_port, bytes(cut))
            assert not answer or answer.startswith(b"HTTP/1.1 ")
            assert b"500 Internal" not in answer
        status, _, _ = await ask(face, "GET", "/hello")
        assert status == 200
        assert face.http._requests == face.http.bodies.held_octets == 0


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_the_method_does_not_matter(method):
    async with serving(MemoryChain()) as face:
        status, body, _ = await ask(face, method, "/getLedger")
        assert (status, json.loads(body)["error_code"]) == (200, 0)
