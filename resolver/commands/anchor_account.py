"""Which chain the national log is anchored on, and from whose account: arguments."""

from pathlib import Path
from typing import TYPE_CHECKING

from resolver.errors import SetupError

if TYPE_CHECKING:
    from chain_anchor.bif.keys import PrivateKey

_MAX_OCTETS = 4096
_KEY_HINT = (
    "a file with one line expected: a private key as the chain writes it, pri..."
)


def anchor_url(url: str | None, key: Path | None) -> str:
    """Check the URL of a chain; empty for the network's own.

    Raises:
        SetupError: It is none of http or https, or no account is given for it.
    """
    if url is None:
        return ""
    from chain_anchor.bif.client.node_url import NodeUrl

    try:
        checked = NodeUrl.parse(url, "http", "https").text
    except ValueError as error:
        message = f"--anchor-url {error}"
        raise SetupError(message, "give the HTTP endpoint of a node") from None
    if key is None:
        message = f"--anchor-url {url}: whose account sends is not said"
        raise SetupError(message, "give the account's key with --anchor-key FILE")
    return checked


def anchor_key(file: Path | None) -> "PrivateKey | None":
    """Read the key of an account.

    Raises:
        SetupError: The file cannot be read, or has no key. The text is not repeated.
    """
    if file is None:
        return None
    from chain_anchor.bif.errors import EncodingError
    from chain_anchor.bif.keys import PrivateKey

    try:
        with file.open("rb") as opened:
            text = opened.read(_MAX_OCTETS).decode().strip()
        return PrivateKey.parse(text)
    except OSError as error:
        message = f"--anchor-key {file}: {error.strerror or error}"
        raise SetupError(message, _KEY_HINT) from None
    except (EncodingError, UnicodeDecodeError):
        raise SetupError(f"--anchor-key {file}: it has no key", _KEY_HINT) from None
