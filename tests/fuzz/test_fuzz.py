"""Nonsense thrown at the live ports: the node goes on answering and does not grow.

Rounds are seeded, so that one that fails can be run again.
"""

import os
import random
import struct

import psutil
import pytest

from registry.journal import Operation
from resolver.faces.handle_udp import MAX_REMEMBERED
from resolver.session.challenge import MAX_PENDING
from resolver.session.fragments import MAX_PARTIALS, split
from resolver.wire.message import decode_message
from resolver.wire.request import KNOWN_OPERATIONS
from resolver.wire.response import decode_response
from tests.e2e.native import (
    PRODUCT,
    code_of,
    datagrams,
    resolve,
    serve_seeded,
    talk,
    until,
    write,
)
from tests.vectors.read import golden_pairs, sdk_requests

ROUNDS = 40
SOAK_ROUNDS = int(os.environ.get("IDIS_FUZZ_ROUNDS", "2000"))
DATAGRAMS, BATCH, BATCHES = 200, 20, 10
GROWTH_OCTETS = 64 << 20
VECTORS = [
    *(pair.request for pair in golden_pairs()),
    *(pair.response for pair in golden_pairs()),
    *(line.octets for line in sdk_requests()),
]
NUMBERS = (0, 1, 4, 0xFF, 0x400, 0xFFFF, 0x4_0000, 0x7FFF_FFFF, 0xFFFF_FFFF)


@pytest.fixture(params=[True, False], ids=["secured", "open"])
async def node(request, tmp_path):
    async with serve_seeded(tmp_path, authentication=request.param) as node:
        await write(node, Operation.HOME, "88.888.1024")
        yield node
        assert node.telemetry.internal_errors == 0


async def test_a_node_survives_nonsense(node):
    await survive(node, ROUNDS)


@pytest.mark.soak
@pytest.mark.timeout(10 * SOAK_ROUNDS)
async def test_a_node_survives_much_nonsense(node):
    await survive(node, SOAK_ROUNDS)


async def survive(node, rounds: int) -> None:
    await fuzz(node, random.Random("warm"))
    process = psutil.Process()
    before = process.memory_info().rss
    for number in range(rounds):
        await fuzz(node, random.Random(number))
        await check_alive(node)
    assert process.memory_info().rss - before < GROWTH_OCTETS
    assert node.telemetry.malformed > rounds


async def fuzz(node, chance: random.Random) -> None:
    port = node.handle.port
    await fuzz_udp(port, chance)
    for _ in range(BATCHES):
        await fuzz_framed(port, chance)
        await fuzz_unframed(port, chance)


async def check_alive(node) -> None:
    async with talk(node.handle.port) as client:
        assert code_of(await client.ask(resolve(PRODUCT))) == 1
    face = node._tcp
    await until(lambda: not face.connections and not face.waiting)
    assert face.incomplete_octets == 0
    assert len(node.responder.challenges) <= MAX_PENDING
    udp = node._datagrams
    await until(lambda: not udp._waiting)
    assert len(udp._reassembler._partials) <= MAX_PARTIALS
    assert len(udp._remembered) <= MAX_REMEMBERED + 1


async def fuzz_udp(port: int, chance: random.Random) -> None:
    """Send datagrams and whole messages in pieces; ask something now and then."""
    async with datagrams(port) as flood, datagrams(port) as client:
        for number in range(DATAGRAMS):
            octets = accident(chance)
            if chance.random() < 0.5 and len(octets) >= 20:
                pieces = split(refitted(octets + bytes(chance.randrange(3000))))
                chance.shuffle(pieces)
                await flood.send(*pieces)
            else:
                await flood.send(octets[:1400])
            if number % 10 == 0:
                assert code_of(await client.ask(resolve(PRODUCT))) == 1


async def fuzz_framed(port: int, chance: random.Random) -> None:
    """Send messages whose ends are right; what comes after them must be answered."""
    asked = resolve(PRODUCT)
    async with talk(port) as client:
        client.send(*(refitted(accident(chance)) for _ in range(BATCH)), asked)
        while True:
            answer = await client.receive()
            decode_response(answer)
            if answer.envelope.request_id == asked.envelope.request_id:
                break
        assert code_of(answer) == 1


async def fuzz_unframed(port: int, chance: random.Random) -> None:
    """Send what may never end; the node must take it or close the connection."""
    async with talk(port) as client:
        client.send(b"".join(accident(chance) for _ in range(BATCH)))
        if chance.random() < 0.5:
            client.writer.write_eof()
            await client.ended()


def accident(chance: random.Random) -> bytes:
    """Make a message nobody meant: a recorded one after accidents, or chance alone."""
    if chance.random() < 0.1:
        return chance.randbytes(chance.randrange(1, 400))
    octets = bytearray(chance.choice(VECTORS))
    for _ in range(chance.randrange(1, 5)):
        harm(octets, chance)
    return bytes(octets) or b"\0"


def harm(octets: bytearray, chance: random.Random) -> None:
    position = chance.randrange(len(octets) + 1)
    match chance.randrange(6):
        case 0 if position < len(octets):
            octets[position] ^= 1 << chance.randrange(8)
        case 1:
            del octets[position:]
        case 2:
            octets[position:position] = chance.randbytes(chance.randrange(24))
        case 3:
            other = chance.choice(VECTORS)
            octets[position:] = other[chance.randrange(len(other)) :]
        case 4:
            octets[position : position + 4] = struct.pack("!I", chance.choice(NUMBERS))
        case _:
            opcode = chance.choice(sorted(KNOWN_OPERATIONS))
            octets[20:28] = struct.pack("!II", opcode, 0)


def refitted(octets: bytes) -> bytes:
    """Make the envelope whole and its length right."""
    whole = octets.ljust(20, b"\0")
    return whole[:16] + struct.pack("!I", len(whole) - 20) + whole[20:]


def test_accidents_reach_every_operation_and_leave_some_messages_whole():
    chance = random.Random(0)
    reached, whole = set(), 0
    for _ in range(20_000):
        octets = refitted(accident(chance))
        reached.add(int.from_bytes(octets[20:24], "big"))
        try:
            decode_message(octets)
        except ValueError:
            continue
        whole += 1
    assert reached >= KNOWN_OPERATIONS
    assert whole > 2000
