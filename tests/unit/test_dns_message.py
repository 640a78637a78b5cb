"""Queries in, replies out, octet by octet and as dnspython reads them."""

import struct

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import pytest
from dns.edns import EDECode
from dns.rcode import Rcode
from dns.rdatatype import RdataType
from hypothesis import example, given, settings, strategies as st

from resolver.dns.message import (
    MAX_UDP_OCTETS,
    Answer,
    Explanation,
    Query,
    QueryError,
    Record,
    is_query,
    read_query,
    refuse,
    write_reply,
)
from resolver.dns.stream import Framer, frame

NAME = "Sn0001.7.118.88.IDIS.test."
OWNER = dns.name.from_text(NAME).canonicalize().to_wire()
ZONE = dns.name.from_text("idis.test.").to_wire()
A = Record(OWNER, RdataType.A, 60, b"\x7f\0\0\1")


def asked(name=NAME, kind="TXT", **options):
    return dns.message.make_query(name, kind, **options)


def query_of(message) -> Query:
    return read_query(message.to_wire())


def replied(message, answer, largest=65535):
    octets = write_reply(query_of(message), answer, largest)
    reply = dns.message.from_wire(octets)
    assert message.is_response(reply)
    return reply


def test_a_query_is_read_as_it_was_written():
    message = asked(use_edns=0, payload=4096)
    query = query_of(message)
    assert query.id == message.id
    assert query.type == RdataType.TXT
    assert query.klass == 1
    assert query.name == OWNER
    assert query.payload == 4096
    assert query.question == message.to_wire()[12 : 12 + len(OWNER) + 4]


@pytest.mark.parametrize(
    ("options", "largest"),
    [
        ({}, 512),
        ({"use_edns": 0, "payload": 0}, 512),
        ({"use_edns": 0, "payload": 600}, 600),
        ({"use_edns": 0, "payload": 4096}, MAX_UDP_OCTETS),
    ],
)
def test_a_reply_by_udp_is_as_long_as_both_sides_take(options, largest):
    assert query_of(asked(**options)).largest(MAX_UDP_OCTETS) == largest


def test_the_question_comes_back_with_the_case_it_had():
    reply = write_reply(query_of(asked()), Answer(answers=(A,)), 512)
    assert dns.name.from_text(NAME).to_wire() in reply


def test_names_of_records_point_into_the_question_or_are_spelled_out():
    elsewhere = Record(b"\x01a\x04test\0", RdataType.A, 60, b"\x7f\0\0\1")
    soa = Record(ZONE, RdataType.TXT, 60, b"\x01x")
    reply = write_reply(query_of(asked()), Answer(answers=(A, soa, elsewhere)), 512)
    records = reply[12 + len(OWNER) + 4 :]
    assert records[:2] == b"\xc0\x0c"
    assert records[16:18] == struct.pack("!H", 0xC000 | 12 + len(OWNER) - len(ZONE))
    names = [rrset.name.to_text() for rrset in dns.message.from_wire(reply).answer]
    assert names == [NAME, "IDIS.test.", "a.test."]


def test_a_name_that_only_ends_alike_is_spelled_out():
    query = query_of(asked("xidis.test."))
    record = Record(ZONE, RdataType.A, 60, b"\x7f\0\0\1")
    reply = dns.message.from_wire(write_reply(query, Answer(answers=(record,)), 512))
    assert reply.answer[0].name.to_text() == "idis.test."


@pytest.mark.parametrize("answer", [Answer(), Answer(Rcode.NXDOMAIN, (), (A,))])
def test_the_same_query_gets_the_same_octets_but_for_its_id(answer):
    first, second = asked(id=1), asked(id=2)
    replies = [
        write_reply(query_of(message), answer, 512) for message in (first, second)
    ]
    assert replies[0][2:] == replies[1][2:]
    assert replies[0][:2] != replies[1][:2]


def test_rd_and_cd_come_back_and_no_other_flag():
    message = asked()
    message.flags = dns.flags.RD | dns.flags.CD | dns.flags.AD | dns.flags.RA | 0x40
    reply = replied(message, Answer(authoritative=True))
    assert reply.flags == dns.flags.QR | dns.flags.AA | dns.flags.RD | dns.flags.CD


def test_edns_is_answered_with_edns_without_do_and_options():
    cookie = dns.edns.GenericOption(10, b"12345678")
    message = asked(use_edns=0, want_dnssec=True, options=[cookie], payload=4096)
    reply = replied(message, Answer())
    assert (reply.edns, reply.payload, reply.ednsflags) == (0, MAX_UDP_OCTETS, 0)
    assert reply.options == ()
    assert replied(asked(), Answer()).edns == -1


def test_an_explanation_goes_to_those_who_speak_edns():
    answer = Answer(Rcode.REFUSED, explanation=Explanation(EDECode.OTHER, "why 为什么"))
    (option,) = replied(asked(use_edns=0), answer).extended_errors()
    assert (option.code, option.text) == (EDECode.OTHER, "why 为什么")
    assert replied(asked(), answer).extended_errors() == []


def test_a_long_explanation_is_cut_between_characters():
    answer = Answer(explanation=Explanation(EDECode.OTHER, "为" * 100))
    (option,) = replied(asked(use_edns=0), answer).extended_errors()
    assert option.text == "为" * 66


def test_an_rcode_above_15_needs_edns():
    reply = replied(asked(use_edns=0), Answer(Rcode.BADVERS))
    assert reply.rcode() == dns.rcode.BADVERS


def test_what_is_too_long_is_truncated_to_question_and_opt():
    record = Record(OWNER, RdataType.TXT, 60, b"\xff" + b"x" * 255)
    message = asked(use_edns=0, payload=512)
    reply = replied(message, Answer(answers=(record,) * 3, authoritative=True), 512)
    assert reply.flags & dns.flags.TC
    assert reply.flags & dns.flags.AA
    assert (reply.answer, reply.edns) == ([], 0)
    assert not replied(message, Answer(answers=(record,)), 512).flags & dns.flags.TC


def test_an_explanation_gives_way_to_records():
    record = Record(OWNER, RdataType.TXT, 60, b"\xff" + b"x" * 255)
    why = Explanation(EDECode.OTHER, "y" * 200)
    reply = replied(asked(use_edns=0), Answer(answers=(record,), explanation=why), 400)
    assert reply.answer
    assert reply.extended_errors() == []


def header(flags=0, questions=1, answers=0, authorities=0, additional=0):
    return struct.pack("!HHHHHH", 7, flags, questions, answers, authorities, additional)


QUESTION = OWNER + b"\0\x10\0\1"
OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
TSIG = b"\0\0\xfa\0\xff\0\0\0\0\0\0"


@pytest.mark.parametrize(
    ("octets", "rcode"),
    [
        (header(0x2000) + QUESTION, Rcode.NOTIMP),
        (header(0x2800) + QUESTION, Rcode.NOTIMP),
        (header(0x7800), Rcode.NOTIMP),
        (header(questions=0), Rcode.FORMERR),
        (header(questions=2) + QUESTION * 2, Rcode.FORMERR),
        (header(0x0200) + QUESTION, Rcode.FORMERR),
        (header() + QUESTION[:-1], Rcode.FORMERR),
        (header() + QUESTION + b"\0", Rcode.FORMERR),
        (header() + b"\xc0\x0c\0\x10\0\1", Rcode.FORMERR),
        (header() + b"\x40a\0\0\x10\0\1", Rcode.FORMERR),
        (header() + b"\x01a" * 200 + b"\0\0\x10\0\1", Rcode.FORMERR),
        (header() + b"\x05a", Rcode.FORMERR),
        (header(additional=1) + QUESTION, Rcode.FORMERR),
        (header(additional=2) + QUESTION + OPT * 2, Rcode.FORMERR),
        (header(additional=1) + QUESTION + b"\1a" + OPT, Rcode.FORMERR),
        (header(additional=1) + QUESTION + OPT[:-1] + b"\3\0\1\0", Rcode.FORMERR),
        (header(additional=1) + QUESTION + OPT[:-1] + b"\4\0\1\0\1", Rcode.FORMERR),
        (header(additional=1) + QUESTION + OPT[:-1] + b"\1", Rcode.FORMERR),
        (header(additional=1) + QUESTION + OPT[:-3], Rcode.FORMERR),
        (header(answers=17) + QUESTION, Rcode.FORMERR),
        (header(additional=2) + QUESTION + OPT + TSIG, Rcode.NOTAUTH),
    ],
)
def test_what_breaks_the_layout_is_told_so(octets, rcode):
    assert is_query(octets)
    with pytest.raises(QueryError) as caught:
        read_query(octets)
    assert caught.value.rcode == rcode
    reply = dns.message.from_wire(refuse(octets, rcode), ignore_trailing=True)
    assert (reply.id, reply.rcode(), reply.question) == (7, rcode, [])
    assert reply.opcode() == (octets[2] >> 3) & 0xF


def test_records_that_mean_nothing_here_are_passed_over():
    record = b"\xc0\x0c\0\6\0\1\0\0\0\0\0\2ab"
    octets = header(authorities=1, additional=1) + QUESTION + record + OPT
    assert read_query(octets).payload == 1232


def test_responses_and_scraps_are_no_queries():
    assert not is_query(header(0x8000) + QUESTION)
    assert not is_query(header()[:11])
    assert not is_query(b"")


WHOLE = header(additional=1) + QUESTION + OPT


@given(st.binary(min_size=12, max_size=80) | st.binary(max_size=60).map(WHOLE.__add__))
@example(WHOLE)
@settings(max_examples=500)
def test_any_octets_are_a_query_or_refused(octets):
    if not is_query(octets):
        return
    try:
        query = read_query(octets)
    except QueryError as error:
        dns.message.from_wire(refuse(octets, error.rcode))
        return
    reply = dns.message.from_wire(write_reply(query, Answer(), 512))
    assert reply.to_wire()[:2] == octets[:2]


@given(st.lists(st.binary(max_size=300), max_size=5), st.data())
def test_a_stream_gives_the_messages_whatever_its_pieces(messages, data):
    octets = b"".join(map(frame, messages))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=6)))
    framer, came = Framer(), []
    for start, stop in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        came += framer.receive(octets[start:stop])
    assert came == messages
    assert framer.kept == 0


def test_an_incomplete_message_is_held_back():
    framer = Framer()
    assert framer.receive(b"\0\3ab") == []
    assert framer.kept == 4
    assert framer.receive(b"c\0") == [b"abc"]
    assert framer.kept == 1
