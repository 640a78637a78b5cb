"""Octets to messages and back: a resolution and its answer, values, records."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from registry.model.identifier import canonical
from registry.model.new_values import read_checked
from registry.model.octets import Cursor
from registry.model.record import decode_record, encode_record, make_record
from registry.model.typed import Admin
from registry.model.value import (
    Value,
    decode_values,
    encode_values,
    read_values,
    smallest_ttl,
    spans,
)
from resolver.wire.codes import OpCode
from resolver.wire.envelope import Envelope
from resolver.wire.header import Header
from resolver.wire.message import build_message, decode_message
from resolver.wire.request import Resolution, decode_request
from resolver.wire.response import Values

NAME = b"88.100.1/SN-000001"
NOW = 1_700_000_000
VALUES = (
    Value(1, "URL", b"https://example.com/products/000001", timestamp=NOW),
    Value(2, "PRODUCT", b'{"name": "valve", "batch": "20240101"}', timestamp=NOW),
    Value(3, "EMAIL", b"quality@example.com", timestamp=NOW),
    Value(100, "HS_ADMIN", Admin(0xFFF, "88.100.1/ADMIN", 300).encode(), timestamp=NOW),
)
OCTETS = encode_values(VALUES)
ENVELOPE = Envelope(2, 10, 2, 11, 0, 1, 0, 0)
HEADER = Header(OpCode.RESOLUTION, 0, 0x1900_0000, 0xFFFF, 0, 0, NOW, 0)
QUESTION = Resolution(NAME, token=b"")
REQUEST = build_message(ENVELOPE, HEADER, QUESTION.encode()).encode()
ANSWER = Values(NAME, VALUES)
RESPONSE = build_message(ENVELOPE, HEADER, ANSWER.encode()).encode()
RECORD = make_record(NAME, 7, VALUES)
STORED = encode_record(RECORD, named=False)


def read_request(octets: bytes) -> object:
    message = decode_message(octets)
    return decode_request(message.header.opcode, message.body)


def read_response(octets: bytes) -> object:
    cursor = Cursor(decode_message(octets).body)
    return cursor.blob(), read_values(cursor)


def test_read_a_resolution_request(benchmark: BenchmarkFixture) -> None:
    assert benchmark(read_request, REQUEST) == QUESTION


def test_write_a_resolution_request(benchmark: BenchmarkFixture) -> None:
    def write() -> bytes:
        return build_message(ENVELOPE, HEADER, QUESTION.encode()).encode()

    assert benchmark(write) == REQUEST


def test_read_a_resolution_response(benchmark: BenchmarkFixture) -> None:
    assert benchmark(read_response, RESPONSE) == (NAME, VALUES)


def test_write_a_resolution_response(benchmark: BenchmarkFixture) -> None:
    def write() -> bytes:
        return build_message(ENVELOPE, HEADER, ANSWER.encode()).encode()

    assert benchmark(write) == RESPONSE


def test_read_four_values(benchmark: BenchmarkFixture) -> None:
    assert benchmark(decode_values, OCTETS) == VALUES


def test_write_four_values(benchmark: BenchmarkFixture) -> None:
    assert benchmark(encode_values, VALUES) == OCTETS


def test_recognise_four_values_to_be_written(benchmark: BenchmarkFixture) -> None:
    assert benchmark(read_checked, OCTETS) == VALUES


def test_stamp_four_values_to_be_written(benchmark: BenchmarkFixture) -> None:
    checked = read_checked(OCTETS)
    assert checked is not None
    assert benchmark(checked.stamped, NOW) == OCTETS


def test_walk_four_values(benchmark: BenchmarkFixture) -> None:
    found = benchmark(lambda: list(spans(OCTETS)))
    assert [span.index for span in found] == [value.index for value in VALUES]


def test_smallest_ttl_of_four_values(benchmark: BenchmarkFixture) -> None:
    assert benchmark(smallest_ttl, OCTETS, NOW) == VALUES[0].ttl


def test_read_a_stored_record(benchmark: BenchmarkFixture) -> None:
    assert benchmark(decode_record, STORED, NAME) == RECORD


def test_write_a_stored_record(benchmark: BenchmarkFixture) -> None:
    assert benchmark(encode_record, RECORD, named=False) == STORED


@pytest.mark.parametrize("octets", [b"88.100.1/sn-000001", "88.100.1/阀门".encode()])
def test_canonical_name(benchmark: BenchmarkFixture, octets: bytes) -> None:
    assert benchmark(canonical, octets) == octets.upper()
