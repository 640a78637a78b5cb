"""`idis register`: one identifier, at the node of its prefix."""

from collections.abc import Sequence

from registry.model.identifier import canonical, home_of
from registry.model.value import Value
from resolver.client import Client
from resolver.commands.console import print_json, say
from resolver.commands.running import Who, credential_for, server_address
from resolver.errors import SetupError

_LARGEST_INDEX = 0x7FFF_FFFF


def run(
    identifier: str,
    values: Sequence[str],
    *,
    overwrite: bool,
    as_json: bool,
    who: Who,
) -> int:
    """Register an identifier; 0 when it is durable.

    Raises:
        SetupError: A value is not TYPE=VALUE, or nobody's credential fits.
        InvalidIdentifierError: The name is no identifier.
        AnswerError: The node refused.
        UnreachableError: Nobody answered.
    """
    prefix = home_of(canonical(identifier.encode())).decode()
    parsed = tuple(_value(number, text) for number, text in enumerate(values, 1))
    credential = credential_for(prefix, who)
    with Client(server_address(who.server), credential=credential) as client:
        client.register(identifier, parsed, overwrite=overwrite)
    if as_json:
        print_json(
            {"identifier": identifier, "values": len(parsed), "registered": True}
        )
    else:
        say(f"registered {identifier} with {len(parsed)} value(s)")
    return 0


def _value(number: int, text: str) -> Value:
    """Read `TYPE=VALUE` or `INDEX:TYPE=VALUE`."""
    kind, equals, data = text.partition("=")
    index, colon, named = kind.partition(":")
    if colon and index.isdecimal():
        number, kind = int(index), named
    if not equals or not kind or not 0 < number <= _LARGEST_INDEX:
        message = f"value {text!r}: TYPE=VALUE or INDEX:TYPE=VALUE expected"
        raise SetupError(message, "for example URL=https://example.com/sn2")
    return Value(number, kind, data.encode())
