"""A Locust user of the Handle JSON API (handle notes §5.1).

Requests go over the session of Locust's `FastHttpUser`, so the time is Locust's: from the
call to the end of the body. Redirects are not followed: they could lead anywhere.
"""

from collections.abc import Collection
from urllib.parse import quote

from gevent.timeout import Timeout
from locust import task
from locust.contrib.fasthttp import FastHttpSession
from locust.env import Environment

from resolver.load import failures, judging
from resolver.load.failures import Failure
from resolver.load.native import SUCCESS, Outcome
from resolver.load.network_user import NetworkUser
from resolver.load.targets import Target


class HttpResolvingUser(NetworkUser):
    """Resolves known identifiers through the recursive node's JSON API."""

    abstract = True
    timeout_seconds: float = 5.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.client: FastHttpSession | None = None
        """Locust's session, for requests of your own; None before the first one."""

    @classmethod
    def face_of(cls, target: Target) -> str | None:
        """Give the base URL of the API."""
        return target.http

    def connect(self, target: Target) -> None:
        """Begin with a network; one connection, opened when something is asked."""
        self.client = FastHttpSession(
            base_url=target.http,
            request_event=self.environment.events.request,
            user=self,
            network_timeout=self.timeout_seconds,
            connection_timeout=self.timeout_seconds,
            concurrency=1,
        )

    def disconnect(self) -> None:
        """Close the connection."""
        if self.client is not None:
            self.client.client.close()
            self.client = None

    @task
    def known(self) -> None:
        """Resolve one of the identifiers known."""
        self.resolve(self.identifier())

    def resolve(
        self,
        identifier: str,
        *,
        fresh: bool = False,
        expect: Collection[int] = SUCCESS,
        name: str = "resolve",
    ) -> Outcome:
        """Resolve, check the answer, and count it under `name`.

        `fresh` asks past the cache; `expect` are the response codes that are as they
        should be.
        """
        path = f"/api/handles/{quote(identifier)}{'?auth=true' if fresh else ''}"
        return self.counted("HTTP", name, lambda: self._get(path, identifier, expect))

    def _get(self, path: str, identifier: str, expect: Collection[int]) -> Outcome:
        assert self.client is not None
        # Not entered as a context, the response tells no event: `counted` does.
        response = self.client.get(path, catch_response=True, allow_redirects=False)
        meta = response.request_meta
        failure = self._failure_of(meta["exception"])
        if response.status_code:
            content = response.content
            failure = judging.of_api(response.status_code, content, identifier, expect)
        return Outcome(meta["response_time"], meta["response_length"], failure)

    def _failure_of(self, error: BaseException | None) -> Failure | None:
        if error is None:
            return None
        if isinstance(error, TimeoutError | Timeout):
            return failures.timed_out(self.timeout_seconds)
        return Failure(failures.UNREACHABLE)
