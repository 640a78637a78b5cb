"""The client library: ask the tree, register in it, look over its shoulder.

`Client` uses plain sockets, `AsyncClient` asyncio; otherwise they are the same. Each
is imported when it is first asked for, so that a program on patched sockets never
loads asyncio.
"""

from typing import TYPE_CHECKING, Any

from resolver.client.answer import Answer, Result
from resolver.client.products import ProductAnswer
from resolver.client.settings import ClientSettings
from resolver.session.exchange import RetryPolicy, ServerAddress

if TYPE_CHECKING:
    from resolver.client.aio import AsyncClient
    from resolver.client.blocking import Client
    from resolver.client.known_logs import KnownLog, KnownLogs

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "ClientSettings",
    "KnownLog",
    "KnownLogs",
    "ProductAnswer",
    "Result",
    "RetryPolicy",
    "ServerAddress",
]


def __getattr__(name: str) -> Any:
    """Import one of the twins, or what only proofs need."""
    if name == "Client":
        from resolver.client.blocking import Client

        return Client
    if name == "AsyncClient":
        from resolver.client.aio import AsyncClient

        return AsyncClient
    if name in ("KnownLog", "KnownLogs"):
        from resolver.client import known_logs

        return getattr(known_logs, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
