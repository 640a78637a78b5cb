"""What the other commands know of a running network: where it is, who you are."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.errors import CredentialError
from resolver.errors import SetupError, UnreachableError
from resolver.ready_file import well_known_file
from resolver.session.exchange import ServerAddress
from resolver.session.signature import (
    Credential,
    SecretCredential,
    load_credential,
)

DEFAULT_SERVER = "127.0.0.1:3641"

_NEEDED = {"data", "nodes", "recursive", "credentials"}
"""What makes a description one that can be used here."""


@dataclass(frozen=True, slots=True)
class Who:
    """What the arguments say about server and credential."""

    server: str | None = None
    user: str | None = None
    key: Path | None = None
    secret: str | None = None


def running_network() -> dict[str, Any] | None:
    """Read the description that `idis up` left; None when nothing runs.

    IDIS_READY_FILE names another file than the usual one.
    """
    named = os.environ.get("IDIS_READY_FILE")
    file = Path(named) if named else well_known_file()
    try:
        ready = json.loads(file.read_text())
        os.kill(int(ready["pid"]), 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return ready if ready.keys() >= _NEEDED else None


def required_network() -> dict[str, Any]:
    """Read the description of the running network.

    Raises:
        UnreachableError: Nothing runs.
    """
    ready = running_network()
    if ready is None:
        message = "no running network was found"
        raise UnreachableError(message)
    return ready


def server_address(server: str | None) -> str:
    """Give the address to ask: the argument, the running network's, or the usual.

    Raises:
        SetupError: The argument is no address.
    """
    if server is not None:
        return _checked(server)
    ready = running_network()
    if ready is None:
        return DEFAULT_SERVER
    host, port = ready["recursive"]["handle"]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def network_name() -> str:
    """Tell networks apart: by where the running one keeps its data."""
    ready = running_network()
    return str(ready["data"]) if ready is not None else DEFAULT_SERVER


def check_arguments(who: Who) -> None:
    """Check a credential that the arguments name, before anything is done with it.

    Raises:
        SetupError: They do not make one.
    """
    if who.user or who.key or who.secret:
        _from_arguments(who)


def credential_for(prefix: str, who: Who) -> Credential | None:
    """Find the credential to write under a prefix with; None when writes are open.

    Raises:
        SetupError: The arguments do not make one, or none is known.
    """
    if who.user or who.key or who.secret:
        return _from_arguments(who)
    ready = running_network()
    if ready is not None:
        # The secret comes last for each prefix, and costs least to prove.
        for entry in reversed(ready["credentials"]):
            owned = (entry["handle"].partition("/")[0], *entry.get("code_prefixes", ()))
            if prefix.upper() in (one.upper() for one in owned):
                return from_ready(entry)
        if ready.get("open_writes"):
            return None
    message = f"no credential is known for prefix {prefix}"
    raise SetupError(
        message, "say who you are: --user INDEX:HANDLE and --key or --secret"
    )


def from_ready(entry: dict[str, Any]) -> Credential:
    """Make a credential from an entry of the ready file.

    Raises:
        SetupError: Its key file cannot be read.
    """
    if entry["kind"] == "secret":
        secret = entry["secret"].encode()
        return SecretCredential(entry["handle"], entry["index"], secret)
    return _from_key(entry["handle"], entry["index"], Path(entry["private_key"]))


def _checked(server: str) -> str:
    try:
        ServerAddress.parse(server)
    except ValueError as error:
        raise SetupError(str(error), "for example --server 127.0.0.1:3641") from None
    return server


def _from_arguments(who: Who) -> Credential:
    index, colon, handle = (who.user or "").partition(":")
    if not (colon and index.isdecimal() and handle):
        message = f"--user {who.user!r}: INDEX:HANDLE expected"
        raise SetupError(message, "for example --user 300:88.118.7/admin")
    if who.secret is not None:
        return SecretCredential(handle, int(index), who.secret.encode())
    if who.key is None:
        message = "--user needs --key or --secret"
        raise SetupError(message, "--key FILE.pem for a key, --secret S for a secret")
    return _from_key(handle, int(index), who.key)


def _from_key(handle: str, index: int, file: Path) -> Credential:
    try:
        return load_credential(handle, index, file.read_bytes())
    except (OSError, CredentialError) as error:
        message = f"key {file}: {error}"
        raise SetupError(message, "an unencrypted PEM file is expected") from error
