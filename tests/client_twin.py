"""Both clients behind one face, so that one test holds for the two."""

import asyncio

from resolver.client import AsyncClient, ClientSettings, RetryPolicy

QUICK = ClientSettings(retry=RetryPolicy((0.05, 0.05, 0.05), 3.0))
LIMIT_SECONDS = 20


class Twin:
    """One client of either kind, called in the same way."""

    def __init__(self, kind):
        self.kind = kind
        self.clients = []

    def client(self, server, settings=QUICK, **options):
        client = self.kind(getattr(server, "address", server), settings, **options)
        self.clients.append(client)
        return client

    async def call(self, client, name, *arguments, **options):
        """Call a method; blocking ones in a thread, so that a test can time out."""
        method = getattr(client, name)
        async with asyncio.timeout(LIMIT_SECONDS):
            if self.kind is AsyncClient:
                return await method(*arguments, **options)
            return await asyncio.to_thread(method, *arguments, **options)

    async def many(self, client, lines, **options):
        stream = client.resolve_many(lines, **options)
        async with asyncio.timeout(LIMIT_SECONDS):
            if self.kind is AsyncClient:
                return [result async for result in stream]
            return await asyncio.to_thread(list, stream)

    async def close(self):
        for client in self.clients:
            await self.call(client, "close")
