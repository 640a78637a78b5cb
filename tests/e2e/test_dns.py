"""DNS at the recursive node, over its real sockets."""

import asyncio
import contextlib
import io
import random
import shlex
import shutil
import socket
import struct
from pathlib import Path
from urllib.request import urlopen

import dns.asyncquery
import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import pytest
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from registry.model.value import Value
from resolver.commands.banner import dns_example
from resolver.dns.names import name_of
from resolver.dns.stream import Framer, frame
from resolver.faces import dns_tcp
from resolver.plan import DEFAULT_DNS_PORT
from resolver.ready_file import describe
from resolver.seeded import seeded_identifiers
from tests.e2e.networks import HOSTED, register, running

SEEDED = name_of(HOSTED)
SECONDS = 10
ROOT = Path(__file__).parents[2]
TOOLS = {tool: shutil.which(tool) for tool in ("dig", "kdig", "dnsperf")}


@pytest.fixture
async def network(keys):
    zones = ("idis.test", "example.com=88.118.7/DNS")
    async with running(keys, dns_zones=zones) as network:
        yield network
        assert network.recursive.telemetry.internal_errors == 0


@pytest.fixture
def port(network):
    return network.recursive.dns.port


def asked(name, kind="TXT", **options):
    options.setdefault("use_edns", 0)
    return dns.message.make_query(name, kind, **options)


async def by_udp(port, message, host="127.0.0.1"):
    return await dns.asyncquery.udp(message, host, SECONDS, port)


async def by_tcp(port, message, host="127.0.0.1"):
    return await dns.asyncquery.tcp(message, host, SECONDS, port)


BOTH = pytest.mark.parametrize("ask", [by_udp, by_tcp])


def texts(reply):
    return [b"".join(item.strings).decode() for rrset in reply.answer for item in rrset]


@BOTH
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_identifier_answers_on_both_families(port, ask, host):
    reply = await ask(port, asked(SEEDED), host)
    assert reply.rcode() == Rcode.NOERROR
    assert reply.flags & dns.flags.AA
    url = "https://zhanmeng-cells.example.com/SN0001"
    assert texts(reply)[0] == f"idx=1;type=URL;data={url}"
    (uri,) = (await ask(port, asked(f"_hdl._tcp.{SEEDED}", "URI"))).answer[0]
    assert uri.target == url.encode()
    (naptr,) = (await ask(port, asked(SEEDED, "NAPTR"))).answer[0]
    assert str(naptr) == f'100 10 "u" "HDL+URL" "!^.*$!{url}!" .'


async def test_every_seeded_identifier_has_a_name_that_leads_to_it(network, port):
    for enterprise in network.settings.topology.enterprises:
        for seeded in seeded_identifiers(enterprise):
            reply = await by_udp(port, asked(name_of(seeded.identifier), "URI"))
            (uri,) = reply.answer[0]
            assert uri.target.decode() == seeded.values[0].data


async def test_what_is_not_there_is_told_apart_from_what_is_empty(network, port):
    missing = await by_udp(port, asked("nix.7.118.88.idis.test."))
    assert missing.rcode() == Rcode.NXDOMAIN
    assert missing.authority[0].rdtype == RdataType.SOA
    assert missing.authority[0].ttl == network.recursive.settings.negative_ttl_seconds
    for name in ("model_.7.118.88.idis.test.", SEEDED, "88.idis.test.", "idis.test."):
        empty = await by_udp(port, asked(name, "A"))
        assert (empty.rcode(), empty.answer) == (Rcode.NOERROR, [])
        assert empty.authority[0].rdtype == RdataType.SOA
    for prefix in ("88", "118.88", "7.118.88"):
        assert texts(await by_tcp(port, asked(f"{prefix}.idis.test.")))
    for name in ("9.118.88.idis.test.", "sn1.9.118.88.idis.test.", "7.idis.test."):
        assert (await by_udp(port, asked(name))).rcode() == Rcode.NXDOMAIN


async def test_registrations_are_seen_by_dns_once_the_answer_is_too_old(network, port):
    node = network.node_of("88.118.7")
    await register(node, "88.118.7/A b/电", Value(1, "NAME", b"one", ttl=0))
    name = name_of("88.118.7/A b/电")
    assert texts(await by_udp(port, asked(name))) == ["idx=1;type=NAME;data=one"]
    await register(
        node, "88.118.7/A b/电", Value(1, "NAME", b"two", ttl=0), overwrite=True
    )
    assert texts(await by_udp(port, asked(name))) == ["idx=1;type=NAME;data=two"]


async def test_answers_come_from_the_nodes_cache_and_say_until_when(network, port):
    telemetry = network.recursive.telemetry
    await by_udp(port, asked(SEEDED))
    walked, hits = telemetry.upstream_requests, telemetry.cache_hits
    for kind in ("TXT", "URI", "NAPTR", "A"):
        await by_udp(port, asked(SEEDED, kind))
    assert telemetry.upstream_requests == walked
    assert telemetry.cache_hits == hits + 4
    datagrams = network.recursive.dns_face.datagrams
    reply = datagrams.receive(asked(SEEDED).to_wire(), ("127.0.0.1", 9))
    (entry,) = network.recursive.cache._entries.values()
    assert reply.expires == entry.expires


async def test_the_same_query_gets_the_same_octets_but_for_id_and_case(network):
    datagrams = network.recursive.dns_face.datagrams

    async def octets(**options):
        message = asked(options.pop("name", SEEDED), **options)
        reply = datagrams.receive(message.to_wire(), ("127.0.0.1", 9))
        return (reply if isinstance(reply, tuple) else await reply).octets

    first = await octets(id=1)
    assert (await octets(id=2))[2:] == first[2:]
    end = 12 + len(dns.name.from_text(SEEDED).to_wire())
    spelled = await octets(id=1, name=SEEDED.upper())
    assert spelled[12:end] == dns.name.from_text(SEEDED.upper()).to_wire()
    assert spelled[end:] == first[end:]


async def test_another_reader_is_taught_what_may_be_copied(network, port):
    learned = []
    network.recursive.dns_face.datagrams.learn = lambda *pair: learned.append(pair)
    queries = [asked(SEEDED), asked(SEEDED, "URI"), asked("nix.7.118.88.idis.test.")]
    for query in (*queries, asked("example.org."), asked("_zz.88.idis.test.")):
        await by_udp(port, query)
    await by_udp(port, queries[0])  # from the cache this time
    taught = [question for question, _ in learned]
    assert taught[-1] == queries[0].to_wire()
    assert {question[:2] for question in taught} <= {
        query.to_wire()[:2] for query in queries
    }
    assert all(reply.expires > 0 for _, reply in learned)


async def test_long_answers_are_truncated_and_whole_over_tcp(network, port):
    values = [Value(n, "NOTE", b"x" * 200) for n in range(1, 21)]
    await register(network.node_of("88.118.7"), "88.118.7/LONG", *values)
    name = name_of("88.118.7/LONG")
    short = await by_udp(port, asked(name, payload=4096))
    assert short.flags & dns.flags.TC
    assert not short.answer
    assert len(texts(await by_tcp(port, asked(name)))) == 20
    reply, used_tcp = await dns.asyncquery.udp_with_fallback(
        asked(name), "127.0.0.1", SECONDS, port
    )
    assert used_tcp
    assert len(texts(reply)) == 20


async def test_without_edns_512_octets_are_all_there_are(network, port):
    values = [Value(n, "NOTE", b"x" * 100) for n in range(1, 6)]
    await register(network.node_of("88.118.7"), "88.118.7/MID", *values)
    name = name_of("88.118.7/MID")
    assert (await by_udp(port, asked(name, use_edns=False))).flags & dns.flags.TC
    reply = await by_udp(port, asked(name, payload=1232))
    assert len(texts(reply)) == 5
    assert (reply.edns, reply.payload) == (0, 1232)


async def test_an_answer_that_no_message_can_hold_is_a_failure_explained(network, port):
    values = [Value(n, "NOTE", b"x" * 20_000) for n in range(1, 5)]
    await register(network.node_of("88.118.7"), "88.118.7/HUGE", *values)
    name = name_of("88.118.7/HUGE")
    assert (await by_udp(port, asked(name))).flags & dns.flags.TC
    reply = await by_tcp(port, asked(name))
    assert reply.rcode() == Rcode.SERVFAIL
    assert "65535" in reply.extended_errors()[0].text


@BOTH
async def test_edns_versions_options_and_flags_are_dealt_with(port, ask):
    cookie = dns.edns.GenericOption(10, b"12345678")
    reply = await ask(port, asked(SEEDED, want_dnssec=True, options=[cookie]))
    assert (reply.edns, reply.ednsflags, reply.options) == (0, 0, ())
    newer = await ask(port, asked(SEEDED, use_edns=1))
    assert (newer.rcode(), newer.edns) == (Rcode.BADVERS, 0)
    plain = await ask(port, asked("idis.test.", "SOA", use_edns=False))
    assert plain.edns == -1


@BOTH
async def test_what_is_none_of_our_business_is_refused(port, ask):
    for query in (
        asked("example.org."),
        asked("idis.test.", "AXFR"),
        asked("idis.test.", "SOA", rdclass="CH"),
    ):
        reply = await ask(port, query)
        assert reply.rcode() == Rcode.REFUSED
        assert reply.extended_errors()
    update = dns.message.make_query("idis.test.", "SOA")
    update.set_opcode(5)
    with contextlib.suppress(dns.exception.DNSException):
        assert (await ask(port, update)).rcode() == Rcode.NOTIMP


async def test_zones_of_cnris_convention_answer_with_typed_values(network, port):
    node = network.node_of("88.118.7")
    await register(node, "88.118.7/DNS/a/www", Value(1, "DNS.A", b"192.0.2.1", ttl=60))
    await register(
        node, "88.118.7/DNS/*", Value(1, "DNS.CNAME", SEEDED.encode(), ttl=60)
    )
    (a,) = (await by_udp(port, asked("WWW.a.example.com.", "A"))).answer
    assert a.to_text() == "WWW.a.example.com. 60 IN A 192.0.2.1"
    reply = await by_udp(port, asked("any.example.com.", "URI"))
    assert [rrset.rdtype for rrset in reply.answer] == [RdataType.CNAME, RdataType.URI]
    assert (await by_udp(port, asked("www.a.example.com."))).rcode() == Rcode.NOERROR


async def test_a_node_that_is_gone_makes_a_failure_that_says_who(keys):
    async with running(keys) as network:
        await network.node_of("88.118.1").close()
        port = network.recursive.dns.port
        reply = await by_udp(port, asked(name_of("88.118.1/SN0001")))
        assert reply.rcode() == Rcode.SERVFAIL
        (error,) = reply.extended_errors()
        assert error.code == dns.edns.EDECode.NO_REACHABLE_AUTHORITY
        assert "88.118.1" in error.text


async def test_the_ready_file_says_where_dns_answers(network, port):
    ready = describe(network)["recursive"]
    assert ready["dns"] == ["127.0.0.1", port]
    assert ready["dns_zone"] == "idis.test."
    assert [node.dns for node in network.nodes.values() if node.dns] == [
        network.recursive.dns
    ]


async def test_the_banner_says_how_to_ask(network, port):
    ready = describe(network)
    command = dns_example(network, ready)
    name = name_of(ready["identifiers"][0])
    assert command == f"dig @127.0.0.1 -p {port} {name} TXT"
    assert (await by_udp(port, asked(command.split()[-2]))).answer


async def test_queries_and_replies_are_counted_by_kind(network, port):
    await by_udp(port, asked(SEEDED))
    await by_tcp(port, asked(SEEDED, "URI"))
    await by_udp(port, asked(SEEDED, "TYPE65280"))
    await by_udp(port, asked("nix.7.118.88.idis.test."))
    url = f"http://127.0.0.1:{network.recursive.http.port}/metrics"
    text = await asyncio.to_thread(lambda: urlopen(url, timeout=SECONDS).read())
    labels = 'node="recursive",role="recursive"'
    for line in (
        f'idis_dns_requests_total{{{labels},transport="dns-udp",type="TXT"}} 2.0',
        f'idis_dns_requests_total{{{labels},transport="dns-tcp",type="URI"}} 1.0',
        f'idis_dns_requests_total{{{labels},transport="dns-udp",type="OTHER"}} 1.0',
        'idis_dns_answers_total{node="recursive",rcode="NOERROR",role="recursive"} 3.0',
        'idis_dns_answers_total{node="recursive",rcode="NXDOMAIN",role="recursive"} 1.0',
    ):
        assert line in text.decode()


# Connections.


@contextlib.asynccontextmanager
async def connected(port):
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def replies(reader, count):
    framer, came = Framer(), []
    while len(came) < count:
        octets = await reader.read(65536)
        assert octets, f"closed after {len(came)} replies of {count}"
        came += map(dns.message.from_wire, framer.receive(octets))
    return came


async def test_queries_can_be_pipelined_in_any_pieces(port):
    queries = [asked(SEEDED, id=n) for n in range(500)]
    queries += [asked(f"nix{n}.7.118.88.idis.test.", id=500 + n) for n in range(20)]
    octets = b"".join(frame(query.to_wire()) for query in queries)
    async with connected(port) as (reader, writer):
        for at in range(0, len(octets), 1000):
            writer.write(octets[at : at + 1000])
            await asyncio.sleep(0)
        came = {reply.id: reply for reply in await replies(reader, len(queries))}
    assert all(query.is_response(came[query.id]) for query in queries)


async def test_a_client_that_ends_its_side_still_gets_its_answers(port):
    async with connected(port) as (reader, writer):
        writer.write(b"".join(frame(asked(SEEDED, id=n).to_wire()) for n in range(200)))
        writer.write_eof()
        assert len(await replies(reader, 200)) == 200
        assert await reader.read() == b""


async def test_a_connection_without_queries_is_closed(network, port, monkeypatch):
    monkeypatch.setattr(dns_tcp, "IDLE_SECONDS", 0.05)
    aborted = network.recursive.telemetry.connections_aborted
    async with connected(port) as (reader, writer):
        writer.write(frame(asked(SEEDED).to_wire()))
        await replies(reader, 1)
        assert await reader.read() == b""
    assert network.recursive.telemetry.connections_aborted == aborted
    async with connected(port) as (reader, writer):
        writer.write(b"\0\x40half a query")
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    assert network.recursive.telemetry.connections_aborted == aborted + 1


async def test_a_client_that_does_not_read_is_not_read_from(network, port, monkeypatch):
    values = [Value(n, "NOTE", b"x" * 1000) for n in range(1, 41)]
    await register(network.node_of("88.118.7"), "88.118.7/BIG", *values)
    query = frame(asked(name_of("88.118.7/BIG")).to_wire())
    monkeypatch.setattr(dns_tcp, "IDLE_SECONDS", 0.3)
    face = network.recursive.dns_face.tcp
    async with connected(port) as (_, writer):
        for _ in range(40):
            writer.write(query * 50)  # 80 MB of answers
            await asyncio.sleep(0)
        async with asyncio.timeout(SECONDS):
            while face.connections:
                held = [item._transport for item in face.connections]
                assert all(
                    transport is None or transport.get_write_buffer_size() < 8 << 20
                    for transport in held
                )
                await asyncio.sleep(0.01)
    assert face.held_octets == 0
    assert network.recursive.telemetry.connections_aborted == 1


async def test_connections_and_what_they_hold_are_bounded(network, port, monkeypatch):
    monkeypatch.setattr(dns_tcp, "MAX_CONNECTIONS", 2)
    telemetry = network.recursive.telemetry
    async with connected(port) as first, connected(port):
        first[1].write(frame(asked(SEEDED).to_wire()))
        await replies(first[0], 1)
        async with connected(port) as (reader, _):
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        assert telemetry.connections_refused == 1
        monkeypatch.setattr(dns_tcp, "MAX_HELD_OCTETS", 100)
        first[1].write(b"\xff\xff" + bytes(200))
        with contextlib.suppress(ConnectionResetError):
            assert await first[0].read() == b""
    assert telemetry.connections_aborted == 1


async def test_too_many_waiting_are_told_to_come_again(network, port, monkeypatch):
    monkeypatch.setattr("resolver.faces.dns_udp.MAX_WAITING", 0)
    reply = await by_udp(port, asked(SEEDED))
    assert reply.rcode() == Rcode.SERVFAIL
    assert "too many" in reply.extended_errors()[0].text
    assert network.recursive.telemetry.shed == 1
    # What needs no waiting is answered all the same.
    assert (await by_udp(port, asked("idis.test.", "SOA"))).answer


# Nonsense.


def accident(chance):
    """Make octets that are nearly a query, or not at all."""
    if chance.random() < 0.2:
        return chance.randbytes(chance.randrange(60))
    names = [SEEDED, "nix.7.118.88.idis.test.", "x.y.example.com.", "example.org.", "."]
    kind = chance.choice([1, 16, 35, 41, 251, 252, 255, 256, chance.randrange(65536)])
    octets = bytearray(asked(chance.choice(names), kind).to_wire())
    for _ in range(chance.randrange(4)):
        at = chance.randrange(2, len(octets))
        match chance.randrange(4):
            case 0:
                octets[at] ^= 1 << chance.randrange(8)
            case 1:
                octets[at:at] = chance.randbytes(chance.randrange(8))
            case 2:
                del octets[at:]
                octets += b"\0" * 3
            case _:
                octets[4:12] = struct.pack("!HHHH", *(chance.choices((0, 1, 9), k=4)))
    return bytes(octets)


@pytest.mark.parametrize("seed", range(5))
async def test_a_node_survives_nonsense(network, port, seed):
    chance = random.Random(seed)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        flood.connect(("127.0.0.1", port))
        for number in range(400):
            flood.send(accident(chance))
            if number % 20 == 0:
                assert (await by_udp(port, asked(SEEDED))).answer
    async with connected(port) as (reader, writer):
        writer.write(b"".join(frame(accident(chance)) for _ in range(300)))
        writer.write(frame(asked(SEEDED, id=0xABCD).to_wire()))
        framer, ids = Framer(), []
        while 0xABCD not in ids:
            octets = await reader.read(65536)
            assert octets, "closed before the last reply"
            for reply in framer.receive(octets):
                ids.append(int.from_bytes(reply[:2], "big"))
                dns.message.from_wire(reply)
    async with connected(port) as (reader, writer):
        writer.write(chance.randbytes(2000))
        writer.write_eof()
        await reader.read()
    assert not network.recursive.dns_face.tcp.connections


# The tools that people use.


async def run(tool, *arguments, stdin=b""):
    """Run a program that may not be installed; give what it prints."""
    path = TOOLS[tool]
    if path is None:
        pytest.skip(f"{tool} is not installed: apt-get install {PACKAGES[tool]}")
    process = await asyncio.create_subprocess_exec(
        path,
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(SECONDS):
        said, _ = await process.communicate(stdin)
    assert process.returncode == 0, said.decode()
    return said.decode()


PACKAGES = {"dig": "bind9-dnsutils", "kdig": "knot-dnsutils", "dnsperf": "dnsperf"}


@pytest.mark.parametrize("tool", ["dig", "kdig"])
async def test_people_can_ask_by_hand(port, tool):
    at = ("@127.0.0.1", "-p", port)
    said = await run(tool, *at, SEEDED, "TXT")
    assert "status: NOERROR" in said
    assert "idx=1;type=URL;data=https://zhanmeng-cells.example.com/SN0001" in said
    assert "NXDOMAIN" in await run(tool, *at, "nix.7.118.88.idis.test", "TXT")
    prefix = await run(tool, *at, "7.118.88.idis.test", "TXT")
    assert "PREFIX_STATE" in prefix, "truncated by UDP, whole by TCP"
    over_tcp = await run(tool, *at, "+tcp", SEEDED, "URI", "+short")
    assert "zhanmeng" in over_tcp
    # Both check names as IDNA before they ask: dig on a terminal, kdig always.
    options = ("+idnin",) if tool == "dig" else ()
    escaped = name_of("88.118.7/A b/电--x")
    assert "NXDOMAIN" in await run(tool, *at, *options, escaped, "TXT")


def shown_commands():
    """Give what the readmes tell a person to type."""
    for page in sorted(ROOT.glob("README*.md")):
        for line in page.read_text().splitlines():
            if line.startswith(("dig ", "kdig ")):
                yield line


@pytest.mark.parametrize("command", sorted(set(shown_commands())))
async def test_what_the_readmes_show_works_when_pasted(network, port, command):
    a = Value(1, "DNS.A", b"192.0.2.1")
    await register(network.node_of("88.118.7"), "88.118.7/DNS/www", a)
    assert f" -p {DEFAULT_DNS_PORT} " in command
    tool, *words = shlex.split(command.replace(f"-p {DEFAULT_DNS_PORT}", f"-p {port}"))
    said = await run(tool, *words)
    assert "status: NOERROR" in said or ("+short" in words and said.strip())
    known = ("zhanmeng", "xuguang-fibre.example.com", "PREFIX_STATE", "192.0.2.1")
    assert any(word in said for word in known)


def test_the_readmes_show_how_to_ask():
    assert len(set(shown_commands())) >= 5


@pytest.mark.parametrize("mode", ["udp", "tcp"])
async def test_dnsperf_loses_nothing(network, port, mode):
    file = network.directory.path / "queries.txt"
    kinds = ("TXT", "URI", "NAPTR", "A")
    lines = io.StringIO()
    for kind in kinds:
        print(SEEDED, kind, file=lines)
        print("nix.7.118.88.idis.test", kind, file=lines)
    file.write_text(lines.getvalue())
    said = await run(
        "dnsperf", "-s", "127.0.0.1", "-p", port, "-m", mode, "-d", file, "-n", 100
    )
    assert "Queries lost:         0 (0.00%)" in said
    assert "NOERROR 400 (50.00%), NXDOMAIN 400 (50.00%)" in said
