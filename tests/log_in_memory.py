"""A node's log over tables in a dict: all that the log's HTTP face needs of a node.

What a store and a registry do with disks and threads is left out, nothing else: drafts,
log, map and proofs are the real ones.
"""

from types import SimpleNamespace

from chain_anchor.buckets import PlainEngine
from chain_anchor.log import Log
from registry.journal import Entry, Operation, digest_of
from registry.model.identifier import CaseRule
from registry.model.record import make_record
from registry.model.value import Value
from registry.store.interface import Home, Made
from resolver.faces.exchange import Request
from resolver.faces.log import LogFace
from resolver.keys import SeededKeys
from resolver.log_drafts import Drafter
from resolver.log_keys import LogKeys
from resolver.telemetry import Telemetry

ORIGIN = "memory.idis.test/log"
PREFIX = b"88.100.1"
URL = Value(1, "URL", b"https://example.org")
KEYS = LogKeys(ORIGIN, SeededKeys(1))


class Tables:
    """The log's tables."""

    def __init__(self):
        self.kept = {}

    def get(self, table, key):
        return self.kept.get((table, key))

    def items(self, table, start=b""):
        found = (
            (key, octets) for (one, key), octets in self.kept.items() if one == table
        )
        return iter(sorted(item for item in found if item[0] >= start))

    def put(self, puts):
        for table, items in puts.items():
            for key, octets in items:
                if octets is None:
                    del self.kept[table, key]
                else:
                    self.kept[table, key] = octets


class MemoryLog:
    """What `Sealing` is to a node, and the snapshot that it pins, in one."""

    def __init__(self):
        self.log = Log(KEYS.signer(), PlainEngine())
        self.drafter = Drafter(KEYS.blinding)
        self.tables = Tables()
        self.serial = 0
        self.homes = {}
        self.records = {}
        self.log.open(self.tables)

    @property
    def view(self):
        return self

    def extend(self, bundle):
        return bundle

    def rotations(self):
        return []

    def get(self, name):
        return self.records.get(name)

    def home(self, prefix):
        return self.homes.get(prefix)

    def group(self, *changes):
        """Log changes in one group: (operation, name, values)."""
        made = [self._made(*change) for change in changes]
        drafts = [self.drafter.draft(one, self.homes) for one in made]
        self.tables.put(self.log.seal(self.tables, drafts, self.serial))
        self.log.publish()

    def home_prefix(self, *admins):
        self.group((Operation.HOME, PREFIX, admins))

    def register(self, *names, values=(URL,)):
        self.group(*((Operation.CREATE, PREFIX + b"/" + one, values) for one in names))

    def _made(self, operation, name, values=()):
        self.serial += 1
        record = None
        if operation in (Operation.HOME, Operation.STOP):
            active = operation is Operation.HOME
            self.homes[name] = Home(name, active, tuple(values))
        elif operation is Operation.DELETE:
            del self.records[name]
        else:
            record = self.records[name] = make_record(name, self.serial, values)
        digest = digest_of(record.values_octets if record else None)
        entry = Entry(self.serial, operation, self.serial, name, digest, b"", 0)
        return Made(entry, record)


def face_of(sealing):
    """Give the face of a node with this log, and the node."""
    node = SimpleNamespace(
        settings=SimpleNamespace(
            name="memory", case_rule=CaseRule.FOLD, hosts=("127.0.0.1",)
        ),
        sealing=sealing,
        telemetry=Telemetry(),
        http=SimpleNamespace(port=1),
    )
    return LogFace(node), node


def ask(face, target: str, accept=""):
    path, _, query = target.partition("?")
    headers = {b"accept": accept.encode()} if accept else {}
    return face.answer(
        Request("GET", path.encode(), query.encode(), headers, None, secure=False)
    )
