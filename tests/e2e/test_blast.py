"""The load generator against a real network, and against servers that do wrong.

A scripted server gives each request a number and does to its reply what the test says;
so what was lost, wrong or repeated is known exactly.
"""

import contextlib
import json
import socket
import threading
from dataclasses import replace

import pytest

from bench import loading
from bench.blast import Load, blast, main, prepare_load
from bench.corpus import Corpus, corpus_of
from bench.latency import merged
from bench.loading import homed_prefixes, load_corpus, register_running
from bench.questions import computed_reply
from bench.verifying import WrongReplyError
from resolver.errors import SetupError, UnreachableError
from resolver.running import run_network
from resolver.session.stream import Framer
from resolver.wire.codes import OpCode, ResponseCode
from resolver.wire.message import decode_message
from resolver.wire.request import decode_request

COUNT = 300
MADE_UP = Corpus(("88.118.7", "88.118.2", "88.118.1"), 50)
NUMBERS = {MADE_UP.identifier(n).encode(): n for n in range(MADE_UP.count)}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Run a small network in which a corpus was loaded while it did not run."""
    data = tmp_path_factory.mktemp("blast") / "data"
    arguments = ("--port-base=0", "--secondaries=2", f"--data={data}")
    with run_network(*arguments) as running:
        corpus = corpus_of(running.ready, COUNT)
        with pytest.raises(SetupError, match="in use"):
            load_corpus(data, corpus)
    told = []
    assert homed_prefixes(data) == corpus.prefixes
    assert load_corpus(data, corpus, lambda *progress: told.append(progress)) == COUNT
    assert told == [(256, COUNT)]
    with run_network(*arguments) as running:
        yield running


def target_of(network):
    host, port = network.ready["recursive"]["handle"]
    return host, port


def load(network, **parts):
    corpus = corpus_of(network.ready, COUNT)
    usual = {"seconds": 0.15, "warm_up": 0.05, "sequence": 1000, "timeout": 10}
    return Load(**{"target": target_of(network), "corpus": corpus, **usual, **parts})


def assert_flawless(outcome):
    assert outcome.sent == outcome.answered > 0
    assert outcome.lost == outcome.wrong == outcome.unsolicited == 0
    assert outcome.early_faults == outcome.reconnects == 0
    assert outcome.codes == {ResponseCode.SUCCESS: outcome.answered}
    assert outcome.first_wrong == ""
    assert merged([outcome.histogram]).total_count == outcome.answered
    assert 0 < outcome.p50_us <= outcome.p99_us <= outcome.max_us


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("connections", [1, 3])
def test_a_closed_loop_loses_nothing_and_gets_nothing_wrong(
    network, transport, connections
):
    outcome = blast(load(network, transport=transport, connections=connections))
    assert_flawless(outcome)
    assert outcome.qps > 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_an_open_loop_keeps_its_schedule(network, transport):
    parts = {"transport": transport, "rate": 1000, "seconds": 0.3, "connections": 2}
    outcome = blast(load(network, **parts))
    assert_flawless(outcome)
    assert outcome.sent == 300


def test_each_identifier_is_asked_once_and_compared_without_asking_before(network):
    outcome = blast(load(network, distribution="each-once", seconds=10))
    assert_flawless(outcome)
    assert outcome.sent == COUNT


def test_a_load_ends_after_the_wanted_number_of_requests(network):
    outcome = blast(load(network, queries=77, seconds=10))
    assert_flawless(outcome)
    assert outcome.sent == 77


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("kind", ["TXT", "URI", "NAPTR"])
def test_dns_is_asked_and_compared_too(network, transport, kind):
    found = network.ready["recursive"]
    dns = {"protocol": "dns", "dns_zone": found["dns_zone"], "dns_type": kind}
    target = found["dns"][0], found["dns"][1]
    parts = {
        **dns,
        "target": target,
        "transport": transport,
        "queries": 400,
        "seconds": 10,
    }
    outcome = blast(load(network, **parts, sequence=100))
    assert outcome.sent == outcome.answered == 400
    assert outcome.lost == outcome.wrong == outcome.unsolicited == 0
    assert outcome.codes == {0: 400}


def test_what_was_prepared_is_good_for_other_transports_and_rates(network):
    usual = load(network, window=1, seconds=0.1)
    prepared = prepare_load(usual)
    for other in (replace(usual, transport="tcp"), replace(usual, rate=500)):
        assert_flawless(blast(other, prepared=prepared))


def test_a_corpus_that_is_not_registered_is_told_by_identifier_and_code(network):
    corpus = corpus_of(network.ready, COUNT + 500)
    missing = {corpus.identifier(n) for n in range(COUNT, corpus.count)}
    with pytest.raises(WrongReplyError, match=r"HANDLE_NOT_FOUND \(100\)") as caught:
        blast(load(network, corpus=corpus, distribution="uniform"))
    assert str(caught.value).partition(":")[0] in missing


def test_a_corpus_of_another_seed_is_told_from_the_registered_one(network):
    corpus = corpus_of(network.ready, COUNT, seed=2)
    with pytest.raises(WrongReplyError, match="expected, got"):
        blast(load(network, corpus=corpus))
    once = load(network, corpus=corpus, distribution="each-once", seconds=10)
    outcome = blast(once)
    assert outcome.wrong > COUNT // 4
    assert outcome.failed == 0
    assert "expected, got" in outcome.first_wrong


def test_a_running_network_takes_a_corpus(network):
    """Over the wire, again: what is there is replaced."""
    corpus = corpus_of(network.ready, 40)
    assert register_running(network.ready, corpus) == 40
    assert_flawless(blast(load(network, corpus=corpus, distribution="each-once")))


def test_the_loading_command_says_how_many_it_registered(network, capsys, monkeypatch):
    monkeypatch.setattr(loading, "tune_interpreter", lambda: None)
    options = [f"--ready-file={network.ready_file}", "--count=20", "--json"]
    assert loading.main(options) == 0
    assert json.loads(capsys.readouterr().out)["registered"] == 20
    assert loading.main(["--data=/nowhere/at/all"]) == 2
    assert "is not the data directory" in capsys.readouterr().err


def test_a_prefix_that_lives_nowhere_is_told(network):
    corpus = Corpus(("99.1.2",), 10)
    with pytest.raises(SetupError, match=r"99\.1\.2 lives at no node"):
        register_running(network.ready, corpus)


def test_a_directory_that_is_none_of_a_network_is_told(tmp_path):
    with pytest.raises(SetupError, match="is not the data directory") as caught:
        load_corpus(tmp_path, MADE_UP)
    assert "idis up --data" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_the_command_prints_one_document(network, capsys):
    options = ["--corpus=200", "--seconds=0.2", "--warm-up=0", "--json"]
    assert main([f"--ready-file={network.ready_file}", *options]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["lost"] == said["wrong"] == 0
    assert said["qps"] > 0
    assert said["codes"] == {"1": said["answered"]}


def test_the_command_prints_a_table(network, capsys):
    options = [
        "--corpus=200",
        "--seconds=0.2",
        "--warm-up=0",
        "--transport=tcp",
        "--rate=500",
    ]
    assert main([f"--ready-file={network.ready_file}", *options]) == 0
    said = capsys.readouterr().out
    for word in ("right answers/s", "p999", "code 1 SUCCESS", "generator CPU"):
        assert word in said


# Servers that do wrong


class Scripted:
    """Answers questions about MADE_UP, as a test's script wants each reply."""

    def __init__(self, transport):
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.bind(("127.0.0.1", 0))
        if transport == "tcp":
            self.socket.listen()
        self.transport = transport
        self.script = lambda _number, reply: [reply]
        self.numbers = iter(range(1 << 30))
        self.connections = 0
        self._threads = [threading.Thread(target=getattr(self, f"_{transport}"))]
        self._open = []
        self._threads[0].start()

    def follow(self, script):
        """Do to the replies from now on what a script says, counted from 0."""
        self.script, self.numbers = script, iter(range(1 << 30))

    def load(self, **parts):
        usual = {"seconds": 10, "warm_up": 0, "timeout": 10, "window": 8}
        return Load(
            **{
                "target": self.socket.getsockname(),
                "corpus": MADE_UP,
                "transport": self.transport,
                **usual,
                **parts,
            }
        )

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self.socket.close()

    def _udp(self):
        while True:
            request, peer = self.socket.recvfrom(4096)
            if not request:
                return
            for reply in self._replies(request):
                self.socket.sendto(reply, peer)

    def _tcp(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        framer = Framer()
        with connection, contextlib.suppress(OSError):
            while octets := connection.recv(65536):
                for request in framer.receive(octets):
                    for reply in self._replies(request):
                        if reply is None:
                            return
                        connection.sendall(reply)

    def _replies(self, request):
        body = decode_request(OpCode.RESOLUTION, decode_message(request).body)
        reply = computed_reply(MADE_UP, NUMBERS[body.handle])
        reply = reply[:8] + request[8:12] + reply[12:]
        return self.script(next(self.numbers), reply)


@pytest.fixture
def scripted():
    """Make scripted servers, closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(transport="udp"):
            return stack.enter_context(contextlib.closing(Scripted(transport)))

        yield make


def play(server, script, **parts):
    """Learn right replies, then put a load on a server that follows the script."""
    of = server.load(**{"queries": 200, **parts})
    prepared = prepare_load(of)
    server.follow(script)
    return blast(of, prepared=prepared)


EVERY_TENTH = range(0, 200, 10)
IMPATIENT = {"timeout": 0.3, "window": 20}


def test_replies_that_never_come_are_lost(scripted):
    def drop(number, reply):
        return [] if number in EVERY_TENTH else [reply]

    outcome = play(scripted(), drop, **IMPATIENT)
    assert (outcome.sent, outcome.answered, outcome.lost) == (200, 180, 20)
    assert outcome.wrong == outcome.unsolicited == 0


def test_replies_with_one_changed_octet_are_wrong(scripted):
    def corrupt(number, reply):
        place = 44 + number % (len(reply) - 44)
        changed = reply[:place] + bytes((reply[place] ^ 1,)) + reply[place + 1 :]
        return [changed if number in EVERY_TENTH else reply]

    outcome = play(scripted(), corrupt)
    assert (outcome.answered, outcome.wrong, outcome.failed) == (200, 20, 0)
    assert outcome.lost == outcome.unsolicited == 0
    assert outcome.first_wrong.partition(":")[0].encode() in NUMBERS


def test_replies_that_come_twice_are_unsolicited(scripted):
    def repeat(number, reply):
        return [reply, reply] if number in EVERY_TENTH[:-1] else [reply]

    outcome = play(scripted(), repeat)
    assert (outcome.answered, outcome.unsolicited) == (200, 19)
    assert outcome.lost == outcome.wrong == 0


def test_replies_to_one_another_are_wrong(scripted):
    """Two requests of one batch get each other's body under their own ids."""
    held = []

    def swap(number, reply):
        if number % 20 == 0:
            held.append(reply)
            return []
        if number % 20 == 1:
            other = held.pop()
            return [other[:12] + reply[12:], reply[:12] + other[12:]]
        return [reply]

    outcome = play(scripted(), swap, distribution="each-once", check="learned")
    asked = MADE_UP.count
    assert outcome.sent == outcome.answered == asked
    assert outcome.wrong == 2 * -(-asked // 20)
    assert "the reply is for" in outcome.first_wrong


def test_other_response_codes_are_wrong_and_counted_by_code(scripted):
    def busy(number, reply):
        code = bytes((0, 0, 0, 3)) if number in EVERY_TENTH else reply[24:28]
        return [reply[:24] + code + reply[28:]]

    outcome = play(scripted(), busy)
    assert outcome.wrong == outcome.failed == 20
    assert outcome.codes == {ResponseCode.SUCCESS: 180, 3: 20}
    assert "SERVER_TOO_BUSY (3)" in outcome.first_wrong


def test_replies_to_unknown_ids_are_unsolicited_and_what_was_asked_is_lost(scripted):
    def misdirect(number, reply):
        other = bytes((0x7F, 0xFF, 0xFF, 0xFF))
        return [reply[:8] + other + reply[12:] if number in EVERY_TENTH else reply]

    outcome = play(scripted(), misdirect, **IMPATIENT)
    assert (outcome.lost, outcome.unsolicited, outcome.wrong) == (20, 20, 0)


def test_octets_that_are_no_message_answer_nothing(scripted):
    def mumble(number, reply):
        return [b"", b"?" * 43, reply] if number in EVERY_TENTH else [reply]

    outcome = play(scripted(), mumble)
    assert (outcome.answered, outcome.unsolicited) == (200, 40)
    assert outcome.lost == outcome.wrong == 0


@pytest.mark.parametrize("rate", [None, 2000])
def test_replies_in_pieces_and_in_any_order_are_put_together(scripted, rate):
    held = []

    def dribble(number, reply):
        held.append(reply)
        if number % 4 != 3:
            return []
        octets = b"".join(reversed(held))
        held.clear()
        return [octets[n : n + 700] for n in range(0, len(octets), 700)]

    outcome = play(scripted("tcp"), dribble, rate=rate)
    assert outcome.sent == outcome.answered == 200
    assert outcome.wrong == outcome.lost == outcome.reconnects == 0


def test_a_connection_that_breaks_is_replaced_and_what_it_owed_is_lost(scripted):
    def hang_up(number, reply):
        return [None] if number == 100 else [reply]

    server = scripted("tcp")
    outcome = play(server, hang_up, window=1)
    assert outcome.reconnects == 1
    assert server.connections == 3  # one of them learned
    assert (outcome.sent, outcome.answered, outcome.lost) == (200, 199, 1)
    assert outcome.wrong == 0


def test_a_server_that_stalls_is_not_asked_less_by_an_open_loop(scripted):
    """And every request that the stall delayed says so (no coordinated omission)."""
    stall = threading.Event()

    def stalling(number, reply):
        if number == 50:
            stall.wait(0.2)
        return [reply]

    outcome = play(scripted(), stalling, rate=1000)
    assert outcome.answered == 200
    # 150 requests were due in or after the 200 ms that it stood still.
    assert merged([outcome.histogram]).get_value_at_percentile(50) > 20_000_000


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_an_address_at_which_nothing_listens_is_told(transport):
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        of = Load(("127.0.0.1", port), MADE_UP, transport=transport, timeout=0.05)
        with pytest.raises(UnreachableError, match=f"127.0.0.1:{port}"):
            blast(of)
        with pytest.raises(UnreachableError, match=f"127.0.0.1:{port}"):
            blast(replace(of, distribution="each-once", timeout=0.05))


def test_a_target_that_is_not_loopback_gets_no_octet(monkeypatch):
    def opened(*_):
        raise AssertionError("a socket was opened")

    of = Load(("192.0.2.7", 2641), MADE_UP)
    monkeypatch.setattr("bench.load_sockets.Sockets._open", opened)
    for entry in (blast, prepare_load):
        with pytest.raises(SetupError, match="not loopback"):
            entry(of)
