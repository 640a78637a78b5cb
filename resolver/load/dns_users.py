"""A Locust user of the DNS face."""

import random
from collections.abc import Collection

from locust import task
from locust.env import Environment

from resolver.load.dns_client import NOERROR, DnsClient, has_name
from resolver.load.native import Outcome
from resolver.load.network_user import NetworkUser
from resolver.load.targets import Target, TargetError


class DnsResolvingUser(NetworkUser):
    """Looks up known identifiers over UDP, truncated answers over TCP."""

    abstract = True
    record_type: str = "TXT"
    """What it asks for: TXT has all values, URI and NAPTR those that are URLs."""

    timeout_seconds: float = 2.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._dns: DnsClient | None = None
        self._known: tuple[str, ...] = ()

    @classmethod
    def face_of(cls, target: Target) -> str | None:
        """Give the address of the DNS face."""
        if target.dns is None or target.dns_zone is None:
            return None
        return f"dns://{target.dns}"

    def connect(self, target: Target) -> None:
        """Begin with a network; a socket is opened when something is asked."""
        assert target.dns is not None
        assert target.dns_zone is not None
        self._dns = DnsClient(
            target.dns, target.dns_zone, timeout_seconds=self.timeout_seconds
        )
        zone = target.dns_zone
        self._known = tuple(name for name in target.identifiers if has_name(name, zone))

    def disconnect(self) -> None:
        """Close the socket."""
        if self._dns is not None:
            self._dns.close()
            self._dns = None

    def identifier(self) -> str:
        """Choose what to look up: one of those that have a domain name, all alike."""
        self.network()
        if not self._known:
            message = "no identifiers that have a domain name are known"
            self.give_up(TargetError(message, "give some: --identifiers FILE"))
        return random.choice(self._known)  # noqa: S311 (no secret)

    @task
    def known(self) -> None:
        """Look up one of the identifiers known."""
        self.resolve(self.identifier())

    def resolve(
        self,
        identifier: str,
        *,
        expect: Collection[int] = NOERROR,
        name: str = "resolve",
    ) -> Outcome:
        """Look an identifier up, check the answer, and count it under `name`.

        `expect` are the response codes that are as they should be, for example `(3,)`
        for names that are not there.
        """

        def ask() -> Outcome:
            assert self._dns is not None
            return self._dns.resolve(identifier, self.record_type, expect=expect)

        return self.counted("DNS", name, ask)
