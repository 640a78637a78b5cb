"""Redirects that were given before, each as long as the records behind it are remembered.

What a redirect depends on is in its key: the URI, the name of the resolver, and the
headers that are negotiated. It lives as long as the recursive node would answer from its
cache anyway, `Reply.expires` of the record that goes first, so nobody is sent anywhere
that they would not be sent without it. The redirect used longest ago gives way.
"""

from collections import OrderedDict

from resolver.faces.exchange import Request, Response

MAX_ENTRIES = 4096
MAX_OCTETS = 4096
"""Of a key and its redirect together; longer ones are made each time."""

Key = tuple[bytes, bytes, bytes, bytes, bytes, bool]


def key_of(request: Request) -> Key | None:
    """Give what the answer depends on; None when nothing remembered will do."""
    headers = request.headers
    if b"cache-control" in headers or request.method not in ("GET", "HEAD"):
        return None
    return (
        request.path,
        request.query,
        headers.get(b"host", b""),
        headers.get(b"accept", b""),
        headers.get(b"accept-language", b""),
        request.secure,
    )


class RememberedRedirects:
    """A bounded map from requests to redirects."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Key, tuple[float, Response]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key, now: float) -> Response | None:
        """Look a redirect up; None when it is unknown or its time is up."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= now:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: Key, response: Response, expires: float) -> None:
        """Remember a redirect, unless it is too long."""
        octets = sum(map(len, key[:-1])) + len(response.body) * 2
        if octets > MAX_OCTETS:
            return
        if key not in self._entries and len(self._entries) >= MAX_ENTRIES:
            self._entries.popitem(last=False)
        self._entries[key] = expires, response
        self._entries.move_to_end(key)
