"""An audit searches for what it walks over."""

import os
import struct

import pytest

from chain_anchor.errors import CorruptLogError
from registry.model.record import make_record
from registry.store.interface import Batch
from registry.store.lmdb import LmdbStore
from registry.store.meta_pages import DATA_FILE
from resolver.auditing.searched import Searched
from tests.registries import name, url

PAGE_OCTETS = os.sysconf("SC_PAGESIZE")
BRANCH = 0x01
HEADER = struct.Struct("=8xHHH")  # unused, flags, end of the list of nodes
NODE = struct.Struct("=6xH")  # octets of the key, which follows


def raise_separators(file) -> int:
    """Damage the keys of all branches, so that searches go too far left."""
    octets, raised = bytearray(file.read_bytes()), 0
    for page in range(0, len(octets), PAGE_OCTETS):
        _, flags, end = HEADER.unpack_from(octets, page)
        if flags != BRANCH or b"88.100.1/" not in octets[page : page + PAGE_OCTETS]:
            continue
        for at in range(page + 18, page + end, 2):  # the first has no key
            node = page + int.from_bytes(octets[at : at + 2], "little")
            last = node + NODE.size + NODE.unpack_from(octets, node)[0] - 1
            octets[last] |= 0x40
            raised += 1
    file.write_bytes(octets)
    return raised


def test_a_record_that_no_search_finds_is_found_missing(tmp_path):
    store = LmdbStore(tmp_path)
    records = [make_record(name(n), n, (url(),)) for n in range(1, 500)]
    store.write(Batch(500, records={record.name: record for record in records}))
    with store.snapshot() as snapshot:
        assert len(list(Searched(snapshot).items("records"))) == len(records)
    store.close()
    assert raise_separators(tmp_path / DATA_FILE)
    store = LmdbStore(tmp_path)
    with store.snapshot() as snapshot:
        missing = [one.name for one in records if snapshot.get(one.name) is None]
        assert missing
        assert len(list(snapshot.all_tables.items("records"))) == len(records)
        with pytest.raises(CorruptLogError, match="a search for it does not") as found:
            list(Searched(snapshot).items("records"))
        assert found.value.key in missing
    store.close()
