"""Who a client has proved to be."""

from typing import NamedTuple


class Identity(NamedTuple):
    """A key or secret of an identifier, and so whoever holds it."""

    handle: bytes
    """Canonical."""

    index: int  # type: ignore[assignment]  # hides tuple.index, unused here

    def __str__(self) -> str:
        return f"{self.index}:{self.handle.decode(errors='replace')}"
