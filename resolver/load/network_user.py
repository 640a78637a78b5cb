"""What all our Locust users share: which network they load, what a request is called.

A test is looked over when Locust is ready, and again at each start, because the page may
have named another host since; in every process, master and workers alike. Classes whose
face the network lacks are left out with a word; where nothing is left, nobody waits.

A request during which the network went away or changed has a name of its own, because
its time and its failure are those of the change. Where a shape makes networks grow, the
size is part of the name: a line of the statistics for each step.
"""

import logging
import random
import sys
import time
import weakref
from collections.abc import Callable
from typing import Any, NoReturn

from locust import User, events, stats
from locust.env import Environment
from locust.exception import StopTest, StopUser

from resolver.commands.console import fail
from resolver.errors import SetupError, UnreachableError
from resolver.load import failures, response_times
from resolver.load.failures import Failure
from resolver.load.native import Outcome
from resolver.load.options import make_watch
from resolver.load.targets import Target, TargetError
from resolver.load.watching import NetworkWatch, request_name

MISUSE, UNREACHABLE = 2, 3
"""Exit codes, as those of `idis`."""

_log = logging.getLogger(__name__)
_watches: "weakref.WeakKeyDictionary[Environment, NetworkWatch]" = (
    weakref.WeakKeyDictionary()
)

response_times.install(stats)


class NetworkUser(User):
    """A user of one face of the network that runs, also of the next one."""

    abstract = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._target: Target | None = None

    @classmethod
    def face_of(cls, target: Target) -> str | None:
        """Give the address of the face that this class loads; None without one."""
        raise NotImplementedError

    def connect(self, target: Target) -> None:
        """Make ready to ask a network that has the face."""
        raise NotImplementedError

    def disconnect(self) -> None:
        """Close what `connect` opened; without it, do nothing."""
        raise NotImplementedError

    def on_stop(self) -> None:
        """Close all sockets."""
        self.disconnect()

    def network(self) -> Target:
        """Give the network to ask now; connect to it when it is another one.

        Waits while there is none.

        Raises:
            UnreachableError: There is none for a minute.
            StopUser: It must not be loaded, or lacks the face.
        """
        try:
            target = watch_of(self.environment).wait()
        except TargetError as error:
            self.give_up(error)
        if target is not self._target:
            self.disconnect()
            if self.face_of(target) is None:
                message = f"{type(self).__name__}: the network has no such face"
                self.give_up(TargetError(message))
            self.connect(target)
            self._target = target
        return target

    def give_up(self, error: SetupError) -> NoReturn:
        """End this user, for a reason that trying again does not change.

        Locust shows the reason among its exceptions and ends with exit code 1. What
        merely raised would be tried again at once, for ever; and `StopTest` ends,
        inside a task, no more than the user, without a word.

        Raises:
            StopUser: Always.
        """
        _log.error("%s; %s", error, error.hint)
        self.environment.events.user_error.fire(
            user_instance=self, exception=error, tb=error.__traceback__
        )
        raise StopUser

    def identifier(self) -> str:
        """Choose what to resolve: one of those known, all alike."""
        known = self.network().identifiers
        if not known:
            message = "no identifiers are known"
            self.give_up(TargetError(message, "give some: --identifiers FILE"))
        return random.choice(known)  # noqa: S311 (no secret)

    def counted(self, how: str, what: str, ask: Callable[[], Outcome]) -> Outcome:
        """Ask something, and tell Locust how it went.

        Args:
            how: The transport, shown as the request's type.
            what: The request's name.
            ask: Does it; whatever else it does is not counted.
        """
        try:
            before = self.network()
        except UnreachableError:
            outcome = Outcome(0.0, 0, Failure(failures.NO_NETWORK))
            self._fire(how, what, outcome)
        else:
            outcome = ask()
            self._fire(how, self.name_of(what, before, outcome), outcome)
        return outcome

    def name_of(self, what: str, before: Target, outcome: Outcome) -> str:
        """Name a request that is over and began with `before`."""
        # Who failed may know of the end before the watch has looked.
        after = watch_of(self.environment).current(fresh=not outcome.good)
        shape = self.environment.shape_class
        by_size = getattr(shape, "names_by_size", False)
        return request_name(what, before, after, by_size=by_size)

    def _fire(self, how: str, name: str, outcome: Outcome) -> None:
        seconds = outcome.milliseconds / 1_000
        self.environment.events.request.fire(
            request_type=how,
            name=name,
            response_time=outcome.milliseconds,
            response_length=outcome.octets,
            exception=outcome.failure,
            context=self.context(),
            start_time=time.time() - seconds,  # noqa: TID251 (as Locust tells it)
        )


def watch_of(environment: Environment) -> NetworkWatch:
    """Give the one watch of an environment.

    Raises:
        TargetError: The options name something that cannot be used.
    """
    watch = _watches.get(environment)
    if watch is None:
        watch = _watches[environment] = make_watch(environment)
    return watch


def _look_over(environment: Environment, **_: Any) -> None:
    """Check what would be loaded, before anybody waits for it."""
    if not _ours(environment):
        return
    try:
        watch = watch_of(environment)
        target = watch.current()
    except SetupError as error:
        _exit(str(error), error.hint, MISUSE)
    if target is not None:
        _leave_out(environment, target)
    elif not getattr(environment.shape_class, "starts_networks", False):
        message = f"no running network was found ({watch.file})"
        _exit(message, "start one with: idis up", UNREACHABLE)


def _look_again(environment: Environment, **_: Any) -> None:
    if not _ours(environment):
        return
    _watches.pop(environment, None)
    try:
        watch_of(environment).current()
    except SetupError as error:
        raise StopTest(f"{error}; {error.hint}") from None


def _leave_out(environment: Environment, target: Target) -> None:
    """Leave out classes that cannot do anything; show the others' faces on the page."""
    for kind in _ours(environment):
        face = kind.face_of(target)
        if face is None:
            _log.warning("%s left out: the network has no such face", kind.__name__)
            environment.user_classes.remove(kind)
        elif not environment.host:
            kind.host = face
    if not environment.user_classes:
        _exit("the network has none of the faces to load", "see --host", MISUSE)


def _ours(environment: Environment) -> list[type[NetworkUser]]:
    kinds = environment.user_classes
    return [kind for kind in kinds if issubclass(kind, NetworkUser)]


def _exit(message: str, hint: str, code: int) -> NoReturn:
    fail(message, hint)
    sys.exit(code)


events.init.add_listener(_look_over)
events.test_start.add_listener(_look_again)
