"""Locust users of the Handle protocol.

    HandleUser          asks and registers in tasks of yours
    ├── ResolvingUser       resolves known identifiers over UDP
    │   └── TcpResolvingUser    the same over one TCP connection
    ├── ColdWalkUser        asks past the cache: the recursive node must walk
    ├── RegisteringUser     logs in and registers new identifiers, reads some back
    └── MixedUser           90 resolutions, 5 walks, 5 registrations

Identifiers are chosen at random from the ready file; override `identifier` for others.
`wait_time` is Locust's default, none: each user asks again as soon as it has an answer
(closed loop). Every user has sockets of its own, opened when it first asks.
"""

import random
import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Literal

from locust import task
from locust.env import Environment

from resolver.errors import SetupError
from resolver.load.native import ONE_TRY, SUCCESS, NativeClient, Outcome
from resolver.load.network_user import NetworkUser
from resolver.load.options import remote_allowed
from resolver.load.targets import (
    Target,
    TargetError,
    credentials_of,
    registering_prefixes,
)
from resolver.session.exchange import RetryPolicy
from resolver.session.signature import Credential

Transport = Literal["udp", "tcp"]


class HandleUser(NetworkUser):
    """A user of the recursive node's Handle face; the tasks are yours."""

    abstract = True

    transport: Transport = "udp"
    """How it resolves; it registers over TCP in any case."""

    retry: RetryPolicy = ONE_TRY
    """One try of two seconds; `RetryPolicy()` repeats as real clients do."""

    prefix: str | None = None
    """Where it registers; None chooses an enterprise's for each user."""

    credential_kind: Literal["secret", "rsa", "sm2"] = "secret"
    """What it logs in with; secrets cost least to prove, on either side."""

    read_back_share: float = 0.1
    """How many acknowledged registrations are checked by resolving them."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._native: NativeClient | None = None
        self._logged_in: str | None = None
        """Prefix of the credential that the client has logged in with."""

        self._token = secrets.token_hex(4).upper()
        self._names = 0

    @classmethod
    def face_of(cls, target: Target) -> str | None:
        """Give the address of the recursive node."""
        return None if target.handle is None else str(target.handle)

    def connect(self, target: Target) -> None:
        """Begin with a network; sockets are opened when something is asked."""
        assert target.handle is not None
        self._native = NativeClient(
            target.handle,
            self.transport,
            retry=self.retry,
            remote_allowed=remote_allowed(self.environment),
        )
        self._logged_in = None

    def disconnect(self) -> None:
        """Close all sockets."""
        if self._native is not None:
            self._native.close()
            self._native = None

    def resolve(
        self,
        identifier: str,
        *,
        fresh: bool = False,
        expect: Collection[int] = SUCCESS,
        name: str = "resolve",
    ) -> Outcome:
        """Resolve, check the answer, and count it under `name`.

        `fresh` asks past the recursive node's cache; `expect` are the response codes
        that are as they should be, for example `(100,)` for names that are not there.
        """

        def ask(client: NativeClient) -> Outcome:
            return client.resolve(identifier, fresh=fresh, expect=expect)

        return self._asked(self.transport.upper(), name, ask)

    def register(
        self, identifier: str, values: Mapping[str, str], *, name: str = "register"
    ) -> Outcome:
        """Register at the node of the prefix, logged in; count it under `name`.

        The first time it logs in there, which is counted as a request of its own.
        """
        self.network()
        prefix = identifier.partition("/")[0]
        if self._logged_in != prefix:
            credential = self._credential(prefix)
            outcome = self._asked("TCP", "log in", lambda one: one.login(credential))
            if not outcome.good:
                return outcome
            self._logged_in = prefix

        def act(client: NativeClient) -> Outcome:
            if self._logged_in != prefix:  # the network has changed this moment
                client.login(self._credential(prefix))
            return client.register(identifier, values)

        return self._asked("TCP", name, act)

    def read_back(self, identifier: str, values: Mapping[str, str]) -> Outcome:
        """Resolve what was registered, and check that it is what comes."""

        def ask(client: NativeClient) -> Outcome:
            return client.read_back(identifier, values)

        return self._asked(self.transport.upper(), "read back", ask)

    def resolve_known(self) -> Outcome:
        """Resolve one of the identifiers known."""
        return self.resolve(self.identifier())

    def walk_cold(self) -> Outcome:
        """Resolve one past the cache, so that the recursive node has to walk."""
        return self.resolve(self.identifier(), fresh=True, name="resolve cold")

    def register_new(self) -> Outcome:
        """Register a new identifier; now and then make sure that it is there."""
        identifier = self.new_identifier()
        values = {"URL": f"https://example.com/{identifier}"}
        outcome = self.register(identifier, values)
        if outcome.good and random.random() < self.read_back_share:  # noqa: S311
            self.read_back(identifier, values)
        return outcome

    def new_identifier(self) -> str:
        """Make an identifier that nobody else registers, in any process or machine."""
        if self.prefix is None:
            self.prefix = self._some_prefix()
        self._names += 1
        return f"{self.prefix}/LOAD-{self._token}-{self._names}"

    def _asked(
        self, how: str, what: str, ask: Callable[[NativeClient], Outcome]
    ) -> Outcome:
        def act() -> Outcome:
            assert self._native is not None
            return ask(self._native)

        return self.counted(how, what, act)

    def _some_prefix(self) -> str:
        found = registering_prefixes(self.network(), self.credential_kind)
        if not found:
            message = f"no credentials of kind {self.credential_kind} are known"
            self.give_up(TargetError(message, "the ready file of `idis up` has some"))
        return random.choice(found)  # noqa: S311 (no secret)

    def _credential(self, prefix: str) -> Credential:
        # Imported late: it brings most of a server with it.
        from resolver.commands.running import from_ready

        assert self._target is not None
        entry = credentials_of(self._target, self.credential_kind).get(prefix)
        try:
            if entry is None:
                message = f"no credential of kind {self.credential_kind} for {prefix}"
                raise TargetError(message, "the ready file of `idis up` has some")
            return from_ready(dict(entry))
        except SetupError as error:
            self.give_up(error)


class ResolvingUser(HandleUser):
    """Resolves known identifiers over UDP; after the first time they are cached."""

    abstract = True

    @task
    def known(self) -> None:
        """Resolve one."""
        self.resolve_known()


class TcpResolvingUser(ResolvingUser):
    """The same over one TCP connection, kept open."""

    abstract = True
    transport: Transport = "tcp"


class ColdWalkUser(HandleUser):
    """Asks with AUTHORITATIVE set: the cache is passed, the node itself answers."""

    abstract = True

    @task
    def cold(self) -> None:
        """Resolve one past the cache."""
        self.walk_cold()


class RegisteringUser(HandleUser):
    """Logs in with the ready file's credentials and registers new identifiers."""

    abstract = True

    @task
    def new(self) -> None:
        """Register one, and perhaps read it back."""
        self.register_new()


class MixedUser(HandleUser):
    """Resolves most of the time, walks and registers now and then."""

    abstract = True

    @task(90)
    def known(self) -> None:
        """Resolve one."""
        self.resolve_known()

    @task(5)
    def cold(self) -> None:
        """Resolve one past the cache."""
        self.walk_cold()

    @task(5)
    def new(self) -> None:
        """Register one, and perhaps read it back."""
        self.register_new()
