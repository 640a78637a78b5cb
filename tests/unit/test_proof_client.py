"""Proofs over HTTP, by both clients: fetched within limits, believed when they hold."""

import asyncio
import socket
import threading
from dataclasses import replace

import pytest

from chain_anchor.bundle import MAX_BUNDLE_OCTETS, encode_bundle
from chain_anchor.cosignature import cosign
from chain_anchor.errors import BundleError, ProofError, SignatureError
from resolver.client import (
    AsyncClient,
    Client,
    ClientSettings,
    KnownLog,
    KnownLogs,
    RetryPolicy,
    proofs,
    proofs_aio,
)
from resolver.errors import (
    BadAnswerError,
    NotResponsibleError,
    ServerError,
    SetupError,
    TimedOutError,
    UnreachableError,
)
from tests.merkle_trees import private_key, witness_key
from tests.nano import closed_port
from tests.small_log import SmallLog, with_signature

NAME = "88.118.7/SN1"
ORIGIN = "maker.example/log"


class Web:
    """A server of loopback that gives each connection what the script says."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/log"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)

    def _serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with sock:
                request = b""
                while b"\r\n\r\n" not in request:
                    octets = sock.recv(65536)
                    if not octets:
                        break
                    request += octets
                self.asked.append(request.decode())
                self._send(sock)

    def _send(self, sock):
        try:
            for octets in self.answer():
                if octets is None:  # say no more, until the other side gives up
                    sock.recv(1)
                else:
                    sock.sendall(octets)
        except OSError:
            return


def response(body, status="200 OK", *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def web(*octets):
    return Web(lambda: iter(octets))


def refusal(code, message, status="404 Not Found", *headers):
    body = f'{{"responseCode": {code}, "message": "{message}"}}'.encode()
    return response(body, status, *headers)


@pytest.fixture(params=["blocking", "asyncio"])
def twin(request):
    return Twin(request.param)


class Twin:
    """Either kind of the functions and of the client, called in the same way."""

    def __init__(self, kind):
        self.is_blocking = kind == "blocking"
        self.module = proofs if self.is_blocking else proofs_aio

    def _wait(self, made):
        return made() if self.is_blocking else asyncio.run(made())

    def fetch(self, url, identifier=NAME, **options):
        return self._wait(lambda: self.module.fetch_proof(url, identifier, **options))

    def prove(self, logs, identifier=NAME, seconds=10.0, **options):
        settings = ClientSettings(
            RetryPolicy(lifetime_seconds=seconds), known_logs=logs
        )
        if self.is_blocking:
            with Client("127.0.0.1:1", settings) as client:
                return client.prove(identifier, **options)

        async def once():
            async with AsyncClient("127.0.0.1:1", settings) as client:
                return await client.prove(identifier, **options)

        return asyncio.run(once())


@pytest.fixture
def log():
    log = SmallLog(ORIGIN)
    log.register(NAME.encode())
    log.register(b"88.118.7/SN2")
    log.seal()
    return log


def known(log, url="http://127.0.0.1:1/log", prefixes=(b"88.118.7",), **options):
    return KnownLogs([KnownLog(url, log.signer.key, prefixes)], **options)


# ---- fetching -----------------------------------------------------------------------


def test_a_proof_is_asked_for_by_the_name_as_it_is_written(twin):
    with web(response(b"octets")) as server:
        assert (
            twin.fetch(server.url + "/", "88.118.7/产品 &x", history=True) == b"octets"
        )
    (request,) = server.asked
    target = "/log/proof/record?identifier=88.118.7%2F%E4%BA%A7%E5%93%81%20%26x"
    assert request.startswith(f"GET {target}&history=true HTTP/1.1\r\n")
    assert "Accept: application/vnd.idis.proof\r\n" in request


def test_an_answer_in_pieces_and_without_a_length_is_read_whole(twin):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with web(head, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n") as server:
        assert twin.fetch(server.url) == b"abcde"


def test_a_referral_is_followed(twin):
    with web(response(b"there")) as second:
        link = f'Link: <{second.url}>; rel="related"'
        with web(refusal(302, "elsewhere", "404 Not Found", link)) as first:
            assert twin.fetch(first.url) == b"there"


def test_a_referral_goes_on_to_the_next_address_when_one_refuses(twin):
    with web(response(b"there")) as third, web(refusal(301, "not here")) as second:
        links = f'Link: <{second.url}>; rel="related", <{third.url}>; rel="related"'
        with web(refusal(302, "elsewhere", "404 Not Found", links)) as first:
            assert twin.fetch(first.url) == b"there"


def test_referrals_in_a_circle_come_to_an_end(twin):
    server = Web(lambda: iter(()))
    link = f'Link: <{server.url}>; rel="related"'
    server.answer = lambda: iter([refusal(302, "round", "404 Not Found", link)])
    with server, pytest.raises(ServerError, match="round"):
        twin.fetch(server.url)
    assert len(server.asked) == 1


def test_referrals_without_end_come_to_one(twin):
    count = iter(range(1000))
    server = Web(lambda: iter(()))

    def further():
        link = f'Link: <{server.url}/{next(count)}>; rel="related"'
        return iter([refusal(302, "further", "404 Not Found", link)])

    server.answer = further
    with server, pytest.raises(ServerError, match="further"):
        twin.fetch(server.url)
    assert len(server.asked) == proofs.MAX_REFERRALS + 1


@pytest.mark.parametrize(
    ("octets", "kind", "words"),
    [
        (refusal(301, "not mine"), NotResponsibleError, "not mine"),
        (refusal(4, "what?", "400 Bad Request"), ServerError, "what?"),
        (response(b"<html>", "404 Not Found"), BadAnswerError, "HTTP 404: <html>"),
        (response(b"", "503 Busy"), UnreachableError, "HTTP 503"),
        (refusal(3, "again", "503 Busy"), UnreachableError, "again"),
        (response(b"[" * 5000, "404 Not Found"), BadAnswerError, "HTTP 404"),
        (b"SSH-2.0-nobody\r\n", BadAnswerError, "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", BadAnswerError, "ends"),
        (b"", UnreachableError, "unanswered"),
        (
            response(bytes(MAX_BUNDLE_OCTETS + 1)),
            BadAnswerError,
            "an answer of over",
        ),
        (
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
            BadAnswerError,
            "no HTTP answer|an answer of over",
        ),
    ],
)
def test_what_is_no_proof_is_an_error_that_says_so(twin, octets, kind, words):
    with web(octets) as server, pytest.raises(kind, match=words):
        twin.fetch(server.url)


def test_a_server_that_says_nothing_ends_with_the_time(twin):
    with (
        web(b"HTTP/1.1 200 OK\r\n", None) as server,
        pytest.raises(TimedOutError, match="in time"),
    ):
        twin.fetch(server.url, timeout_seconds=0.2)


def test_nobody_there_is_unreachable(twin):
    with pytest.raises(UnreachableError):
        twin.fetch(f"http://127.0.0.1:{closed_port()}/log")


@pytest.mark.parametrize("url", ["", "ftp://host/log", "http://host/log?x=1", "a b"])
def test_what_is_no_url_is_misuse(twin, url):
    with pytest.raises(SetupError):
        twin.fetch(url)


def test_what_is_no_identifier_costs_no_connection(twin):
    with pytest.raises(ServerError, match="102"):
        twin.fetch("http://127.0.0.1:1/log", "88.118.7/")


# ---- believing ----------------------------------------------------------------------


def test_a_proof_that_holds_is_believed(twin, log):
    octets = encode_bundle(log.bundle(NAME.encode(), history=3))
    with web(response(octets)) as server:
        verified = twin.prove(known(log, server.url), history=True)
    assert (verified.standing, verified.record) == ("present", b"record")
    assert "history=true" in server.asked[0]


@pytest.mark.parametrize("name", ["88.118.7/sn1", "88.118.7/Sn1"])
def test_the_case_of_a_name_is_the_nodes_to_judge(twin, log, name):
    with web(response(encode_bundle(log.bundle(NAME.encode())))) as server:
        assert twin.prove(known(log, server.url), name).name == NAME.encode()


def test_absence_is_believed_of_the_log_that_is_responsible(twin, log):
    octets = encode_bundle(log.bundle(b"88.118.7/NONE"))
    with web(response(octets)) as server:
        verified = twin.prove(known(log, server.url), "88.118.7/none")
    assert verified.standing == "absent"


def test_absence_from_a_log_in_which_it_would_never_stand_proves_nothing(twin, log):
    """Both logs are believed, but only one speaks for the prefix."""
    other = SmallLog("other.example/log", key=2)
    other.register(b"88.118.8/SN1")
    other.seal()
    with web(response(encode_bundle(other.bundle(NAME.encode())))) as server:
        logs = KnownLogs(
            [
                KnownLog(server.url, log.signer.key, (b"88.118.7",)),
                KnownLog(server.url, other.signer.key, (b"88.118.8",)),
            ]
        )
        with pytest.raises(ProofError, match=ORIGIN):
            twin.prove(logs)


def test_a_proof_about_another_name_is_refused(twin, log):
    with (
        web(response(encode_bundle(log.bundle(b"88.118.7/SN2")))) as server,
        pytest.raises(ProofError, match="SN2"),
    ):
        twin.prove(known(log, server.url))


def test_a_key_that_is_not_pinned_is_not_believed(twin, log):
    stranger = SmallLog(ORIGIN, key=9)
    with (
        web(response(encode_bundle(log.bundle(NAME.encode())))) as server,
        pytest.raises(SignatureError),
    ):
        twin.prove(known(stranger, server.url))


def test_a_record_that_was_changed_on_its_way_is_refused(twin, log):
    bundle = replace(log.bundle(NAME.encode()), record=b"other")
    with (
        web(response(encode_bundle(bundle))) as server,
        pytest.raises(ProofError, match="record"),
    ):
        twin.prove(known(log, server.url))


def test_what_is_no_bundle_is_refused(twin, log):
    with web(response(b"no bundle")) as server, pytest.raises(BundleError):
        twin.prove(known(log, server.url))


def test_a_quorum_of_witnesses_can_be_demanded(twin, log):
    bundle = log.bundle(NAME.encode())
    text = bundle.checkpoint.decode().partition("\n\n")[0] + "\n"
    signature = cosign(text, "witness", private_key("witness"), 7)
    note = with_signature(bundle.checkpoint, signature)
    demands = {"witnesses": [witness_key("witness")], "quorum": 1}
    with (
        web(response(encode_bundle(bundle))) as server,
        pytest.raises(SignatureError, match="missing"),
    ):
        twin.prove(known(log, server.url, **demands))
    with web(response(encode_bundle(replace(bundle, checkpoint=note)))) as server:
        verified = twin.prove(known(log, server.url, **demands))
    assert [one.time_seconds for one in verified.cosignatures] == [7]


def test_a_client_that_believes_nobody_says_how_to(twin):
    with pytest.raises(SetupError, match="believes no log") as caught:
        twin.prove(None)
    assert "known_logs" in caught.value.hint


def test_the_nearest_log_above_is_asked_for_a_prefix_that_no_log_has(twin, log):
    with web(refusal(301, "not mine either")) as server:
        logs = known(log, server.url, prefixes=(b"88", b"0.NA"))
        with pytest.raises(NotResponsibleError):
            twin.prove(logs, "88.5.6/X")
        with pytest.raises(NotResponsibleError):
            twin.prove(logs, "88")
    assert len(server.asked) == 2


def test_an_identifier_without_any_log_above_is_misuse(twin, log):
    with pytest.raises(SetupError, match="no log is known"):
        twin.prove(known(log), "99.1/X")


# ---- logs of a ready file -----------------------------------------------------------


def ready(known_log, **changes):
    node = {
        "prefixes": ["88"],
        "parent": None,
        "log": {"url": "http://127.0.0.1:1/log", "key": str(known_log.signer.key)},
    }
    return {"nodes": [{**node, **changes}, {"prefixes": [], "parent": None}]}


def test_the_logs_of_a_ready_file_are_known_by_their_prefixes(log):
    logs = KnownLogs.of_ready(ready(log))
    assert logs.keys == {ORIGIN: [log.signer.key]}
    for name in (b"88/x", b"88.1/x", b"0.NA/88", b"0.NA/88.1"):
        assert logs.nearest(name).key == log.signer.key


@pytest.mark.parametrize(
    "broken",
    [{}, {"nodes": 7}, {"nodes": [{"log": {}}]}, {"nodes": ["log"]}, []],
)
def test_a_ready_file_that_is_none_is_misuse(broken):
    with pytest.raises(SetupError, match="ready file"):
        KnownLogs.of_ready(broken)


@pytest.mark.parametrize(
    "change", [{"log": {"url": "u", "key": "no key"}}, {"log": None}, {"prefixes": 7}]
)
def test_a_ready_file_with_a_broken_log_is_misuse(log, change):
    with pytest.raises(SetupError, match="ready file"):
        KnownLogs.of_ready(ready(log, **change))
