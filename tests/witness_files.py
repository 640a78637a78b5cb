"""Files of a witness that can be lost as a machine loses them.

What is written lies in the page cache; `sync` brings the octets of a file to the disk,
`sync_directory` the names. A kill leaves the page cache, a power cut does not: names
are then as of some moment since the last sync, and octets that were not synced are old,
torn, or zeros. A sync that fails leaves the page cache as it is, and a later one of the
same file does not try again (Linux).
"""

import errno
import random
from dataclasses import dataclass, field


class CutError(Exception):
    """The process has ended here."""


@dataclass
class _Inode:
    cached: bytes = b""
    stored: bytes = b""
    given_up: bool = False


@dataclass
class LosableFiles:
    """See `chain_anchor.witness_store.Files`."""

    cut_at: int = -1
    """The process ends before this step, counted from the last `cut`."""

    fail_at: int = -1
    """This step fails, if it writes or syncs."""

    steps: int = 0
    _names: dict[str, _Inode] = field(default_factory=dict)
    _stored: dict[str, _Inode] = field(default_factory=dict)
    _moments: list[dict[str, _Inode]] = field(default_factory=list)

    def names(self) -> list[str]:
        return list(self._names)

    def read(self, name: str) -> bytes:
        return self._names[name].cached

    def write(self, name: str, octets: bytes) -> None:
        self._step()
        inode = self._names.setdefault(name, _Inode())
        # Open truncates before anything is written.
        inode.cached = b""
        self._moment()
        self._step()
        inode.cached = octets
        inode.given_up = False

    def sync(self, name: str) -> None:
        inode = self._names[name]
        try:
            self._step()
        except OSError:
            inode.given_up = True
            raise
        if not inode.given_up:
            inode.stored = inode.cached

    def rename(self, name: str, new_name: str) -> None:
        self._step()
        self._names[new_name] = self._names.pop(name)
        self._moment()

    def remove(self, name: str) -> None:
        del self._names[name]
        self._moment()

    def sync_directory(self) -> None:
        self._step()
        self._stored = dict(self._names)
        self._moments.clear()

    def cut(self, chance: random.Random, *, power: bool) -> None:
        """End the process, and maybe the machine."""
        self.steps, self.cut_at, self.fail_at = 0, -1, -1
        if not power:
            return
        names = chance.choice([self._stored, *self._moments])
        for inode in set(map(id, names.values())):
            lost = next(one for one in names.values() if id(one) == inode)
            if lost.cached != lost.stored:
                torn = lost.cached[: chance.randrange(len(lost.cached) + 1)]
                lost.cached = chance.choice([lost.stored, torn, bytes(len(torn))])
            lost.stored, lost.given_up = lost.cached, False
        self._names, self._stored = dict(names), dict(names)
        self._moments.clear()

    def _moment(self) -> None:
        self._moments.append(dict(self._names))

    def _step(self) -> None:
        if self.steps == self.cut_at:
            raise CutError
        self.steps += 1
        if self.steps - 1 == self.fail_at:
            raise OSError(errno.EIO, "Input/output error")
