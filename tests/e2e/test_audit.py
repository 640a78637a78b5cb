"""`idis verify --data`: every flipped bit of what is stored is found, and where."""

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import lmdb
import pytest

from chain_anchor.note import VerifierKey
from registry.errors import StoreError
from registry.journal import Operation
from registry.store.lmdb import LmdbStore
from resolver.auditing.findings import Finding
from resolver.auditing.node import audit_node
from resolver.commands.audit_process import WorkerDiedError, Workers
from resolver.commands.audit_worker import FILE
from resolver.keys import SeededKeys
from resolver.log_keys import LogKeys, log_origin
from tests.data_directories import (
    CHILD,
    PARENT,
    PREFIX,
    PUBLIC,
    SEED,
    TABLES,
    Editor,
    StoredNode,
    change,
    copy_of,
    make_data_directory,
    name,
    write_description,
)

FLIPS = 60
"""Bits of each table that are flipped, spread over all its values."""

RAW_FLIPS = 400
RELATED = {
    "log_rows": {"log_rows", "log_entries", "log_meta"},
    "meta": {"meta", FILE},
}
"""Tables in which damage to one may show, where it is not itself alone."""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return make_data_directory(tmp_path_factory.mktemp("template") / "data")


@pytest.fixture
def data(template, tmp_path):
    return copy_of(template, tmp_path / "data")


def keys_of(node):
    return LogKeys(log_origin(node), SeededKeys(SEED))


def audit(data, node, pinned=()):
    """Recheck a node in this process; what cannot be opened is damaged, too."""
    try:
        store = LmdbStore(data / "nodes" / node, read_only=True)
    except StoreError as error:
        return SimpleNamespace(findings=[Finding(FILE, "", str(error))])
    try:
        with store.snapshot() as snapshot:
            return audit_node(snapshot, keys_of(node), pinned)
    finally:
        store.close()


def verify(data, *arguments):
    """Run the command; gives its exit code, its report and what it says."""
    command = [sys.executable, "-m", "resolver.cli", "verify", "--data", data]
    done = subprocess.run(
        [*map(str, command), "--json", *map(str, arguments)],
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or b"{}"), done.stderr.decode()


def findings(report):
    return [
        (node["name"], found["table"], found["key"])
        for node in report["nodes"]
        for found in node["findings"]
    ]


def flipped(octets: bytes, at: int, bit: int) -> bytes:
    changed = bytearray(octets)
    changed[at] ^= 1 << bit
    return bytes(changed)


# ---- what is whole ------------------------------------------------------------------


def test_a_whole_directory_is_whole(data):
    code, report, _ = verify(data)
    assert code == 0
    assert report["whole"]
    counts = {
        n["name"]: (n["changes"], n["records"], n["homes"]) for n in report["nodes"]
    }
    assert counts == {CHILD: (51, 44, 1), PARENT: (6, 1, 1)}
    assert report["entries"] == sum(node["size"] for node in report["nodes"])
    assert findings(report) == []


def test_nothing_is_changed_by_it(data):
    before = [(f, f.stat().st_mtime_ns) for f in data.rglob(FILE)]
    assert verify(data)[0] == 0
    assert before == [(f, f.stat().st_mtime_ns) for f in data.rglob(FILE)]


def test_it_works_while_the_node_is_open_elsewhere(data):
    with StoredNode(data, CHILD) as node:
        node.write(change(Operation.CREATE, name(70), PUBLIC))
        code, report, _ = verify(data)
    assert (code, findings(report)) == (0, [])


def test_changes_from_before_there_was_a_log_are_told_and_then_logged(tmp_path):
    data = tmp_path / "data"
    write_description(data)
    with StoredNode(data, CHILD, sealed=False) as node:
        node.write(change(Operation.HOME, PREFIX))
        node.write(change(Operation.CREATE, name(1), PUBLIC))
        node.write(change(Operation.CREATE, name(1), PUBLIC._replace(data=b"2")))
    found = audit(data, CHILD)
    assert (found.findings, found.unlogged) == ([], 3)
    with StoredNode(data, CHILD):
        pass
    found = audit(data, CHILD)
    assert (found.findings, found.unlogged, found.changes) == ([], 0, 3)


def test_a_directory_of_something_else_is_misuse(tmp_path):
    code, _, said = verify(tmp_path)
    assert code == 2
    assert "is not the data directory of a network" in said


# ---- flipped bits -------------------------------------------------------------------


def each_flip(data, node, table, count=FLIPS):
    """Flip one bit after the other in the values of a table."""
    editor = Editor(data, node)
    stored = editor.stored(table)
    stored.pop(b"transaction", None)  # every edit is one; it has a test of its own
    every = [(key, at) for key, value in stored.items() for at in range(len(value))]
    for number, (key, at) in enumerate(every[:: max(1, len(every) // count)]):
        editor.put(table, {key: flipped(stored[key], at, number % 8)})
        yield key
        editor.put(table, {key: stored[key]})


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("node", [CHILD, PARENT])
def test_a_flipped_bit_is_found_in_its_table(data, node, table):
    flips = 0
    for _ in each_flip(data, node, table):
        found = {one.table for one in audit(data, node).findings}
        assert found & RELATED.get(table, {table})
        flips += 1
    assert flips
    assert audit(data, node).findings == []


@pytest.mark.parametrize("bit", [1, 2, 9, 40, 63])
def test_a_flipped_bit_of_the_last_transaction_is_found(data, bit):
    editor = Editor(data, CHILD)
    stored = editor.stored("meta")[b"transaction"]
    number = int.from_bytes(stored) ^ 1 << bit
    editor.put("meta", {b"transaction": number.to_bytes(8)})
    assert {one.table for one in audit(data, CHILD).findings} <= RELATED["meta"]
    assert audit(data, CHILD).findings


@pytest.mark.parametrize("table", TABLES)
def test_a_lost_entry_is_found(data, table):
    editor = Editor(data, CHILD)
    stored = editor.stored(table)
    for key in [*stored][:: max(1, len(stored) // 12)]:
        editor.put(table, {key: None})
        assert audit(data, CHILD).findings, key
        editor.put(table, {key: stored[key]})


@pytest.mark.parametrize("table", TABLES)
def test_an_entry_too_many_is_found(data, table):
    editor = Editor(data, CHILD)
    key, value = max(editor.stored(table).items())
    editor.put(table, {key + b"0": value})
    assert {one.table for one in audit(data, CHILD).findings} == {table}


def test_an_older_record_in_its_place_is_found(data, template):
    """Whoever puts an older record back makes all its checksums right."""
    editor = Editor(data, CHILD)
    old = editor.stored("records")[name(5)]
    with StoredNode(data, CHILD) as node:
        node.write(change(Operation.CREATE, name(5), PUBLIC._replace(data=b"new")))
    editor.put("records", {name(5): old})
    (found,) = audit(data, CHILD).findings
    assert (found.table, found.key) == ("records", name(5).decode())
    assert "serial" in found.problem


def test_what_is_found_is_told_with_table_and_key_and_a_hint(data):
    editor = Editor(data, CHILD)
    key = name(7)
    editor.put("records", {key: flipped(editor.stored("records")[key], 40, 2)})
    code, report, _ = verify(data)
    assert code == 1
    assert not report["whole"]
    assert findings(report) == [(CHILD, "records", key.decode())]
    command = [sys.executable, "-m", "resolver.cli", "verify", "--data", str(data)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"error: {CHILD}: records {key.decode()}" in done.stderr.decode()
    assert "hint:" in done.stderr.decode()
    assert "damaged" in done.stdout.decode()


def test_damage_in_several_tables_is_told_of_each(data):
    editor = Editor(data, CHILD)
    tables = ("records", "journal", "homes", "log_map", "log_rows")
    for table in tables:
        key, value = next(iter(editor.stored(table).items()))
        editor.put(table, {key: flipped(value, len(value) - 1, 0)})
    found = {one.table for one in audit(data, CHILD).findings}
    assert found >= set(tables)


# ---- keys, copies, the description --------------------------------------------------


def test_a_pinned_key_must_lead_to_the_one_that_signs(data):
    keys = keys_of(CHILD)
    for generation in (0, 1):
        assert audit(data, CHILD, [keys.signer(generation).key]).findings == []
    (found,) = audit(data, CHILD, [keys.signer(2).key]).findings
    assert found.table == "log_meta"
    code, report, _ = verify(data, "--key", keys.signer(2).key)
    assert (code, findings(report)) == (1, [(CHILD, "log_meta", "head")])


def test_a_pinned_key_of_no_log_there_is_misuse(data):
    key = LogKeys("nowhere.idis.test/log", SeededKeys(1)).signer().key
    code, _, said = verify(data, "--key", key)
    assert code == 2
    assert "nowhere" in said
    assert VerifierKey.parse(str(key)) == key


def test_a_description_that_names_another_seed_is_found(data):
    (data / "network.json").write_text('{"format": 1, "seed": 4}')
    code, report, _ = verify(data)
    assert code == 1
    assert {table for _, table, _ in findings(report)} == {"log_meta"}


def test_a_description_that_is_none_is_found(data):
    (data / "network.json").write_text("{")
    code, report, _ = verify(data)
    assert code == 1
    assert [one["table"] for one in report["findings"]] == ["network.json"]


def test_an_older_copy_of_one_node_is_found_by_the_log_above_it(data, tmp_path):
    old = copy_of(data / "nodes" / CHILD, tmp_path / "old")
    with StoredNode(data, CHILD) as node:
        node.write(change(Operation.CREATE, name(80), PUBLIC))
        note = node.sealing.log.head.checkpoint.text().encode()
    with StoredNode(data, PARENT) as node:
        origin = log_origin(CHILD).encode()
        node.write(change(Operation.NOTE, origin, note=note))
    assert verify(data)[0] == 0
    shutil.rmtree(data / "nodes" / CHILD)
    copy_of(old, data / "nodes" / CHILD)
    assert audit(data, CHILD).findings == []
    code, report, _ = verify(data)
    assert (code, findings(report)) == (1, [(CHILD, "log_meta", "head")])
    assert "an older copy" in report["nodes"][1]["findings"][0]["problem"]


# ---- raw octets of the engine's files -----------------------------------------------


def everything(directory: Path) -> dict:
    """Read all tables, as the engine gives them."""
    with lmdb.Environment(
        str(directory), readonly=True, lock=False, max_dbs=len(TABLES)
    ) as environment:
        found = {}
        for table in TABLES:
            handle = environment.open_db(table.encode(), create=False)
            with environment.begin(db=handle) as transaction:
                found[table] = list(transaction.cursor())
        return found


def test_a_flipped_bit_of_the_file_is_found_or_harmless(data):
    """Harmless is a bit that no reader sees: everything that can be read is the same."""
    directory = data / "nodes" / CHILD
    file = directory / FILE
    whole, before = file.read_bytes(), everything(directory)
    job = {
        "do": "audit",
        "name": CHILD,
        "directory": str(directory),
        "seed": SEED,
        "pinned": [],
    }
    chance = random.Random(7)
    found = harmless = 0
    with Workers() as workers:
        for _ in range(RAW_FLIPS):
            at, bit = chance.randrange(len(whole)), chance.randrange(8)
            file.write_bytes(flipped(whole, at, bit))
            try:
                report = workers.ask(job, lambda _: None)
            except WorkerDiedError:
                found += 1
                continue
            if report["findings"]:
                found += 1
                continue
            assert everything(directory) == before, f"octet {at}, bit {bit}"
            harmless += 1
    assert found > RAW_FLIPS / 20
    assert harmless > RAW_FLIPS / 20


def test_a_file_cut_short_is_found_and_does_not_end_the_command(data):
    file = data / "nodes" / CHILD / FILE
    file.write_bytes(file.read_bytes()[: 6 * 4096])
    code, report, _ = verify(data)
    assert code == 1
    assert [node for node, _, _ in findings(report)] == [CHILD]


def test_a_file_of_noise_is_found(data):
    file = data / "nodes" / CHILD / FILE
    file.write_bytes(random.Random(1).randbytes(1 << 16))
    code, report, _ = verify(data)
    assert code == 1
    assert findings(report) == [(CHILD, FILE, "")]
