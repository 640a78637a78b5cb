"""Plain sockets with deadlines, for tests that speak octets."""

import asyncio

from resolver.session.fragments import Reassembler
from resolver.session.stream import Framer

DEADLINE_SECONDS = 10


async def exchange_tcp(port: int, request: bytes, host: str = "127.0.0.1") -> bytes:
    """Send one message on a connection of its own; give the first that comes back."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(request)
            return await read_message(reader, Framer())
        finally:
            writer.close()
            await writer.wait_closed()


async def read_message(reader: asyncio.StreamReader, framer: Framer) -> bytes:
    while True:
        octets = await reader.read(65536)
        assert octets, "connection closed before an answer came"
        messages = framer.receive(octets)
        if messages:
            return messages[0]


class _Collector(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.queue.put_nowait(data)


async def exchange_udp(port: int, request: bytes, host: str = "127.0.0.1") -> bytes:
    """Send one datagram; give the whole message that comes back."""
    loop = asyncio.get_running_loop()
    transport, collector = await loop.create_datagram_endpoint(
        _Collector, remote_addr=(host, port)
    )
    reassembler = Reassembler()
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            transport.sendto(request)
            while True:
                datagram = await collector.queue.get()
                message = reassembler.receive(datagram, "server", loop.time())
                if message is not None:
                    return message
    finally:
        transport.close()
