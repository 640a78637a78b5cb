"""DNS from the packet cache: the same octets as from the node itself."""

import itertools
import random
import time

import dns.flags
import dns.message
import pytest
from dns.rcode import Rcode

pytest.importorskip("numba", exc_type=ImportError)

from registry.model.value import Value
from resolver.dns.names import name_of
from resolver.dns.ons import ons_name
from resolver.faces.dns_answering import DnsReply
from resolver.fastpath.preparing import compile_here
from tests.e2e.fast_nodes import udp_client
from tests.e2e.networks import HOSTED, register, running
from tests.packet_caches import check_packets

# Kernels may have to be compiled first.
pytestmark = pytest.mark.timeout(120)

SEEDED = name_of(HOSTED)
PALLET = "095211803000000014"
ZONES = ("idis.test", "example.com=88.118.7/DNS")


@pytest.fixture(scope="module", autouse=True)
def kernels():
    """Compile them before anybody waits for an answer."""
    compile_here()


@pytest.fixture
async def network(keys):
    async with running(keys, fast_path=True, dns_zones=ZONES) as network:
        network.start_fast_path(lambda line: None)
        await network._quickening
        host = network.node_of("88.118.7")
        for identifier, values in RECORDS.items():
            await register(host, identifier, *values)
        yield network
        assert network.recursive.telemetry.internal_errors == 0
        check_packets(network._engine._packets)


RECORDS = {
    "88.118.7/Straße": (Value(1, "URL", b"https://example.com/a"),),
    "88.118.7/long": tuple(Value(n, "NAME", b"x" * 200) for n in range(1, 5)),
    "88.118.7/nothing": (Value(1, "SECRET", b"x", permissions=0x0C),),
}
NAMES = [
    *map(name_of, (HOSTED, *RECORDS, "88.118.7/absent", "88.118.1/SN0001")),
    f"_hdl._tcp.{SEEDED}",
    "88.idis.test.",
    "118.88.idis.test.",
    "idis.test.",
    "x.idis.test.",
    "9.118.88.idis.test.",
    "nobody.example.com.",
    "example.com.",
    "elsewhere.test.",
    ".",
    *map(
        ons_name, ("||gtin|9521180300014", "||gtin|9521180399995", f"||sscc|{PALLET}")
    ),
    "3.0.8.1.1.2.5.9.gtin.gs1.id.onsepc.com.",
    "www.onsepc.com.",
    "onsepc.com.",
    "1.7.118.999.2.oid-res.org.",
    "ors-dummy.7.118.999.2.oid-res.org.",
    "9.7.118.999.2.oid-res.org.",
    "7.118.example.oid-res.org.",
    "118.999.2.oid-res.org.",
    "840.1.oid-res.org.",
    "iso.oid-res.org.",
]
KINDS = ["TXT", "URI", "NAPTR", "A", "AAAA", "SOA", "NS", "ANY"]
EDNS = [
    {},
    {"use_edns": 0, "payload": 512},
    {"use_edns": 0, "payload": 1232},
    {"use_edns": 0, "payload": 4096},
    {"use_edns": 0, "payload": 1232, "ednsflags": dns.flags.DO},
]


def fixed(name: str, kind: str, flags: int = dns.flags.RD, **edns) -> bytes:
    message = dns.message.make_query(name, kind, flags=flags, id=7, **edns)
    return message.to_wire()


def slow_answer(network, octets: bytes) -> bytes | None:
    """Answer by the node itself, without telling the packet cache or the counters."""
    node = network.recursive
    telemetry = node.telemetry
    kept = (
        telemetry.dns_requests.copy(),
        telemetry.dns_answers.copy(),
        telemetry.cache_hits,
        telemetry.resolutions,
    )
    answering = node.dns_face.datagrams._answering
    now = time.time()  # noqa: TID251 (as the face takes it)
    reply = answering.receive(octets, "test", now)
    telemetry.dns_requests, telemetry.dns_answers = kept[:2]
    telemetry.cache_hits, telemetry.resolutions = kept[2:]
    if isinstance(reply, DnsReply):
        return reply.octets
    assert reply is not None
    reply.close()
    return None


def respelled(octets: bytes, chance: random.Random) -> bytes:
    """Ask the same in other letters and under another id."""
    name_end = 12
    while octets[name_end]:
        name_end += 1 + octets[name_end]
    name = bytearray(octets[12:name_end])
    for at, octet in enumerate(name):
        if chr(octet).isalpha() and octet < 0x80 and chance.random() < 0.5:
            name[at] ^= 0x20
    return chance.randbytes(2) + octets[2:12] + name + octets[name_end:]


async def test_replies_are_the_same_octets_from_the_cache(network):
    chance = random.Random(5)
    fast = network.recursive.fast_dns
    queries = [
        fixed(name, kind, **edns)
        for name, kind, edns in itertools.product(NAMES, KINDS, EDNS)
    ]
    kept = 0
    async with udp_client(network.recursive.dns.port) as ask:
        for octets in queries:
            for _ in range(3):
                await ask(octets)
            before = fast.counts().hits
            for asked in (octets, respelled(octets, chance), respelled(octets, chance)):
                got = await ask(asked)
                expected = slow_answer(network, asked)
                if expected is not None:
                    assert got == expected, asked
            kept += fast.counts().hits > before
    assert kept > len(NAMES) * 4


@pytest.mark.parametrize("flags", [0, dns.flags.RD, dns.flags.CD, dns.flags.AD])
async def test_flags_of_a_query_come_back_as_the_node_gives_them(network, flags):
    octets = fixed(SEEDED, "TXT", flags)
    async with udp_client(network.recursive.dns.port) as ask:
        for _ in range(5):
            got = await ask(octets)
        assert network.recursive.fast_dns.counts().hits > 0
        assert got == slow_answer(network, octets)


async def test_a_reply_that_does_not_fit_is_truncated_from_the_cache_too(network):
    octets = fixed(name_of("88.118.7/long"), "TXT")
    async with udp_client(network.recursive.dns.port) as ask:
        for _ in range(6):
            reply = dns.message.from_wire(await ask(octets))
            assert reply.flags & dns.flags.TC
        assert network.recursive.fast_dns.counts().hits > 0
        longer = fixed(name_of("88.118.7/long"), "TXT", use_edns=0, payload=1232)
        for _ in range(6):
            reply = dns.message.from_wire(await ask(longer))
            assert not reply.flags & dns.flags.TC
            assert len(reply.answer[0]) == 4


async def test_what_is_no_plain_query_goes_the_long_way(network):
    octets = fixed(SEEDED, "TXT")
    strange = [
        b"",
        b"x",
        octets[:11],
        octets[:-1],
        octets + b"\0",
        octets[:2] + b"\x80" + octets[3:],
        octets[:4] + b"\0\2" + octets[6:],
        fixed(SEEDED, "TXT", use_edns=1),
    ]
    async with udp_client(network.recursive.dns.port) as ask:
        for _ in range(4):
            await ask(octets)
        hits = network.recursive.fast_dns.counts().hits
        assert hits > 0
        for broken in strange:
            await ask(broken, answered=False)
        await ask(octets)
        assert network.recursive.fast_dns.counts().hits == hits + 1


async def test_hits_count_like_any_query(network):
    telemetry = network.recursive.telemetry
    asked = {"TXT": 9, "URI": 7, "NAPTR": 6, "A": 5, "AAAA": 4}
    missing = name_of("88.118.7/absent")
    async with udp_client(network.recursive.dns.port) as ask:
        for kind, count in asked.items():
            for _ in range(count):
                await ask(fixed(SEEDED, kind))
                await ask(fixed(missing, kind))
    telemetry.update()
    counted = {kind: telemetry.dns_requests["dns-udp", kind] for kind in asked}
    assert counted == {kind: 2 * count for kind, count in asked.items()}
    total = sum(asked.values())
    assert telemetry.dns_answers["NOERROR"] == total
    assert telemetry.dns_answers["NXDOMAIN"] == total
    assert network.recursive.fast_dns.counts().hits > total / 2


async def test_a_reply_lasts_no_longer_than_the_node_remembers(network):
    host = network.node_of("88.118.7")
    name = name_of("88.118.7/brief")
    await register(host, "88.118.7/brief", Value(1, "NAME", b"one", ttl=0))
    async with udp_client(network.recursive.dns.port) as ask:
        for number in range(10):
            value = Value(1, "NAME", b"%d" % number, ttl=0)
            await register(host, "88.118.7/brief", value, overwrite=True)
            for _ in range(3):
                reply = dns.message.from_wire(await ask(fixed(name, "TXT")))
                (text,) = reply.answer[0]
                assert text.strings[0] == b"idx=1;type=NAME;data=%d" % number
        assert network.recursive.fast_dns.counts().hits == 0


async def test_random_octets_do_not_disturb_dns(network):
    chance = random.Random(11)
    octets = fixed(SEEDED, "TXT", use_edns=0, payload=1232)
    async with udp_client(network.recursive.dns.port) as ask:
        for _ in range(3):
            await ask(octets)
        for _ in range(300):
            broken = bytearray(octets)
            for _ in range(chance.randrange(1, 4)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            await ask(bytes(broken), answered=False)
            await ask(chance.randbytes(chance.randrange(80)), answered=False)
    # Another socket: some of the nonsense may be answered yet, under the same id.
    async with udp_client(network.recursive.dns.port) as ask:
        reply = dns.message.from_wire(await ask(octets))
    assert reply.rcode() == Rcode.NOERROR
