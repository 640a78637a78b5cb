"""Where a service beside a node is: its URL, taken apart.

Apart from what asks there, so that who asks over plain sockets loads no asyncio.
"""

from typing import NamedTuple
from urllib.parse import urlsplit

from resolver.errors import SetupError

_PORTS = {"http": 80, "https": 443}


class WebAddress(NamedTuple):
    """Where a server is."""

    scheme: str
    host: str
    port: int
    prefix: str
    """Path under which everything is, without a slash at its end."""

    @classmethod
    def parse(cls, url: str) -> "WebAddress":
        """Take a URL apart.

        Raises:
            SetupError: It is not an http or https URL with nothing but a path.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError as error:
            raise _bad_url(url) from error
        plain = url.isascii() and url.isprintable() and " " not in url
        extra = parts.query or parts.fragment or "@" in parts.netloc
        known = parts.scheme in _PORTS
        if not (plain and known and parts.hostname and port) or extra:
            raise _bad_url(url)
        return cls(parts.scheme, parts.hostname, port, parts.path.rstrip("/"))

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _bad_url(url: str) -> SetupError:
    return SetupError(
        f"{url!r:.199}: a URL expected, with nothing behind its path",
        "for example http://127.0.0.1:3000/log",
    )
