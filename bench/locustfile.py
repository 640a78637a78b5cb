"""Locust users against a running network.

    idis up                                 in one terminal
    locust -f bench/locustfile.py           in the other, then http://127.0.0.1:8089

Everything is taken from the running network's ready file. Name classes to run some only:
`locust -f bench/locustfile.py Resolve Register`. See docs/load-testing.md.
"""

from resolver.load import (
    ColdWalkUser,
    DnsResolvingUser,
    HttpResolvingUser,
    MixedUser,
    RegisteringUser,
    ResolvingUser,
    TcpResolvingUser,
)


class Resolve(ResolvingUser):
    """Native resolution over UDP, cached."""

    weight = 10.0


class ResolveOverTcp(TcpResolvingUser):
    """Native resolution over TCP, cached."""

    weight = 4.0


class ResolveOverHttp(HttpResolvingUser):
    """Resolution through the Handle JSON API."""

    weight = 2.0


class ResolveOverDns(DnsResolvingUser):
    """Resolution through the DNS face, where the network has one."""

    weight = 2.0


class WalkCold(ColdWalkUser):
    """Native resolution past the cache."""

    weight = 1.0


class Register(RegisteringUser):
    """Registration, durable when it is acknowledged."""

    weight = 1.0


class Mixed(MixedUser):
    """All of the native kinds in one user."""

    weight = 2.0
