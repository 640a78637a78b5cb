"""Every recorded message decodes and encodes to the same octets."""

import pytest

from resolver.wire.credential import decode_credential
from resolver.wire.message import Message, build_message, decode_message
from resolver.wire.request import KNOWN_OPERATIONS, decode_request
from resolver.wire.response import decode_response
from tests.vectors.read import golden_pairs, sdk_requests

PAIRS = golden_pairs()
LINES = sdk_requests()


def test_all_recorded_traffic_is_there():
    assert len(PAIRS) == 29
    assert len(LINES) == 28


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_a_recorded_request_encodes_to_itself(pair):
    message = decode_message(pair.request)
    assert message.encode() == pair.request
    if message.header.opcode not in KNOWN_OPERATIONS:
        assert pair.name == "unknown opcode 999"
        return
    body = decode_request(message.header.opcode, message.body)
    assert rebuilt(message, body.encode()) == pair.request


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_a_recorded_response_encodes_to_itself(pair):
    message = decode_message(pair.response)
    body = decode_response(message)
    assert rebuilt(message, body.encode()) == pair.response
    assert message.header.response_code == pair.code


def test_the_recorded_signature_encodes_to_itself():
    (pair,) = [pair for pair in PAIRS if pair.name == "resolve all RRDG CERT"]
    octets = decode_message(pair.response).credential
    credential = decode_credential(octets)
    assert credential.type == "HS_SIGNED"
    assert len(credential.signature) == 256
    assert credential.encode() == octets


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_a_request_of_the_official_sdk_encodes_to_itself(line):
    message = decode_message(line.octets)
    body = decode_request(message.header.opcode, message.body)
    assert rebuilt(message, body.encode()) == line.octets


def rebuilt(message: Message, body: bytes) -> bytes:
    return build_message(
        message.envelope, message.header, body, message.credential
    ).encode()
