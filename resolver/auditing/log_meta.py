"""What a log's store keeps beside the log: its key's rotations, and how far it is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chain_anchor.auditing import ascending, audit_head
from chain_anchor.checkpoint import Checkpoint, parse_checkpoint
from chain_anchor.entries import Rotation
from chain_anchor.errors import CorruptLogError
from chain_anchor.log import HEAD_KEY, META_TABLE
from chain_anchor.merkle import root_of
from chain_anchor.note import Note, VerifierKey, open_note
from chain_anchor.rotation import verify_rotation
from chain_anchor.rows import TABLE as ROWS_TABLE, Rows, protected
from resolver.auditing.journal import JournalCheck
from resolver.auditing.searched import Searched
from resolver.log_keys import LogKeys

if TYPE_CHECKING:
    from resolver.auditing.findings import Findings

_SERIAL, _GENERATION = b"serial", b"generation"


def signer_key(tables: Searched, keys: LogKeys) -> VerifierKey:
    """Give the key that signs now, by what the store says."""
    octets = tables.get(META_TABLE, _GENERATION) or b""
    return keys.signer(int.from_bytes(octets)).key


def check_log_meta(
    tables: Searched,
    keys: LogKeys,
    pinned: Sequence[VerifierKey],
    journal: JournalCheck,
) -> None:
    """Recheck the table, once the log is known to be whole.

    Args:
        tables: Of one snapshot.
        keys: Of the log.
        pinned: One of them must have signed, now or before a rotation; none, any may.
        journal: What followed the log to its end.

    Raises:
        CorruptLogError: Something is not what was written.
        AnchorError: A rotation does not hold.
    """
    chain = _follow_rotations(tables, keys, journal.rotations)
    generation = len(journal.rotations)
    expected = {_SERIAL: protected(_SERIAL, journal.changes.to_bytes(8))}
    if generation:
        expected[_GENERATION] = generation.to_bytes(8)
    others = {HEAD_KEY, *map(_rotation_key, range(1, generation + 1))}
    for key, octets in ascending(META_TABLE, tables.items(META_TABLE)):
        if key not in others and expected.pop(key, None) != octets:
            raise CorruptLogError(META_TABLE, key, f"is {octets.hex()}")
    for key in expected:
        raise CorruptLogError(META_TABLE, key, "missing")
    if pinned and not set(pinned) & set(chain):
        problem = f"signed by {chain[-1]}, to which no pinned key leads"
        raise CorruptLogError(META_TABLE, HEAD_KEY, problem)


def check_seen(
    tables: Searched,
    keys: LogKeys,
    seen: Sequence[tuple[str, str]],
    findings: "Findings",
) -> None:
    """Compare a log with what others have logged of it.

    Args:
        tables: Of one snapshot.
        keys: Of the log.
        seen: Who logged it, and the text of the checkpoint.
        findings: Takes what is found.
    """
    with findings.attempt(META_TABLE, HEAD_KEY):
        head = audit_head(tables, keys.origin, (signer_key(tables, keys),))
        size = 0 if head is None else head.checkpoint.size
        tree = Rows(lambda key: tables.get(ROWS_TABLE, key))
        for who, text in seen:
            told = parse_checkpoint(text)
            if told.size > size or root_of(told.size, tree.read) != told.root:
                problem = (
                    f"{size} entries, which did not grow from the {told.size} that "
                    f"{who} has logged: an older copy, or another one"
                )
                raise CorruptLogError(META_TABLE, HEAD_KEY, problem)


def _follow_rotations(
    tables: Searched, keys: LogKeys, rotations: Sequence[tuple[int, Rotation]]
) -> list[VerifierKey]:
    """Recheck the rotations; gives the keys that have signed, in their order."""
    chain = [keys.signer().key]
    tree = Rows(lambda key: tables.get(ROWS_TABLE, key))
    for number, (index, entry) in enumerate(rotations, 1):
        key = _rotation_key(number)
        following = verify_rotation(entry, keys.origin, index)
        stored = tables.get(META_TABLE, key) or b""
        note = open_note(stored[8:], (chain[-1], following))
        # The rotation stands alone in its group, so only the header follows it.
        size = index + 2
        head = Checkpoint(keys.origin, size, root_of(size, tree.read))
        whole = len(Note.parse(stored[8:]).signatures) == len(note.signatures) == 2
        if entry.old != str(chain[-1]) or not whole or note.text != head.text():
            problem = f"not the checkpoint of entry {index}, signed by both keys"
            raise CorruptLogError(META_TABLE, key, problem)
        if stored[:8] != index.to_bytes(8):
            raise CorruptLogError(META_TABLE, key, f"not the index {index}")
        chain.append(following)
    return chain


def _rotation_key(number: int) -> bytes:
    return b"rotation " + number.to_bytes(8)
