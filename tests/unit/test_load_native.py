"""One user over the Handle protocol, against a scripted server."""

import json
import subprocess
import sys

import pytest

from registry.model.value import Value
from resolver.load import failures
from resolver.load.native import NativeClient
from resolver.load.targets import Address
from resolver.session.exchange import RetryPolicy
from resolver.session.signature import SecretCredential
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.response import Referral, Values
from tests.nano import NanoServer, closed_port, site_at

NAME = "88.118.7/SN1"
URL = Value(1, "URL", b"https://example.org/1")
QUICK = RetryPolicy((0.1,), 0.2)
CREDENTIAL = SecretCredential("88.118.7/admin", 300, b"secret")
DEADLINE_SECONDS = 60


@pytest.fixture
def server():
    with NanoServer() as server:
        server.records[NAME.encode()] = (URL,)
        yield server


@pytest.fixture
def client(server):
    clients = []

    def make(transport="udp", *, port=None, retry=QUICK):
        address = Address("127.0.0.1", port or server.port)
        made = NativeClient(address, transport, retry=retry)
        clients.append(made)
        return made

    yield make
    for made in clients:
        made.close()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_resolution_is_timed_on_the_wire_and_checked(server, client, transport):
    outcome = client(transport).resolve(NAME)
    assert outcome.failure is None
    assert outcome.good
    assert 0 < outcome.milliseconds < 10_000
    assert outcome.octets > 60
    assert [seen.via for seen in server.seen] == [transport]


def test_each_request_has_a_time_of_its_own(client):
    one = client()
    taken = [one.resolve(NAME) for _ in range(3)]
    assert len({outcome.octets for outcome in taken}) == 1


def test_one_connection_serves_all_requests_over_tcp(server, client):
    one = client("tcp")
    for _ in range(3):
        assert one.resolve(NAME).good
    assert {seen.connection for seen in server.seen} == {1}


def test_asking_past_the_cache_sets_authoritative(server, client):
    one = client()
    one.resolve(NAME)
    one.resolve(NAME, fresh=True)
    flags = [seen.message.header.flags & OpFlag.AUTHORITATIVE for seen in server.seen]
    assert [bool(flag) for flag in flags] == [False, True]


def test_a_name_that_is_not_there_is_a_failure_unless_it_is_expected(client):
    one = client()
    assert one.resolve("88.118.7/NO").failure.kind == "code 100 HANDLE_NOT_FOUND"
    assert one.resolve("88.118.7/NO", expect=(100,)).good


def test_an_answer_about_something_else_is_a_failure(server, client):
    server.script = lambda seen: (1, Values(b"88.118.7/SN2", (URL,)).encode())
    assert client().resolve(NAME).failure.kind == "wrong answer: another identifier"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_server_gone_silent_is_a_timeout_and_asked_once(server, client, transport):
    server.faults.silent = True
    outcome = client(transport).resolve(NAME)
    assert outcome.failure.kind == "timeout: no answer in 0.2 s"
    assert outcome.milliseconds >= 99
    assert len(server.asked()) in (1, 2), "UDP may go on over TCP, never repeats"


def test_a_lost_datagram_is_seen(server, client):
    server.faults.drop_first = 1
    one = client(retry=RetryPolicy((0.1,), 0.1))
    assert one.resolve(NAME).failure.kind == "timeout: no answer in 0.1 s"
    assert one.resolve(NAME).good


def test_nobody_listening_is_unreachable(client):
    for transport in ("udp", "tcp"):
        outcome = client(transport, port=closed_port()).resolve(NAME)
        assert outcome.failure.kind == "unreachable"


def test_a_registration_is_acknowledged_and_read_back(server, client):
    server.records[b"0.NA/88.118.7"] = (server.site_value(),)
    server.needs_login = {OpCode.CREATE_HANDLE}
    one = client()
    assert one.login(CREDENTIAL).good
    values = {"URL": "https://example.com/new"}
    assert one.register("88.118.7/NEW", values).good
    assert server.records[b"88.118.7/NEW"][0].data == b"https://example.com/new"
    assert one.read_back("88.118.7/NEW", values).good
    other = one.read_back("88.118.7/NEW", {"URL": "else"})
    assert other.failure.kind == "wrong answer: not what was registered"
    again = one.register("88.118.7/NEW", values)
    assert again.failure.kind == "code 101 HANDLE_ALREADY_EXISTS"


def test_only_the_first_registration_looks_for_its_node(server, client):
    server.records[b"0.NA/88.118.7"] = (server.site_value(),)
    one = client()
    assert one.login(CREDENTIAL).good
    before = len(server.seen)
    for number in range(3):
        assert one.register(f"88.118.7/N{number}", {"URL": "x"}).good
    assert len(server.seen) == before + 3


def test_a_wrong_secret_fails_by_its_code(server, client):
    server.records[b"0.NA/88.118.7"] = (server.site_value(),)
    server.accepts = False
    assert client().login(CREDENTIAL).failure.kind.startswith("code 403")


def test_a_referral_beyond_this_machine_is_not_followed(server, client):
    away = Value(1, "HS_SITE", site_at("192.0.2.1", 2641).encode())
    referral = Referral(b"88.118.7/X", (away,)).encode()
    server.script = lambda seen: (303, referral)
    one, values = client(), {"URL": "x"}
    assert one.read_back("88.118.7/X", values).failure.kind == failures.REFUSED
    server.script = lambda seen: None
    server.records[b"0.NA/88.118.7"] = (away,)
    assert one.register("88.118.7/X", values).failure.kind == failures.REFUSED


def test_a_referral_is_a_code_to_who_asks_a_node_itself(server, client):
    server.script = lambda seen: (303, Referral(b"88.118.7/X", None).encode())
    assert client().resolve("88.118.7/X").failure.kind == "code 303 PREFIX_REFERRAL"


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import json, sys, time
import gevent
from resolver.load import failures
from resolver.load.native import NativeClient
from resolver.load.targets import Address
from resolver.session.exchange import RetryPolicy

port, name, users = int(sys.argv[1]), sys.argv[2], 20
QUICK = RetryPolicy((1.0,), 1.0)
ticks, longest, last = 0, 0.0, time.perf_counter()

def tick():
    global ticks, longest, last
    while True:
        gevent.sleep(0.01)
        now = time.perf_counter()
        longest, last, ticks = max(longest, now - last), now, ticks + 1

ticker = gevent.spawn(tick)

def ask(transport):
    client = NativeClient(Address("127.0.0.1", port), transport, retry=QUICK)
    outcome = client.resolve(name)
    client.close()
    return str(outcome.failure)

jobs = [gevent.spawn(ask, ("udp", "tcp")[n % 2]) for n in range(users)]
started = time.perf_counter()
gevent.joinall(jobs, raise_error=True)
print(json.dumps({
    "seconds": time.perf_counter() - started, "ticks": ticks, "longest": longest,
    "said": sorted({job.value for job in jobs}),
    "asyncio": "asyncio" in sys.modules,
}))
"""


def test_greenlets_wait_side_by_side_and_stop_nobody(server):
    """Twenty users wait for a silent server; a ticker beside them goes on ticking."""
    server.faults.silent = True
    done = subprocess.run(
        [sys.executable, "-c", GREENLETS, str(server.port), NAME],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["said"] == ["timeout: no answer in 1 s"]
    assert found["seconds"] < 10, "they waited one after the other"
    assert found["ticks"] >= 20, "who waits holds up everybody"
    assert not found["asyncio"]
