"""One node, rechecked: its log, then the journal and the registry against it."""

import contextlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from chain_anchor import entry_rows, upper
from chain_anchor.auditing import (
    Replay,
    StoredHead,
    audit_buckets,
    audit_head,
    audit_rows,
)
from chain_anchor.buckets import PlainEngine
from chain_anchor.log import HEAD_KEY, META_TABLE, Engine
from chain_anchor.note import VerifierKey
from chain_anchor.rows import TABLE as ROWS_TABLE
from registry.store.lmdb_snapshot import LmdbSnapshot
from resolver.auditing.findings import Finding, Findings
from resolver.auditing.journal import JOURNAL, JournalCheck, Lines, Seen
from resolver.auditing.log_meta import check_log_meta, signer_key
from resolver.auditing.registry import RECORDS, RegistryCheck
from resolver.auditing.searched import Searched
from resolver.log_drafts import Drafter
from resolver.log_keys import LogKeys

Tell = Callable[[int], None]
"""Told how many more changes or records have been rechecked."""

_LARGE = 20_000
"""Entries from which on compiled kernels save more than they take to load."""


class Audited(NamedTuple):
    """What a recheck came to."""

    origin: str
    size: int
    """Entries of the log."""

    changes: int
    records: int
    homes: int
    unlogged: int
    """Changes of the journal that the log does not have yet: an older version made
    them, and the next start logs them."""

    checkpoint: str
    seen: list[Seen]
    """Checkpoints of children that the log holds."""

    findings: list[Finding]


def make_engine(size: int) -> Engine:
    """Make the engine for a replay of so many entries."""
    if size >= _LARGE:
        with contextlib.suppress(ImportError):
            from resolver.fastpath.compiling import import_numba

            import_numba()
            from chain_anchor.compiled.engine import CompiledEngine

            return CompiledEngine()
    return PlainEngine()


def parts_of(snapshot: LmdbSnapshot) -> int:
    """Give how many changes and records there are to be told of."""
    tables = snapshot.all_tables
    return tables.count(JOURNAL) + tables.count(RECORDS)


def audit_node(
    snapshot: LmdbSnapshot,
    keys: LogKeys,
    pinned: Sequence[VerifierKey] = (),
    tell: Tell = lambda _: None,
    engine: Callable[[int], Engine] = make_engine,
) -> Audited:
    """Recheck everything that a node has stored.

    Args:
        snapshot: Of its store.
        keys: Of its log, from the network's seed.
        pinned: Keys of which one must lead to the one that signs now, if any are given.
        tell: Told of progress.
        engine: Makes the engine that replays so many entries.
    """
    tables, findings = Searched(snapshot), Findings()
    journal = JournalCheck(Lines(tables.items(JOURNAL)), findings)
    head: StoredHead | None = None
    replay: Replay | None = None
    with findings.attempt(META_TABLE, HEAD_KEY):
        head = audit_head(tables, keys.origin, (signer_key(tables, keys),))
    if head is not None:
        with findings.attempt(ROWS_TABLE):
            audit_rows(tables, head.checkpoint)
        with findings.attempt(upper.TABLE):
            audit_buckets(tables, head.header)
        whole = Replay(tables, head, engine(head.checkpoint.size))
        with findings.attempt(entry_rows.TABLE):
            for group in whole.groups():
                journal.follow(group)
                tell(len(group.changes))
            replay = whole
    journal.finish()
    registry = RegistryCheck(
        snapshot, Drafter(keys.blinding), journal, replay, findings
    )
    registry.run(tell)
    if replay is not None:
        with findings.attempt(META_TABLE):
            check_log_meta(tables, keys, pinned, journal)
    known = replay is not None or not findings.about(META_TABLE)
    return Audited(
        origin=keys.origin,
        size=head.checkpoint.size if head else 0,
        changes=journal.changes,
        records=registry.records,
        homes=registry.homes,
        unlogged=journal.unlogged if known else 0,
        checkpoint=head.note.decode() if head else "",
        seen=[one for each in journal.seen.values() for one in each],
        findings=findings.found,
    )
