"""Readers of the recorded traffic."""

import re
import struct
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent


class Pair(NamedTuple):
    name: str
    request: bytes
    response: bytes
    code: int


class Line(NamedTuple):
    name: str
    octets: bytes


def golden_pairs() -> list[Pair]:
    text = (HERE / "handle-golden.txt").read_text()
    pattern = re.compile(
        r"^(\S.*?) *\n +REQ (\w+) *\n +RSP oc=\d+ rc=(\d+) \S+ (\w+)", re.MULTILINE
    )
    return [
        Pair(name, bytes.fromhex(request), bytes.fromhex(response), int(code))
        for name, request, code, response in pattern.findall(text)
    ]


def sdk_requests() -> list[Line]:
    lines = (HERE / "sdk-requests.txt").read_text().splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return [_sdk_request(number, *row) for number, row in enumerate(rows)]


def _sdk_request(
    number: int, opcode: str, flags: str, session: str, body: str, credential: str
) -> Line:
    octets = bytes.fromhex(body)
    tail = b"" if credential == "-" else bytes.fromhex(credential)
    header = struct.pack(
        "!IIIHBBII",
        int(opcode),
        0,
        int(flags, 16),
        0xFFFF,
        0,
        0,
        0x66000000,
        len(octets),
    )
    message = header + octets + tail
    session_id = 10001 if session == "1" else 0
    envelope = struct.pack(
        "!BBBBIIII", 2, 10, 2, 11, session_id, number + 1, 0, len(message)
    )
    return Line(f"{number}-{opcode}", envelope + message)
