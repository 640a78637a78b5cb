"""The options that `locust` gets from here, and what they amount to.

    --ready-file FILE       of the network to load; also IDIS_READY_FILE, else the one that
                            `idis up` leaves at its usual place
    --identifiers FILE      to resolve, one a line, instead of the ready file's
    --allow-remote --i-own-this-target
                            both: aim beyond loopback

Locust's own `--host` replaces one face of the network, see `resolver.load.targets`. Its
page and its master, which by its defaults everybody in the network reaches, stay on this
machine unless `--web-host` and `--master-bind-host` say otherwise.
"""

import os
from pathlib import Path
from typing import Any

from locust import events
from locust.env import Environment

from resolver.load.targets import ALLOW, OWN, Target, check_allowed, read_identifiers
from resolver.load.watching import NetworkWatch

LOOPBACK = "127.0.0.1"


def add_options(parser: Any, **_: Any) -> None:
    """Add our options to those of `locust`."""
    parser.set_defaults(web_host=LOOPBACK, master_bind_host=LOOPBACK)
    group = parser.add_argument_group("idis-emulator")
    # Locust gives its own keyword to `add_argument` of the parser only; an option of a
    # group stays out of the web page, where nobody should change whom load goes to.
    group.add_argument(
        "--ready-file",
        type=Path,
        metavar="FILE",
        help="ready file of the network to load (default: the running network's)",
    )
    group.add_argument(
        "--identifiers", type=Path, metavar="FILE", help="to resolve, one a line"
    )
    for option in (ALLOW, OWN):
        group.add_argument(
            option,
            action="store_true",
            help="aim beyond this machine; both are needed",
        )


def make_watch(environment: Environment) -> NetworkWatch:
    """Make what follows the network that an environment is to load.

    Raises:
        TargetError: The options name something that cannot be read.
    """
    options = environment.parsed_options
    file = getattr(options, "identifiers", None)

    def check(target: Target) -> None:
        check_allowed(
            target,
            allow_remote=getattr(options, "allow_remote", False),
            own_target=getattr(options, "i_own_this_target", False),
        )

    return NetworkWatch(
        ready_file(environment),
        host=environment.host or None,
        identifiers=() if file is None else read_identifiers(Path(file)),
        check=check,
    )


def remote_allowed(environment: Environment) -> bool:
    """Tell whether load may go beyond loopback."""
    options = environment.parsed_options
    return bool(
        getattr(options, "allow_remote", False)
        and getattr(options, "i_own_this_target", False)
    )


def ready_file(environment: Environment) -> Path:
    """Give the ready file to follow: the option's, the variable's, or the usual one.

    A shape that starts networks itself keeps its own at another place (`ready_file`),
    so that it never takes that of a network started with `idis up`.
    """
    named = getattr(environment.parsed_options, "ready_file", None)
    named = named or os.environ.get("IDIS_READY_FILE")
    if named:
        return Path(named)
    # Imported late: it brings most of a server with it.
    from resolver.ready_file import well_known_file

    name = getattr(environment.shape_class, "ready_file_name", "")
    usual = well_known_file()
    return usual.with_name(name) if name else usual


events.init_command_line_parser.add_listener(add_options)
