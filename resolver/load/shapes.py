"""A Locust shape under whose load the network grows, 14 secondary nodes to 35.

    from resolver.load import GrowingNetwork, ResolvingUser

    class Fast(GrowingNetwork):
        secondaries = (14, 35)
        step_seconds = 30

    class Resolve(ResolvingUser): ...

The master, or the only process, starts `idis up` itself and starts it larger at each step;
workers on the same machine follow its ready file. The statistics have a line for every
request and size, "resolve, 21 secondaries", and one for each change: its time is how
long there was no network. Requests that a change overtook are called "(network changing)".
"""

import time
from collections.abc import Sequence
from typing import ClassVar

from locust import LoadTestShape
from locust.exception import StopTest
from locust.runners import Runner

from resolver.errors import SetupError
from resolver.load.growing import GrowingRun, Schedule
from resolver.load.options import ready_file

MISUSE = 2
"""Exit code, as that of `idis`."""


class GrowingNetwork(LoadTestShape):
    """Holds each size for a while; `--users` and `--spawn-rate` say how many users."""

    abstract = True
    use_common_options = True

    secondaries: Sequence[int] = (14, 21, 28, 35)
    """Sizes, growing."""

    step_seconds: float = 60.0
    """How long each is held, from when its network answers."""

    users: int = 20
    """Unless `--users` says otherwise."""

    spawn_rate: float = 20.0
    """Unless `--spawn-rate` says otherwise."""

    arguments: Sequence[str] = ()
    """More of `idis up`."""

    starts_networks: ClassVar[bool] = True
    names_by_size: ClassVar[bool] = True
    ready_file_name: ClassVar[str] = "growing.json"
    """Beside the usual ready file, unless `--ready-file` says otherwise."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._schedule: Schedule | None = None
        self._run: GrowingRun | None = None
        self._size = 0
        self._listens = False

    def tick(self) -> tuple[int, float] | None:
        """Grow when a step is over; end the test after the last one."""
        if self._schedule is None or self._run is None:
            self._begin()
        assert self._schedule is not None
        now = time.monotonic()
        if self._schedule.over(now):
            self._end()
            return None
        size = self._schedule.due(now)
        if size is not None:
            self._grow(size)
            self._schedule.begun(time.monotonic())
        return self._wanted()

    def _begin(self) -> None:
        environment = self._runner.environment
        try:
            self._run = GrowingRun(ready_file(environment), self.arguments)
            self._schedule = Schedule(self.secondaries, self.step_seconds)
        except (SetupError, ValueError) as error:
            raise self._failed(f"{error}; {getattr(error, 'hint', '')}") from None
        self._size = 0
        if not self._listens:
            environment.events.test_stop.add_listener(self._end)
            environment.events.quitting.add_listener(self._end)
            self._listens = True

    def _grow(self, size: int) -> None:
        assert self._run is not None
        started = time.perf_counter()
        try:
            self._run.grow(size)
        except RuntimeError as error:
            self._end()
            raise self._failed(str(error)) from None
        if self._size:
            taken = (time.perf_counter() - started) * 1_000
            self._tell(f"{self._size} to {size} secondaries", taken)
        self._size = size

    def _failed(self, message: str) -> StopTest:
        """End the test, with an exit code that says so where nobody reads the page."""
        self._runner.environment.process_exit_code = MISUSE
        return StopTest(message)

    def _tell(self, what: str, milliseconds: float) -> None:
        self._runner.environment.events.request.fire(
            request_type="GROW",
            name=what,
            response_time=milliseconds,
            response_length=0,
            exception=None,
            context={},
        )

    def _wanted(self) -> tuple[int, float]:
        options = self._runner.environment.parsed_options
        users = getattr(options, "num_users", None) or self.users
        return users, getattr(options, "spawn_rate", None) or self.spawn_rate

    def _end(self, **_: object) -> None:
        """Stop the network, whoever ended the test."""
        if self._run is not None:
            self._run.close()
        self._run = self._schedule = None

    @property
    def _runner(self) -> Runner:
        assert self.runner is not None
        return self.runner
