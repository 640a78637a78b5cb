"""Users for Locust: resolve and register by the thousand, from a locustfile of your own.

    from locust import task
    from resolver.load import HandleUser

    class Scanner(HandleUser):
        @task
        def scan(self):
            self.resolve(self.identifier())

All classes here are abstract in Locust's sense: a locustfile subclasses those it wants to
run. Each is imported when it is first asked for, because importing Locust patches the
sockets of the whole process. Needs `pip install 'idis-emulator[load]'`.
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if importlib.util.find_spec("locust") is None:
    _MESSAGE = "resolver.load needs Locust: pip install 'idis-emulator[load]'"
    raise ModuleNotFoundError(_MESSAGE, name="locust")

if TYPE_CHECKING:
    from resolver.load.dns_users import DnsResolvingUser
    from resolver.load.http_users import HttpResolvingUser
    from resolver.load.shapes import GrowingNetwork
    from resolver.load.users import (
        ColdWalkUser,
        HandleUser,
        MixedUser,
        RegisteringUser,
        ResolvingUser,
        TcpResolvingUser,
    )

__all__ = [
    "ColdWalkUser",
    "DnsResolvingUser",
    "GrowingNetwork",
    "HandleUser",
    "HttpResolvingUser",
    "MixedUser",
    "RegisteringUser",
    "ResolvingUser",
    "TcpResolvingUser",
]

_ELSEWHERE = {
    "DnsResolvingUser": "resolver.load.dns_users",
    "GrowingNetwork": "resolver.load.shapes",
    "HttpResolvingUser": "resolver.load.http_users",
}


def __getattr__(name: str) -> Any:
    """Import a class from its module."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _ELSEWHERE.get(name, "resolver.load.users")
    return getattr(importlib.import_module(module), name)
