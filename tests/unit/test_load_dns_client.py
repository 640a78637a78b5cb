"""One user of a DNS face, against a scripted server."""

import contextlib
import socket
import struct
import threading

import dns.message
import dns.rrset
import pytest

from resolver.load.dns_client import DnsClient, has_name
from resolver.load.targets import Address
from tests.nano import closed_port

NAME, ZONE = "88.118.7/SN1", "idis.test"
TIMEOUT_SECONDS = 0.2


class NanoDns:
    """Answers TXT questions from a thread of its own, UDP and TCP on one port."""

    def __init__(self):
        self.stream = socket.create_server(("127.0.0.1", 0))
        self.port = self.stream.getsockname()[1]
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", self.port))
        self.before = lambda query: []
        """Gives what is sent before the answer to a query."""

        self.seen = []
        self.silent = self.truncated = False
        self._threads = [
            threading.Thread(target=self._serve, args=(one,), daemon=True)
            for one in (self._datagram, self._connection)
        ]
        for thread in self._threads:
            thread.start()

    def close(self):
        for one in (self.datagrams, self.stream):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(5)

    def _serve(self, answer):
        with contextlib.suppress(OSError):
            while True:
                answer()

    def _datagram(self):
        octets, address = self.datagrams.recvfrom(4096)
        if not octets:
            raise OSError("closed")
        for other in self.before(octets):
            self.datagrams.sendto(other, address)
        if not self.silent:
            self.datagrams.sendto(self._answer(octets, "udp"), address)

    def _connection(self):
        connection, _ = self.stream.accept()
        with connection:
            octets = connection.recv(4096)
            answer = self._answer(octets[2:], "tcp")
            connection.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, octets, via):
        query = dns.message.from_wire(octets)
        question = query.question[0]
        self.seen.append((via, question.to_text(), query.payload))
        made = dns.message.make_response(query)
        if self.truncated and via == "udp":
            made.flags |= dns.flags.TC
        elif "sn1." in str(question.name):
            made.answer.append(
                dns.rrset.from_text(question.name, 60, "IN", question.rdtype, '"x"')
            )
        else:
            made.set_rcode(3)
        return made.to_wire()


@pytest.fixture
def server():
    made = NanoDns()
    yield made
    made.close()


@pytest.fixture
def client(server):
    address = Address("127.0.0.1", server.port)
    made = DnsClient(address, ZONE, timeout_seconds=TIMEOUT_SECONDS)
    yield made
    made.close()


def test_an_identifier_is_asked_for_by_its_domain_name(server, client):
    outcome = client.resolve(NAME)
    assert outcome.good
    assert 0 < outcome.milliseconds < 10_000
    assert outcome.octets > 40
    assert server.seen == [("udp", "sn1.7.118.88.idis.test. IN TXT", 1232)]


def test_one_socket_serves_all_requests(client):
    assert client.resolve(NAME).good
    first = client._socket
    assert client.resolve(NAME).good
    assert client._socket is first


def test_a_name_that_is_not_there_is_a_failure_unless_it_is_expected(client):
    assert client.resolve("88.118.7/NO").failure.kind == "rcode NXDOMAIN"
    assert client.resolve("88.118.7/NO", expect=(3,)).good


def test_what_is_truncated_is_asked_for_over_tcp(server, client):
    server.truncated = True
    assert client.resolve(NAME).good
    assert [via for via, *_ in server.seen] == ["udp", "tcp"]


def test_a_server_gone_silent_is_a_timeout_and_asked_once(server, client):
    server.silent = True
    outcome = client.resolve(NAME)
    assert outcome.failure.kind == "timeout: no answer in 0.2 s"
    assert outcome.milliseconds >= 199
    server.silent = False
    assert client.resolve(NAME).good


def test_a_late_answer_to_another_question_is_passed_over(server, client):
    server.before = lambda query: [b"", bytes((query[0] ^ 1,)) + query[1:]]
    outcomes = [client.resolve(NAME) for _ in range(3)]
    assert all(outcome.good for outcome in outcomes)


def test_nobody_listening_is_unreachable():
    address = Address("127.0.0.1", closed_port())
    client = DnsClient(address, ZONE, timeout_seconds=TIMEOUT_SECONDS)
    assert client.resolve(NAME).failure.kind == "unreachable"
    client.close()


def test_an_identifier_without_a_domain_name_is_known_to_have_none():
    assert has_name(NAME, ZONE)
    assert not has_name("88.118.7/" + "X" * 400, ZONE)
