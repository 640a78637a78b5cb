"""The load generator's parts: what is asked, what is right, what is counted.

The compiled functions are called as they are compiled.
"""

import json
import re

import dns.message
import dns.rdatatype
import dns.rrset
import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from bench import load_flight as flight
from bench.blast import main
from bench.corpus import Corpus
from bench.latency import histogram_of, merged, summary_of
from bench.load import Load, Outcome, check_target
from bench.load_checking import take_reply
from bench.load_loops import _frame
from bench.load_run import new_run
from bench.prepared import prepare, sequence_length
from bench.questions import Flat, computed_reply, writer_of
from bench.verifying import WrongReplyError, fault_finder, verifier_of
from registry.model.value import encode_values, stamped
from resolver.dns.names import name_of
from resolver.errors import SetupError, UnreachableError
from resolver.wire.codes import OpCode, OpFlag, ResponseCode
from resolver.wire.message import decode_message
from resolver.wire.request import decode_request

CORPUS = Corpus(("88.118.7", "88.118.2"), 1000)
TARGET = ("127.0.0.1", 3641)
MS = 1_000_000
CHINESE = next(n for n in range(1000) if not CORPUS.identifier(n).isascii())


def load(**parts):
    return Load(**{"target": TARGET, "corpus": CORPUS, "window": 4, **parts})


def started(of=None, *, answers=None, items=4, check=None):
    """Make a run over the first identifiers, with the replies that are computed."""
    of = of or load(check="unverified")
    questions = Flat.of(writer_of(of)(CORPUS.identifier(n)) for n in range(items))
    if answers is None:
        answers = [computed_reply(CORPUS, n) for n in range(items)]
    run = new_run(of, np.arange(items), questions, Flat.of(answers))
    run.control[flight.LIMIT] = run.control[flight.END_NS] = 1 << 60
    if check is not None:
        run.control[flight.CHECK] = check
    return run


def send(run, now=0, intended=None, connection=0):
    slot = flight.take_slot(run, connection, now if intended is None else intended, now)
    return slot, flight.id_of(run, slot)


def receive(run, octets, now=0, connection=0):
    buffer = np.frombuffer(octets, np.uint8).copy()
    take_reply(run, connection, buffer, 0, len(octets), now)


def numbered(message, request_id):
    return message[:8] + request_id.to_bytes(4, "big") + message[12:]


def counted(run, counter):
    return int(run.counters[1, counter])


# Requests


@pytest.mark.parametrize("number", [0, CHINESE])
def test_a_handle_request_asks_for_the_identifier(number):
    flags = int(OpFlag.AUTHORITATIVE)
    identifier = CORPUS.identifier(number)
    octets = writer_of(load(flags=flags))(identifier)
    message = decode_message(octets)
    assert message.header.opcode == OpCode.RESOLUTION
    assert message.header.flags == flags
    assert message.credential == b""
    request = decode_request(OpCode.RESOLUTION, message.body)
    assert request.handle == identifier.encode()
    assert not request.types
    assert not request.indexes


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_dns_request_asks_for_the_name_of_the_identifier(transport):
    of = load(protocol="dns", dns_zone="idis.test", transport=transport)
    octets = writer_of(of)(CORPUS.identifier(0))
    if transport == "tcp":
        assert int.from_bytes(octets[:2], "big") == len(octets) - 2
        octets = octets[2:]
    query = dns.message.from_wire(octets)
    (question,) = query.question
    assert question.name.to_text() == name_of(CORPUS.identifier(0), "idis.test")
    assert question.rdtype == dns.rdatatype.TXT
    assert query.payload == 1232


def test_a_redis_request_gets_the_identifier():
    octets = writer_of(load(protocol="redis", transport="tcp"))("88.1/é")
    assert octets == b"*2\r\n$3\r\nGET\r\n$7\r\n88.1/\xc3\xa9\r\n"


def test_flat_pieces_are_found_again():
    pieces = [b"one", b"", b"three"]
    flat = Flat.of(pieces)
    assert [flat[n] for n in range(len(flat))] == pieces
    assert flat.largest() == 5
    assert Flat.of(()).largest() == 0


def test_a_computed_reply_is_a_success_with_the_values_of_the_corpus():
    message = decode_message(computed_reply(CORPUS, CHINESE))
    assert message.header.response_code == ResponseCode.SUCCESS
    assert fault_finder(load())(CHINESE, message.encode()) == ""


# Requests in flight


def test_requests_in_flight_have_different_ids():
    run = started()
    assert len({send(run)[1] for _ in range(4)}) == 4
    assert not flight.may_send(run, 0, 0)


def test_an_id_finds_its_slot_until_it_is_answered_and_never_again():
    run = started()
    slot, request_id = send(run)
    assert flight.slot_of(run, 0, request_id) == slot
    flight.free_slot(run, 0, slot)
    assert flight.slot_of(run, 0, request_id) == -1
    seen = {request_id}
    for _ in range(1000):
        slot, request_id = send(run)
        assert request_id not in seen
        seen.add(request_id)
        flight.free_slot(run, 0, slot)


def test_an_id_of_another_connection_is_not_found():
    run = started(load(check="unverified", connections=2))
    slot, request_id = send(run, connection=1)
    assert flight.slot_of(run, 1, request_id) == slot
    assert flight.slot_of(run, 0, request_id) == -1


def test_the_window_is_spread_over_the_connections():
    run = started(load(window=10, connections=4))
    assert run.free_count.tolist() == [3, 3, 2, 2]


def test_dns_ids_have_16_bits_and_do_not_repeat_soon():
    run = started(load(protocol="dns", dns_zone="t", window=64, check="unverified"))
    seen = set()
    for _ in range(1024):
        slot, request_id = send(run)
        assert request_id < 1 << 16
        seen.add(request_id)
        flight.free_slot(run, 0, slot)
    assert len(seen) == 1024


def test_what_waits_too_long_is_lost_and_what_does_not_is_not():
    run = started(load(timeout=0.001, check="unverified"))
    send(run, now=0)
    send(run, now=MS // 2)
    flight.expire(run, MS - 1)
    assert counted(run, flight.LOST) == 0
    flight.expire(run, MS)
    assert counted(run, flight.LOST) == 1
    assert run.control[flight.IN_FLIGHT] == 1


def test_the_oldest_is_found_whatever_is_answered_in_between():
    run = started()
    slots = [send(run, now=n)[0] for n in range(4)]
    for gone, oldest in ((1, 0), (0, 2), (2, 3)):
        flight.free_slot(run, 0, slots[gone])
        assert flight.oldest_slot(run, 0) == slots[oldest]
    flight.free_slot(run, 0, slots[3])
    assert flight.oldest_slot(run, 0) == -1


def test_a_late_reply_is_unsolicited_and_no_answer_to_the_next_request():
    run = started(load(timeout=0.001, window=1, check="unverified"))
    slot, late = send(run, now=0)
    flight.expire(run, MS)
    again, _ = send(run, now=MS)
    assert again == slot
    receive(run, numbered(computed_reply(CORPUS, 0), late), now=2 * MS)
    assert counted(run, flight.UNSOLICITED) == 1
    assert counted(run, flight.ANSWERED) == 0
    assert run.control[flight.IN_FLIGHT] == 1


# Pace


def test_an_open_loop_sends_by_schedule_and_a_closed_one_when_it_can():
    run = started()
    assert flight.may_send(run, 0, 0)
    run.control[flight.OPEN_LOOP] = 1
    run.control[flight.START_NS] = 5 * MS
    run.interval_ns[0] = 2 * MS
    run.control[flight.NEXT] = 3
    assert not flight.may_send(run, 0, 11 * MS - 1)
    assert flight.may_send(run, 0, 11 * MS)
    assert flight.intended_next(run, 0) == 11 * MS


def test_nothing_is_sent_after_the_end_or_beyond_the_limit():
    run = started()
    run.control[flight.END_NS] = 7
    assert flight.may_send(run, 0, 6)
    assert not flight.may_send(run, 0, 7)
    run.control[flight.LIMIT] = 1
    send(run)
    assert not flight.may_send(run, 0, 0)


def test_an_open_loop_sends_what_was_due_before_the_end_however_late_it_is():
    run = started()
    run.control[flight.OPEN_LOOP] = 1
    run.interval_ns[0] = 2 * MS
    run.control[flight.END_NS] = 3 * MS
    late = 50 * MS
    for _ in range(2):
        assert flight.may_send(run, 0, late)
        assert not flight.is_over(run, late)
        send(run, late, flight.intended_next(run, late))
    assert not flight.may_send(run, 0, late)
    assert flight.has_sent_all(run, late)
    assert not flight.is_over(run, late)


def test_latency_counts_from_the_intended_time_not_from_sending():
    """A generator that stalls must not hide what it delays."""
    run = started()
    _, request_id = send(run, now=40 * MS, intended=10 * MS)
    receive(run, numbered(computed_reply(CORPUS, 0), request_id), now=41 * MS)
    assert summary_of(run.latencies).p50_us == pytest.approx(31_000, rel=0.001)
    assert counted(run, flight.BEHIND) == 1


def test_a_request_up_to_a_millisecond_late_is_not_behind():
    run = started()
    send(run, now=MS, intended=0)
    assert counted(run, flight.BEHIND) == 0


def test_what_was_meant_for_the_warm_up_does_not_count():
    run = started()
    run.control[flight.MEASURE_NS] = 10
    _, request_id = send(run, now=9)
    receive(run, numbered(computed_reply(CORPUS, 0), request_id), now=20)
    assert not run.counters[1].any()
    assert run.counters[0, [flight.SENT, flight.ANSWERED]].tolist() == [1, 1]
    assert not run.latencies.any()


def test_the_sequence_begins_again():
    run = started(items=3)
    items = []
    for _ in range(7):
        slot, _ = send(run)
        items.append(int(run.item[slot]))
        flight.free_slot(run, 0, slot)
    assert items == [0, 1, 2, 0, 1, 2, 0]


# What is right


def is_right(run, reply, change=None):
    """Answer the first request with a reply; tell whether it counts as right."""
    run.control[flight.NEXT] = 0
    run.counters[:] = 0
    slot, request_id = send(run)
    octets = bytearray(numbered(reply, request_id))
    if change is not None:
        octets[change] ^= 0x10
    receive(run, bytes(octets))
    if counted(run, flight.UNSOLICITED):
        flight.free_slot(run, 0, slot)
        return None
    return counted(run, flight.WRONG) == 0


def test_a_reply_is_right_octet_for_octet():
    reply = computed_reply(CORPUS, 0)
    run = started()
    assert is_right(run, reply)
    free = {*range(8), *range(28, 40)}
    for octet in range(len(reply)):
        expected = None if 8 <= octet < 12 else octet in free
        assert is_right(run, reply, change=octet) is expected, octet


def test_of_a_computed_reply_only_the_times_of_writing_are_not_compared():
    number = 0
    plain = decode_message(computed_reply(CORPUS, number))
    name, values = CORPUS.identifier(number).encode(), CORPUS.values(number)
    zeros = encode_values(stamped(values, 0))
    ones = encode_values(stamped(values, 0xFFFF_FFFF))
    at = 44 + 4 + len(name)
    times = {at + n for n, (a, b) in enumerate(zip(zeros, ones, strict=True)) if a != b}
    assert len(times) == 4 * len(values)
    body = plain.body[: 4 + len(name)] + encode_values(stamped(values, 1_760_000_000))
    reply = plain._replace(body=body).encode()
    run = started(load(check="computed"))
    assert is_right(run, reply)
    free = {*range(8), *range(28, 40), *times}
    for octet in range(len(reply)):
        expected = None if 8 <= octet < 12 else octet in free
        assert is_right(run, reply, change=octet) is expected, octet


@pytest.mark.parametrize("check", [flight.EXACT, flight.MASKED])
def test_a_shorter_or_longer_reply_is_wrong(check):
    reply = computed_reply(CORPUS, 0)
    run = started(check=check)
    for octets in (reply + b"\0", reply[:-1], reply[:44]):
        assert is_right(run, octets) is False


def test_a_reply_without_a_header_answers_nothing():
    assert is_right(started(), computed_reply(CORPUS, 0)[:43]) is None


def test_the_reply_to_another_identifier_is_wrong():
    run = started()
    assert is_right(run, computed_reply(CORPUS, 1)) is False
    assert int(run.control[flight.EXAMPLE_ITEM]) == 0


def test_an_unknown_reply_must_at_least_be_a_success_under_the_asked_name():
    run = started(load(check="computed"), answers=[b""] * 4)
    right = computed_reply(CORPUS, 0)
    assert is_right(run, right)
    assert is_right(run, computed_reply(CORPUS, 1)) is False
    assert is_right(run, right[:27] + b"\x64" + right[28:]) is False
    assert is_right(run, right[:50]) is False


def test_another_response_code_is_counted_as_failed_and_by_code():
    run = started()
    reply = bytearray(computed_reply(CORPUS, 0))
    reply[27] = ResponseCode.HANDLE_NOT_FOUND
    assert is_right(run, bytes(reply)) is False
    assert counted(run, flight.FAILED) == 1
    assert run.codes.nonzero()[0].tolist() == [ResponseCode.HANDLE_NOT_FOUND]


def test_a_code_beyond_all_is_counted_at_the_end():
    run = started()
    reply = bytearray(computed_reply(CORPUS, 0))
    reply[24] = 0xFF
    assert is_right(run, bytes(reply)) is False
    assert run.codes.nonzero()[0].tolist() == [flight.CODES - 1]


def test_a_reply_that_comes_twice_is_unsolicited():
    run = started()
    _, request_id = send(run)
    reply = numbered(computed_reply(CORPUS, 0), request_id)
    receive(run, reply)
    receive(run, reply)
    assert counted(run, flight.ANSWERED) == 1
    assert counted(run, flight.UNSOLICITED) == 1


def test_the_first_wrong_reply_is_kept():
    run = started()
    first = computed_reply(CORPUS, 2)
    for reply in (first, computed_reply(CORPUS, 3)):
        _, request_id = send(run)
        receive(run, numbered(reply, request_id))
    kept = run.example[: run.control[flight.EXAMPLE_OCTETS]].tobytes()
    assert kept[12:] == first[12:]


TTL = 0x1122_3344


def dns_reply():
    name = name_of(CORPUS.identifier(0), "idis.test")
    query = dns.message.make_query(name, "TXT", use_edns=0, payload=1232)
    reply = dns.message.make_response(query)
    reply.id = 0
    texts = [
        f'"idx={v.index};type={v.type};data={v.text}"'.replace("%", "%25")
        for v in CORPUS.values(0)
    ]
    reply.answer.append(dns.rrset.from_text(name, TTL, "IN", "TXT", *texts))
    reply.authority.append(
        dns.rrset.from_text("idis.test.", TTL, "IN", "NS", "ns-1.idis.test.")
    )
    return reply.to_wire()


def test_of_a_dns_reply_id_and_ttls_are_not_compared_and_all_else_is():
    of = load(protocol="dns", dns_zone="idis.test")
    reply = dns_reply()
    run = started(of, answers=[reply], items=1)
    found = re.finditer(TTL.to_bytes(4, "big"), reply)
    ttls = {octet for match in found for octet in range(*match.span())}
    assert len(ttls) == 4 * (len(CORPUS.values(0)) + 1)
    for octet in range(2, len(reply)):
        _, request_id = send(run)
        run.counters[:] = 0
        octets = bytearray(request_id.to_bytes(2, "big") + reply[2:])
        octets[octet] ^= 0x10
        receive(run, bytes(octets))
        assert counted(run, flight.ANSWERED) == 1
        assert (counted(run, flight.WRONG) == 0) == (octet in ttls), octet


def test_redis_replies_answer_in_the_order_of_the_requests():
    of = load(protocol="redis", transport="tcp")
    replies = [b"$3\r\none\r\n", b"$3\r\ntwo\r\n", b"$-1\r\n", b"-ERR no\r\n"]
    run = started(of, answers=[*replies[:2], b"$1\r\nx\r\n", b"$1\r\nx\r\n"])
    for _ in replies:
        send(run)
    for reply in replies:
        receive(run, reply)
    assert counted(run, flight.WRONG) == counted(run, flight.FAILED) == 2
    assert run.codes[:3].tolist() == [2, 1, 1]
    receive(run, replies[0])
    assert counted(run, flight.UNSOLICITED) == 1


@pytest.mark.parametrize(
    ("parts", "octets", "size"),
    [
        ({}, computed_reply(CORPUS, 0), len(computed_reply(CORPUS, 0))),
        ({"protocol": "dns", "dns_zone": "t", "transport": "tcp"}, b"\0\3abc", 5),
        ({"protocol": "redis", "transport": "tcp"}, b"$12\r\nhello, world\r\n", 19),
        ({"protocol": "redis", "transport": "tcp"}, b"$-1\r\n", 5),
        ({"protocol": "redis", "transport": "tcp"}, b"-ERR\r\n", 6),
    ],
)
def test_the_size_of_a_reply_is_known_from_its_beginning(parts, octets, size):
    run = started(load(**parts))
    buffer = np.frombuffer(octets + b"next", np.uint8).copy()
    measured = [_frame(run, buffer, 0, stop)[1] for stop in range(len(octets) + 1)]
    assert measured[0] == 0
    assert measured == sorted(measured)
    assert set(measured) <= {0, size}
    assert _frame(run, buffer, 0, len(buffer))[1] == size


# Words for what is wrong


def test_the_verifier_says_which_identifier_gave_which_code():
    message = decode_message(computed_reply(CORPUS, 7))
    header = message.header._replace(response_code=100, body_length=0)
    envelope = message.envelope._replace(length=28)
    reply = message._replace(envelope=envelope, header=header, body=b"").encode()
    verify = verifier_of(load())
    with pytest.raises(WrongReplyError, match=r"HANDLE_NOT_FOUND \(100\)") as caught:
        verify(7, reply)
    assert CORPUS.identifier(7) in str(caught.value)
    assert "bench.loading" in caught.value.hint


def test_the_verifier_says_which_value_differs():
    fault = fault_finder(load())
    other = Corpus(CORPUS.prefixes, CORPUS.count, seed=2)
    number = next(n for n in range(99) if other.values(n) != CORPUS.values(n))
    assert "expected, got" in fault(number, computed_reply(other, number))
    assert "the reply is for" in fault(0, computed_reply(CORPUS, 1))
    assert "malformed" in fault(0, computed_reply(CORPUS, 0)[:50])
    assert fault_finder(load(check="unverified"))(0, b"anything") == ""


def test_a_dns_reply_must_hold_a_record_for_each_value():
    fault = fault_finder(load(protocol="dns", dns_zone="idis.test"))
    assert fault(0, dns_reply()) == ""
    assert "TXT records" in fault(1, dns_reply())
    assert "malformed" in fault(0, b"\0" * 11)


def test_a_redis_reply_must_hold_the_list_of_values():
    fault = fault_finder(load(protocol="redis", transport="tcp"))
    octets = encode_values(CORPUS.values(0))
    assert fault(0, b"$%d\r\n%b\r\n" % (len(octets), octets)) == ""
    assert fault(0, b"$-1\r\n") == "$-1"
    assert "no list" in fault(0, b"$1\r\nx\r\n")


# Latencies


def test_latencies_are_counted_where_an_hdrhistogram_counts_them():
    made = HdrHistogram(1, flight.LARGEST_NS, 3)
    around = [1 << n for n in range(36)] + [999, 2047, 4095, 10**9, flight.LARGEST_NS]
    for value in {n + d for n in around for d in (-1, 0, 1)}:
        if 0 <= value <= flight.LARGEST_NS:
            assert flight.bucket_of(value) == made._counts_index_for(value), value


def test_a_latency_beyond_all_counts_as_the_longest():
    last = flight.bucket_of(flight.LARGEST_NS)
    assert flight.bucket_of(1 << 50) == last < flight.LATENCIES
    assert flight.bucket_of(-5) == 0


def test_percentiles_are_right_to_three_digits():
    counts = np.zeros(flight.LATENCIES, np.int64)
    for microseconds in range(1, 10_001):
        flight.record(counts, microseconds * 1000)
    found = summary_of(counts)
    assert found.p50_us == pytest.approx(5000, rel=0.001)
    assert found.p99_us == pytest.approx(9900, rel=0.001)
    assert found.p999_us == pytest.approx(9990, rel=0.001)
    assert found.max_us == pytest.approx(10_000, rel=0.001)
    assert found.mean_us == pytest.approx(5000, rel=0.001)


def test_the_exported_histogram_is_read_back_and_added():
    counts = np.zeros(flight.LATENCIES, np.int64)
    for nanoseconds in (5, 70_000, 70_000, 3_000_000):
        flight.record(counts, nanoseconds)
    text = summary_of(counts).histogram
    assert HdrHistogram.decode(text).total_count == 4
    both = merged([text, text])
    assert both.total_count == 8
    assert both.get_value_at_percentile(50) == histogram_of(
        counts
    ).get_value_at_percentile(50)


def test_nothing_counted_gives_zeros():
    found = summary_of(np.zeros(flight.LATENCIES, np.int64))
    assert found[:6] == (0.0,) * 6


# Loads


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_may_be_put_under_load(host):
    assert check_target(load(target=(host, 1)), told_twice=False)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "0.0.0.0"])
def test_whatever_is_not_loopback_needs_to_be_said_twice(host):
    with pytest.raises(SetupError, match="is not loopback: load is refused"):
        check_target(load(target=(host, 1)), told_twice=False)
    assert check_target(load(target=(host, 1)), told_twice=True) == host


def test_a_name_that_is_not_known_cannot_be_reached():
    with pytest.raises(UnreachableError, match=r"no\.such\.host\.invalid"):
        check_target(load(target=("no.such.host.invalid", 1)), told_twice=False)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"window": 0}, "window 0"),
        ({"window": 3, "connections": 4}, "window 3"),
        ({"connections": 0}, "0 connections"),
        ({"rate": 0}, "rate 0"),
        ({"seconds": 0}, "0 seconds"),
        ({"timeout": -1}, "timeout of -1"),
        ({"warm_up": -1}, "warm-up"),
        ({"queries": 0}, "0 queries"),
        ({"sequence": 0}, "a sequence of 0"),
        ({"protocol": "dns"}, "needs a zone"),
        ({"protocol": "redis"}, "speaks TCP"),
        (
            {"protocol": "dns", "dns_zone": "t", "check": "computed"},
            "cannot be computed",
        ),
    ],
)
def test_a_load_that_makes_no_sense_is_misuse(parts, text):
    with pytest.raises(SetupError, match=text):
        load(**parts)


def test_replies_are_computed_where_asking_would_spoil_what_is_measured():
    assert load().checked_by == "learned"
    assert load(distribution="each-once").checked_by == "computed"
    assert load(distribution="each-once", check="learned").checked_by == "learned"


def test_a_sequence_is_as_long_as_it_must_be():
    assert sequence_length(load(queries=500)) == 500
    assert sequence_length(load(sequence=7, queries=500)) == 7
    assert sequence_length(load(distribution="each-once")) == CORPUS.count


def test_preparing_without_asking_writes_and_computes_only_what_is_asked():
    of = load(distribution="each-once", queries=10, seed=3)
    prepared = prepare(of, "127.0.0.1")
    assert len(prepared.numbers) == len(prepared.questions) == 10
    assert sorted(prepared.sequence) == list(range(10))
    for item, number in enumerate(prepared.numbers):
        assert prepared.answers[item] == computed_reply(CORPUS, int(number))


def test_the_rate_counts_right_answers_only():
    outcome = Outcome(
        sent=110, answered=100, lost=10, wrong=20, failed=0, unsolicited=0,
        behind=0, early_faults=0, reconnects=0, seconds=2.0, codes={1: 100},
        histogram="", p50_us=0, p90_us=0, p99_us=0, p999_us=0, max_us=0, mean_us=0,
        generator_cpu=0.5,
    )  # fmt: skip
    assert outcome.qps == 40
    assert outcome.as_dict()["qps"] == 40
    json.dumps(outcome.as_dict())


# The command


@pytest.fixture
def ready(tmp_path):
    node = {"name": "n", "role": "enterprise", "prefixes": ["88.118.1"]}
    file = tmp_path / "ready.json"
    file.write_text(json.dumps({"nodes": [node], "recursive": {}}))
    return f"--ready-file={file}"


@pytest.mark.parametrize("flag", ["--json", "--allow-remote", "--i-own-this-target"])
def test_the_command_refuses_what_is_not_loopback(ready, capsys, flag):
    assert main(["192.0.2.1:2641", ready, flag]) == 2
    said = capsys.readouterr()
    assert "not loopback" in said.err
    assert "--allow-remote --i-own-this-target" in said.err
    assert said.out == ""


def test_the_command_says_what_a_target_looks_like(ready, capsys):
    assert main(["nonsense", ready]) == 2
    assert "HOST:PORT expected" in capsys.readouterr().err


def test_the_command_says_which_ready_file_is_not_there(tmp_path, capsys):
    assert main([f"--ready-file={tmp_path}/none.json"]) == 2
    said = capsys.readouterr().err
    assert "none.json: No such file" in said
    assert "idis up --ready-file" in said


def test_the_command_says_that_nothing_runs(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("IDIS_READY_FILE", str(tmp_path / "none.json"))
    assert main([]) == 3
    said = capsys.readouterr().err
    assert "no running network" in said
    assert "idis up" in said


def test_the_command_says_that_there_is_no_such_core(ready, capsys):
    assert main([ready, "--cpu=4095", "127.0.0.1:1"]) == 2
    assert "cores here" in capsys.readouterr().err
