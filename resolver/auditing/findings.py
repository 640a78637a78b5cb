"""What a recheck finds: the first thing of each table that is not what was written."""

from types import TracebackType
from typing import NamedTuple

from chain_anchor.errors import AnchorError, CorruptLogError
from registry.errors import RegistryError


class Finding(NamedTuple):
    """Something that is not what was written."""

    table: str
    key: str
    """Readable where it is text, else hexadecimal; empty if it is about more than one
    entry."""

    problem: str


class Findings:
    """Collects findings."""

    def __init__(self) -> None:
        self.found: list[Finding] = []

    def about(self, *tables: str) -> bool:
        """Tell whether one of these tables has a finding."""
        return any(one.table in tables for one in self.found)

    def attempt(self, table: str, key: bytes = b"") -> "Attempt":
        """Give a `with` block that turns what is raised in it into a finding.

        Args:
            table: Where it is, unless the error knows better.
            key: Likewise.
        """
        return Attempt(self, table, key)

    def add(self, found: Finding) -> None:
        """Note a finding, unless its table has one already."""
        if not self.about(found.table):
            self.found.append(found)


class Attempt:
    """A block from which nothing but a finding comes."""

    def __init__(self, findings: Findings, table: str, key: bytes) -> None:
        self._findings = findings
        self._table = table
        self._key = key

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Note what was raised."""
        if error is None:
            return False
        if not isinstance(error, Exception):
            return False
        if isinstance(error, CorruptLogError):
            problem = str(error).partition(": ")[2]
            found = Finding(error.table, readable(error.key), problem)
        elif isinstance(error, AnchorError | RegistryError):
            found = Finding(self._table, readable(self._key), str(error))
        else:
            # Damage takes any shape: where octets end too early, what they mean.
            problem = f"cannot be read: {error!r}"
            found = Finding(self._table, readable(self._key), problem)
        self._findings.add(found)
        return True


def readable(key: bytes) -> str:
    """Write a key: as text if it is some, else hexadecimal."""
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return key.hex()
    return text if text.isprintable() else key.hex()
