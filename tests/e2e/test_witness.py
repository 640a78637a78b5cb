"""`idis witness` as a process of its own, and the client that a node asks it with."""

import asyncio
import contextlib
import http.client
import json
import random
import shutil

import pytest

from chain_anchor.checkpoint import parse_checkpoint
from chain_anchor.cosignature import check_quorum, cosigner_key
from chain_anchor.errors import ProofError, WitnessError
from chain_anchor.note import Note
from chain_anchor.witnessing import checkpoint_path, origin_hash
from registry.errors import StoreError
from resolver.cli import main
from resolver.errors import SetupError
from resolver.running import start_network, stop_network
from resolver.witnesses import WitnessAddress, Witnesses
from tests.merkle_trees import ORIGIN, Tree, private_key, signer
from tests.witness_process import AskingLog, witness

LOG = AskingLog(Tree.of(300))
FORK = AskingLog(Tree(LOG.tree.entries[:100] + [b"%d" % n for n in range(200)]))
VKEY = str(signer(ORIGIN).key)
CONFLICT = b"HTTP/1.1 409 Conflict\r\ncontent-type: text/x.tlog.size\r\n"
OURS = ("--log", VKEY)
MANY_LOGS = 14


@contextlib.asynccontextmanager
async def asking(*witnesses, quorum=None, timeout_seconds=10.0):
    addresses = [getattr(one, "address", one) for one in witnesses]
    quorum = len(addresses) if quorum is None else quorum
    client = Witnesses(addresses, quorum, timeout_seconds)
    try:
        yield client
    finally:
        await client.close()


def get(process, path, method="GET", body=None):
    url = process.address.url.removeprefix("http://")
    connection = http.client.HTTPConnection(url, timeout=10)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def last(process):
    status, body, _ = get(process, f"/{checkpoint_path(ORIGIN)}")
    return parse_checkpoint(Note.parse(body).text).size if status == 200 else None


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Run two witnesses for tests that each have a log of their own."""
    base = tmp_path_factory.mktemp("two")
    origins = [f"{number}.example/log" for number in range(MANY_LOGS)]
    keys = [part for name in origins for part in ("--log", str(signer(name).key))]
    with witness(base / "a", *keys) as first, witness(base / "b", *keys) as second:
        yield first, second


@pytest.fixture
def log(request, two):
    """Give each test its own log at the two witnesses."""
    number = two[0].__dict__.setdefault("used", [])
    number.append(request)
    return AskingLog(LOG.tree, signer(f"{len(number)}.example/log"))


async def test_growth_is_cosigned_by_all(two, log):
    async with asking(*two) as witnesses:
        for size in (3, 4, 4, 200, 300):
            note = Note.parse(log.note(size))
            found = await log.ask(witnesses, size)
            note = note._replace(signatures=(*note.signatures, *found))
            assert len(check_quorum(note, witnesses.keys, 2)) == 2
        assert [one.cosigned for one in witnesses.watchers] == [5, 5]
        assert not any(one.missing for one in witnesses.watchers)


async def test_a_client_that_knows_nothing_finds_out_what_the_witness_has(two, log):
    async with asking(*two) as witnesses:
        await log.ask(witnesses, 50)
    async with asking(*two) as witnesses:
        assert len(await log.ask(witnesses, 120)) == 2


async def test_a_witness_that_has_fallen_behind_catches_up(two, log):
    async with asking(two[0]) as one:
        await log.ask(one, 50)
    async with asking(*two) as both:
        await log.ask(both, 60)
        async with asking(two[0]) as one:
            await log.ask(one, 70)
        assert len(await log.ask(both, 80)) == 2


async def test_what_was_witnessed_is_served(two, log):
    origin, keys = log.signer.key.name, [log.signer.key]
    async with asking(*two) as witnesses:
        assert await witnesses.latest(origin, keys) == ((), {})
        await log.ask(witnesses, 50)
        found = await witnesses.latest(origin, keys)
        assert [one.checkpoint.size for one in found.witnessed] == [50, 50]
        assert [one.witness for one in found.witnessed] == list(witnesses.keys)
        assert not found.missing
        stranger = await witnesses.latest(origin, [signer("other").key])
        assert not stranger.witnessed
        assert stranger.missing.keys() == {key.name for key in witnesses.keys}


async def test_an_older_copy_of_a_log_is_told_apart(two, log):
    async with asking(*two) as witnesses:
        await log.ask(witnesses, 120)
        with pytest.raises(WitnessError, match="an older copy of it"):
            await log.ask(witnesses, 60)
        assert witnesses.watchers[0].missing == {"ahead": 1}


async def test_a_split_view_is_refused(two, log):
    """Two logs go on from a copy of the data: one of them gets no cosignature."""
    fork = AskingLog(FORK.tree, log.signer)
    async with asking(*two) as witnesses:
        await log.ask(witnesses, 100)
        await log.ask(witnesses, 110)
    async with asking(*two) as others:
        for size in (110, 120, 300):
            with pytest.raises(WitnessError, match="HTTP 422"):
                await fork.ask(others, size)
        with pytest.raises(WitnessError, match="older copy"):
            await fork.ask(others, 105)
        await log.ask(others, 120)


async def test_no_quorum_without_enough_witnesses(two, log):
    gone = two[0].address._replace(
        key=cosigner_key("gone", private_key("gone").public_key().public_bytes_raw()),
        url="http://127.0.0.1:1",
    )
    async with asking(*two, gone, quorum=2) as witnesses:
        assert len(await log.ask(witnesses, 5)) == 2
    async with asking(*two, gone, quorum=3) as witnesses:
        with pytest.raises(
            WitnessError, match="3 of 3 witnesses expected, got 2; gone"
        ):
            await log.ask(witnesses, 6)
        assert witnesses.watchers[2].missing == {"failed": 1}
        found = await witnesses.latest(log.signer.key.name, [log.signer.key])
        assert len(found.witnessed) == 2
        assert found.missing.keys() == {"gone"}


async def test_an_unknown_log_is_refused(two):
    stranger = AskingLog(LOG.tree, signer("stranger.example/log"))
    async with asking(*two, quorum=1) as witnesses:
        with pytest.raises(WitnessError, match="HTTP 404"):
            await stranger.ask(witnesses, 5)
        assert witnesses.watchers[0].missing == {"refused": 1}


@pytest.mark.parametrize("problem", [ProofError("none"), StoreError("is growing")])
async def test_without_a_proof_the_witness_is_missing(two, log, problem):
    async with asking(*two) as witnesses:
        await log.ask(witnesses, 5)

        def fail(_):
            raise problem

        with pytest.raises(WitnessError, match=str(problem)):
            await witnesses.cosign(log.note(9), fail)


async def test_a_checkpoint_waits_for_an_earlier_one(two, log):
    async with asking(*two) as witnesses:
        both = await asyncio.gather(log.ask(witnesses, 5), log.ask(witnesses, 6))
        assert [len(signatures) for signatures in both] == [2, 2]
        assert not any(watcher.missing for watcher in witnesses.watchers)


async def test_another_witness_at_the_address_is_noticed(two, log):
    swapped = two[0].address._replace(url=two[1].address.url)
    async with asking(swapped) as witnesses:
        with pytest.raises(WitnessError, match="no cosignature by"):
            await log.ask(witnesses, 5)


@contextlib.asynccontextmanager
async def server(answer):
    """Answer each connection by a function of reader and writer."""
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            await answer(reader, writer)
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


async def test_a_silent_witness_costs_no_more_than_the_deadline(two, log):
    async def silent(reader, _):
        await reader.read()

    async with server(silent) as url:
        mute = WitnessAddress(
            cosigner_key("mute", private_key("mute").public_key().public_bytes_raw()),
            url,
        )
        async with asking(*two, mute, quorum=2) as witnesses:
            # Enough have cosigned: nobody waits for it.
            async with asyncio.timeout(5):
                assert len(await log.ask(witnesses, 5)) == 2
                assert len(await log.ask(witnesses, 6)) == 2
                assert len(await log.ask(witnesses, 6)) == 2
            # Two wait for it already: the third does not.
            assert witnesses.watchers[2].missing == {"busy": 1}
        async with asking(*two, mute, quorum=3, timeout_seconds=0.3) as witnesses:
            with pytest.raises(WitnessError, match=r"mute: no answer in 0\.3 s"):
                await log.ask(witnesses, 7)
        async with asking(*two, mute, quorum=0, timeout_seconds=0.5) as witnesses:
            assert len(await log.ask(witnesses, 8)) == 2
            found = await witnesses.latest(log.signer.key.name, [log.signer.key])
            assert found.missing == {"mute": "no answer in 0.5 s"}


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\n" + bytes(2_000_000),
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000,
        CONFLICT + b"content-length: 2\r\n\r\nx\n",
        CONFLICT + b"content-length: 2\r\n\r\n2\n",
    ],
)
async def test_nonsense_from_a_witness_is_bounded_and_counted(octets):
    async def nonsense(reader, writer):
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                writer.write(octets)
                await writer.drain()
                if not octets:
                    return
                writer.write_eof()

    async with server(nonsense) as url:
        key = cosigner_key("w", private_key("w").public_key().public_bytes_raw())
        async with asking(WitnessAddress(key, url), timeout_seconds=3) as witnesses:
            with pytest.raises(WitnessError, match="1 of 1"):
                await LOG.ask(witnesses, 5)
            assert witnesses.watchers[0].missing.total() == 1
            assert witnesses.watchers[0].missing["timeout"] == 0


def test_addresses_are_checked():
    vkey = str(cosigner_key("w@x", private_key("w").public_key().public_bytes_raw()))
    found = WitnessAddress.parse(f"{vkey}@http://127.0.0.1:1/prefix")
    assert (str(found.key), found.url) == (vkey, "http://127.0.0.1:1/prefix")
    for wrong in (
        "",
        vkey,
        f"{vkey}@",
        f"{vkey}@ftp://x",
        f"{vkey[:-4]}@http://127.0.0.1:1",
        f"{VKEY}@http://127.0.0.1:1",
    ):
        with pytest.raises(SetupError):
            WitnessAddress.parse(wrong)
    for addresses, quorum in (((found, found), 1), ((found,), 2), ((found,), -1)):
        with pytest.raises(SetupError):
            Witnesses(addresses, quorum)


def test_it_says_who_it_is(two):
    status, body, headers = get(two[0], "/")
    assert status == 200
    assert str(two[0].address.key) in body.decode()
    assert headers["content-type"].startswith("text/plain")
    assert get(two[0], "/", "HEAD")[0] == 200
    assert two[0].ready["logs"] == sorted(f"{n}.example/log" for n in range(MANY_LOGS))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/add-checkpoint", 405),
        ("POST", "/", 405),
        ("DELETE", f"/{origin_hash(ORIGIN)}/checkpoint", 405),
        ("GET", "/nothing", 404),
        ("GET", f"/{'0' * 64}/checkpoint", 404),
        ("GET", f"/{origin_hash(ORIGIN).upper()}/checkpoint", 404),
        ("POST", "/sign-subtree", 404),
    ],
)
def test_other_questions_are_refused(two, method, path, status):
    assert get(two[0], path, method, b"" if method == "POST" else None)[0] == status


def test_a_body_that_is_too_long_is_refused(two):
    assert get(two[0], "/add-checkpoint", "POST", b"x" * 65537)[0] == 413
    assert get(two[0], "/add-checkpoint", "POST", b"x" * 65536)[0] == 400


async def test_after_a_kill_it_is_as_far_as_it_said(tmp_path):
    """Killed 5 times while it cosigns; every cosignature that came is kept to."""
    chance, size, key = random.Random(1), 0, None
    for _ in range(5):
        with witness(tmp_path / "w", *OURS) as process:
            key = key or process.address.key
            assert process.address.key == key
            assert (last(process) or 0) >= size
            asyncio.get_running_loop().call_later(chance.random() / 10, process.kill)
            async with asking(process) as witnesses:
                with contextlib.suppress(WitnessError):
                    while size < 300:
                        wanted = min(300, max(size, last_known(witnesses)) + 1)
                        await LOG.ask(witnesses, wanted)
                        size = wanted
    with witness(tmp_path / "w", *OURS) as process:
        assert (last(process) or 0) >= size > 0
        async with asking(process) as witnesses:
            if size > 100:
                with pytest.raises(WitnessError):
                    await FORK.ask(witnesses, 300)
            assert len(await LOG.ask(witnesses, 300)) == 1


def last_known(witnesses):
    return witnesses.watchers[0]._sizes.get(ORIGIN, 0)


def test_it_stops_when_asked_and_says_little(tmp_path):
    with witness(tmp_path / "w", *OURS, "--json") as process:
        out, err = process.stop()
        assert process.process.returncode == 0
        assert json.loads(out) == process.ready
        assert err.splitlines() == ["Ctrl-C stops it"]
        assert not process.ready_file.exists()


async def test_a_log_file_may_come_later(tmp_path):
    file = tmp_path / "ready.json"
    with witness(tmp_path / "w", "--log-file", str(file)) as process:
        async with asking(process) as witnesses:
            with pytest.raises(WitnessError, match="HTTP 404"):
                await LOG.ask(witnesses, 5)
            file.write_text(json.dumps({"nodes": [{"log": {"key": VKEY}}, {}]}))
            assert len(await LOG.ask(witnesses, 5)) == 1


@pytest.fixture
def failed(tmp_path, capsys):
    """Start a witness that must not start; gives what it says."""

    def run(*arguments):
        code = main(["witness", "--data", str(tmp_path / "w"), *arguments])
        out, err = capsys.readouterr()
        assert (code, out) == (2, "")
        return err

    return run


def test_what_it_cannot_do_is_told(failed, tmp_path):
    other = str(cosigner_key("w", private_key("w").public_key().public_bytes_raw()))
    assert "no logs to witness" in failed()
    assert "--log: " in failed("--log", "x")
    assert "the key of a log expected" in failed("--log", other)
    assert "loopback" in failed(*OURS, "--host", "0.0.0.0")
    (tmp_path / "x.json").write_text("{}")
    assert "no ready file" in failed("--log-file", str(tmp_path / "x.json"))
    assert not (tmp_path / "w").exists()


def test_a_damaged_memory_is_not_gone_on_from(failed, tmp_path):
    with witness(tmp_path / "w", *OURS) as process:
        assert "in use by another process" in failed(*OURS)
        process.stop()
    assert "is called" in failed(*OURS, "--name", "other")
    key = tmp_path / "w" / "key"
    key.write_bytes(key.read_bytes().replace(b"PRIVATE", b"PRIVATf"))
    assert "must not cosign" in failed(*OURS)


def test_a_restored_copy_of_a_network_gets_no_cosignature(
    tmp_path, monkeypatch, capsys
):
    ready = tmp_path / "first" / "ready.json"
    data, copy = tmp_path / "data", tmp_path / "copy"

    def start(name, data, *arguments):
        (tmp_path / name).mkdir(exist_ok=True)
        network = start_network(
            tmp_path / name, ("--data", str(data), *network_arguments, *arguments)
        )
        monkeypatch.setenv("IDIS_READY_FILE", str(network.ready_file))
        return network.process

    def register(name):
        return main(["register", f"88.118.7/{name}", "URL=https://example.org"])

    with witness(tmp_path / "w", "--log-file", str(ready)) as process:
        address = process.ready["address"]
        network_arguments = ("--secondaries", "2", "--port-base", "0")
        network_arguments += ("--fast-path", "off", "--witness", address)
        network_arguments += ("--witness-quorum", "1")
        running = start("first", data)
        try:
            assert register("A") == 0
            stop_network(running)
            shutil.copytree(data, copy)
            running = start("first", data)
            assert register("B") == 0
        finally:
            stop_network(running)
        capsys.readouterr()
        # The account that runs the copy has no memory of its own: the witness has.
        with pytest.raises(RuntimeError, match="older copy"):
            start("second", copy)
        running = start("second", copy, "--accept-rollback")
        try:
            assert register("C") != 0
            assert "witness" in capsys.readouterr().err
        finally:
            stop_network(running)
