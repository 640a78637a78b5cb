"""`idis codes alias`: say which identifier a product code means, in an alias record.

The record stands under the code prefix of whoever owns the code, so the credential of that
enterprise's administrator writes it; it is logged and provable like any other.
"""

from dataclasses import dataclass

from registry.model.value import Value
from registry.schemes.decoding import decode
from registry.schemes.mapping import (
    ALIAS_TYPE,
    alias_name,
    code_prefixes,
    delegation_name,
    direct_identifier,
    levels,
)
from registry.schemes.reading import Reading
from resolver.client import Client
from resolver.commands.console import print_json, say
from resolver.commands.running import (
    Who,
    credential_for,
    server_address,
)
from resolver.errors import (
    AlreadyExistsError,
    CodeNotFoundError,
    NotFoundError,
    SetupError,
    UnreadableCodeError,
)

TTL_SECONDS = 60
"""As the seeded alias records have: what a code means is edited live."""


@dataclass(frozen=True, slots=True)
class AliasOptions:
    """Arguments of `idis codes alias`."""

    code: str
    identifier: str
    form: str = ""
    """The reading that is meant, where a code has several: `gln`, `gtin-13`."""

    overwrite: bool = False
    json: bool = False


def run(options: AliasOptions, who: Who) -> int:
    """Register what a code means; 0 when it is durable.

    Raises:
        UnreadableCodeError: It is no code.
        SetupError: It needs no alias, or no credential fits.
        CodeNotFoundError: Nobody serves its code prefix.
        AlreadyExistsError: It means another identifier, and `overwrite` is not set.
        AnswerError: The node refused.
        UnreachableError: Nobody answered.
    """
    readings = _readings(options)
    with Client(server_address(who.server)) as client:
        client.resolve(options.identifier)  # an alias to nothing helps nobody
        reading, prefix = _home(client, readings)
    name = alias_name(prefix, levels(reading)[0])
    with Client(
        server_address(who.server), credential=credential_for(prefix, who)
    ) as client:
        did = _write(client, name, options)
    if options.json:
        print_json(
            {
                "code": reading.code,
                "form": reading.form,
                "record": name,
                "identifier": options.identifier,
                "did": did,
            }
        )
    else:
        say(f"{did}: {reading.code} means {options.identifier}, in record {name}")
    return 0


def _readings(options: AliasOptions) -> list[Reading]:
    decoded = decode(options.code)
    if not decoded.readings:
        reasons = decoded.rejections
        message = f"{options.code[:128]!r} is no code of any scheme: {reasons[0]}"
        raise UnreadableCodeError(message, reasons)
    fitting = [one for one in decoded.readings if options.form in ("", one.form)]
    if not fitting:
        forms = ", ".join(one.form for one in decoded.readings)
        message = f"{options.code} is no {options.form}"
        raise SetupError(message, f"it can be read as {forms}")
    usable = [one for one in fitting if levels(one)]
    if not usable:
        only = fitting[0]
        message = f"{only.code} ({only.scheme}) has no alias record"
        if direct_identifier(only) is not None:
            message = f"{only.code} is an identifier of the tree already"
        raise SetupError(message, "aliases are for GS1 keys, OIDs and Ecodes")
    return usable


def _home(client: Client, readings: list[Reading]) -> tuple[Reading, str]:
    """Find the code prefix that is delegated, of the best reading that has one."""
    tried = []
    for reading in readings:
        for prefix in code_prefixes(reading):
            try:
                client.resolve(delegation_name(prefix), types=("HS_SITE",))
            except NotFoundError:
                tried.append(delegation_name(prefix))
            else:
                return reading, prefix
    raise CodeNotFoundError(readings[0].code, tuple(readings), tuple(tried))


def _write(client: Client, name: str, options: AliasOptions) -> str:
    """Create the record, or change its aliases and nothing else."""
    try:
        values = client.resolve(name, fresh=True).values
    except NotFoundError:
        client.register(name, (_alias(1, options.identifier),))
        return "registered"
    aliases = [value for value in values if value.type.upper() == ALIAS_TYPE]
    if [value.text for value in aliases] == [options.identifier]:
        return "there already"
    if not aliases:
        free = max((value.index for value in values), default=0) + 1
        client.add(name, (_alias(free, options.identifier),))
        return "added"
    if not options.overwrite:
        others = ", ".join(value.text for value in aliases)
        message = f"it means {others} already; --overwrite replaces that"
        raise AlreadyExistsError(101, message, name)
    first, *rest = aliases
    client.update(name, (_alias(first.index, options.identifier),))
    if rest:
        client.remove(name, [value.index for value in rest])
    return "replaced"


def _alias(index: int, identifier: str) -> Value:
    return Value(index, ALIAS_TYPE, identifier.encode(), ttl=TTL_SECONDS)
