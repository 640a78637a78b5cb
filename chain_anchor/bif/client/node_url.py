"""Where a node is: a URL, taken apart.

A path below which everything lies is allowed, as gateways have one.
"""

from typing import NamedTuple
from urllib.parse import urlsplit

from chain_anchor.bif.client.errors import TimedOutError, UnreachableError

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class NodeUrl(NamedTuple):
    """A URL of a node's HTTP or WebSocket face."""

    scheme: str
    host: str
    port: int
    prefix: str
    """Path under which everything is, without a slash at its end."""

    @classmethod
    def parse(cls, url: str, *schemes: str) -> "NodeUrl":
        """Take a URL apart that has one of the schemes.

        Raises:
            ValueError: It has not, or more than a host, a port and a path.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError as error:
            raise _bad_url(url, schemes) from error
        plain = url.isascii() and url.isprintable() and " " not in url
        extra = parts.query or parts.fragment or "@" in parts.netloc
        if not (plain and parts.scheme in schemes and parts.hostname) or extra:
            raise _bad_url(url, schemes)
        return cls(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))

    @property
    def secure(self) -> bool:
        """Whether it is spoken to over TLS."""
        return self.scheme in {"https", "wss"}

    @property
    def authority(self) -> str:
        """Host and port, as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = self.port == _PORTS[self.scheme]
        return host if default else f"{host}:{self.port}"

    @property
    def text(self) -> str:
        """The URL."""
        return f"{self.scheme}://{self.authority}{self.prefix}"


def _bad_url(url: str, schemes: tuple[str, ...]) -> ValueError:
    return ValueError(
        f"{url!r:.199}: a URL of {' or '.join(schemes)} expected, with at most a path, "
        f"for example {schemes[0]}://127.0.0.1:27002"
    )


def websocket_url(node: NodeUrl, port: int) -> str:
    """Say where a node takes subscriptions, if it names a port.

    Raises:
        UnreachableError: it names none.
    """
    if not port:
        raise UnreachableError(f"{node.text}: the node names no WebSocket port")
    host = f"[{node.host}]" if ":" in node.host else node.host
    return f"{'wss' if node.secure else 'ws'}://{host}:{port}"


def timed_out(node: NodeUrl) -> TimedOutError:
    """Make the error of a node that takes too long."""
    return TimedOutError(f"{node.text} did not answer in time")
