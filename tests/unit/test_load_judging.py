"""Each answer is checked: right, an error, or right for another question."""

import json

import dns.message
import dns.name
import dns.rrset
import pytest
from hypothesis import given, strategies as st

from registry.model.value import Value
from resolver.load import failures
from resolver.load.failures import Failure
from resolver.load.judging import of_api, of_dns, of_handle
from resolver.session.draft import QUERY_FLAGS, Draft
from resolver.wire.codes import OpCode
from resolver.wire.message import Message
from resolver.wire.response import Failure as Refusal, Values

NAME = "88.118.7/SN1"
URL = Value(1, "URL", b"https://example.org/1")
GOOD = (1,)


def answer(code, body) -> Message:
    asked = Draft(OpCode.RESOLUTION, body, QUERY_FLAGS).message(7, 0)
    return asked._replace(header=asked.header._replace(response_code=code))


def kind(failure):
    return None if failure is None else failure.kind


@pytest.mark.parametrize(
    ("code", "body", "expect", "expected"),
    [
        (1, Values(NAME.encode(), (URL,)).encode(), GOOD, None),
        (1, Values(NAME.lower().encode(), (URL,)).encode(), GOOD, None),
        (1, Values(b"88.118.7/SN2", (URL,)).encode(), GOOD, "another identifier"),
        (1, Values(NAME.encode(), ()).encode(), GOOD, "no values"),
        (1, b"", GOOD, "another identifier"),
        (1, Values(NAME.encode(), ()).encode()[:-2], GOOD, "breaks the protocol"),
        (100, Refusal("").encode(), GOOD, "code 100 HANDLE_NOT_FOUND"),
        (100, Refusal("").encode(), (100,), None),
        (1, Values(NAME.encode(), (URL,)).encode(), (100,), "code 1 SUCCESS"),
        (3, b"", GOOD, "code 3 SERVER_TOO_BUSY"),
    ],
)
def test_an_answer_over_the_handle_protocol_is_judged(code, body, expect, expected):
    found = kind(of_handle(answer(code, body), NAME, expect))
    assert found is None if expected is None else expected in found


@given(st.integers(0, 1 << 32 - 1), st.binary(max_size=64))
def test_any_body_is_judged_somehow(code, body):
    found = of_handle(answer(code, body), NAME, GOOD)
    assert found is None or isinstance(found, Failure)


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (200, {"responseCode": 1, "handle": NAME, "values": [{}]}, None),
        (200, {"responseCode": 1, "handle": NAME.lower(), "values": [{}]}, None),
        (200, {"responseCode": 1, "handle": NAME, "values": []}, "no values"),
        (200, {"responseCode": 1, "handle": "88/x"}, "another identifier"),
        (404, {"responseCode": 100, "handle": NAME}, "code 100 HANDLE_NOT_FOUND"),
        (503, {"detail": "no"}, "HTTP 503"),
        (302, None, "HTTP 302"),
        (200, [1], "HTTP 200"),
    ],
)
def test_an_answer_of_the_api_is_judged(status, content, expected):
    octets = b"" if content is None else json.dumps(content).encode()
    found = kind(of_api(status, octets, NAME, GOOD))
    assert found is None if expected is None else expected in found


@given(st.integers(100, 599), st.binary(max_size=64))
def test_any_content_is_judged_somehow(status, content):
    assert isinstance(of_api(status, content, NAME, GOOD), Failure)


OWNER = "sn1.7.118.88.idis.test."
QUERY = dns.message.make_query(OWNER, "TXT", use_edns=0, id=7)


def reply(rcode=0, *, records=True, name=None):
    made = dns.message.make_response(dns.message.from_wire(QUERY.to_wire()))
    made.set_rcode(rcode)
    if name is not None:
        made.question[0].name = dns.name.from_text(name)
    if records:
        made.answer.append(dns.rrset.from_text(OWNER, 60, "IN", "TXT", '"x"'))
    return made.to_wire()


@pytest.mark.parametrize(
    ("octets", "expect", "expected"),
    [
        (reply(), (0,), None),
        (reply(name="SN1.7.118.88.idis.test."), (0,), None),
        (reply(records=False), (0,), "no records"),
        (reply(3, records=False), (0,), "rcode NXDOMAIN"),
        (reply(3, records=False), (3,), None),
        (reply(name="sn2.7.118.88.idis.test."), (0,), "another question"),
        (QUERY.to_wire(), (0,), failures.BAD_ANSWER),
        (reply()[:20], (0,), failures.BAD_ANSWER),
    ],
    ids=["good", "case", "empty", "not-there", "expected", "other", "query", "short"],
)
def test_a_reply_of_the_dns_face_is_judged(octets, expect, expected):
    found = kind(of_dns(octets, QUERY.to_wire(), expect))
    assert found is None if expected is None else expected in found


@given(st.binary(max_size=600))
def test_any_reply_is_judged_somehow(octets):
    found = of_dns(octets, QUERY.to_wire(), (0,))
    assert found is None or isinstance(found, Failure)


def test_an_rcode_without_a_name_keeps_its_number():
    octets = bytearray(reply(records=False))
    octets[3] |= 0x0D
    assert kind(of_dns(bytes(octets), QUERY.to_wire(), (0,))) == "rcode 13"
