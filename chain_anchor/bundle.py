r"""The proof bundle: everything that proves one key's state, in one file.

    "idis-proof/1\n", then sections in rising order of their tags, each
    tag u8 | length as unsigned LEB128 in its shortest form | octets

    TAG  SECTION      OCTETS
      1  checkpoint   signed note, with cosignatures
      2  header       header entry, the last leaf
      3  header path  n x 32, inclusion path of the header, leaf to root
      4  kind         u8, see `chain_anchor.statemap.KINDS`
      5  name         canonical octets
      6  map path     n x (bit u8 | sibling[32]), root to leaf
      7  state        49 octets; the key is in the map
      8  neighbour    key[32] | value hash[32]; the key is not in the map
      9  entry        the change that made the state
     10  record       public value list; only when active
     11  commitment   32 octets; only when the record has restricted values
     12  history      the key's earlier changes, newest first, each u16 + n
     13  parents      count u8 | n x 32, consistency path from the logged checkpoint to
                      this one | logged checkpoint, u16 + n | bundle of kind 3 in the
                      parent's log, whose name is this log's origin
     14  anchors      on chains, see `chain_anchor.anchor_section`

Sections 1 to 6 are always there. 7 excludes 8; neither means that the map is empty.
9 goes with 7; 10 to 12 need 7. The format is the emulator's convention. It has one
encoding for each content, so decoding and encoding give the same octets back. This
module reads and writes; whether a bundle proves anything, `chain_anchor.proof` says.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from chain_anchor.anchor_section import decode_anchors, encode_anchors
from chain_anchor.anchors import Anchors
from chain_anchor.entries import decode_entry
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.errors import BundleError, FormatError
from chain_anchor.merkle import MAX_PATH_HASHES
from chain_anchor.octets import HASH_OCTETS, Reader, short
from chain_anchor.readable import entry_json, readable_text
from chain_anchor.statemap import ACTIVE, KEY_BITS, KINDS, State

MAGIC: Final = b"idis-proof/1\n"
MAX_BUNDLE_OCTETS: Final = 4 * 1024 * 1024
MAX_PARENTS: Final = 8
"""How many logs may stand above one another."""

_SECTIONS: Final = (
    "checkpoint",
    "header",
    "header path",
    "kind",
    "name",
    "map path",
    "state",
    "neighbour",
    "entry",
    "record",
    "commitment",
    "history",
    "parents",
    "anchors",
)
_REQUIRED: Final = _SECTIONS[:6]
_STEP_OCTETS: Final = 1 + HASH_OCTETS
_MAX_LENGTH_OCTETS: Final = 4


@dataclass(frozen=True, slots=True)
class Parents:
    """What puts a log under the checkpoint of its parent's."""

    path: tuple[bytes, ...]
    """Consistency path from the logged checkpoint to the bundle's own."""

    logged: bytes
    """The checkpoint that the parent's log holds: a signed note of this log."""

    bundle: "Bundle"
    """Proves that the parent's map holds the text of `logged`."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One key's state and all that proves it, nothing of it verified."""

    checkpoint: bytes
    header: bytes
    header_path: tuple[bytes, ...]
    kind: int
    name: bytes
    map_path: tuple[tuple[int, bytes], ...]
    state: State | None = None
    neighbour: tuple[bytes, bytes] | None = None
    entry: bytes | None = None
    record: bytes | None = None
    commitment: bytes | None = None
    history: tuple[bytes, ...] = ()
    parents: Parents | None = None
    anchors: Anchors | None = None


def encode_bundle(bundle: Bundle) -> bytes:
    """Encode a bundle.

    Raises:
        BundleError: A part does not fit, is missing, or has no place with the others.
    """
    _check_parts(bundle)
    _check_parents(bundle)
    sections = b"".join(
        bytes((tag,)) + _length(len(octets)) + octets
        for tag, octets in _sections(bundle)
    )
    _check_size(len(MAGIC) + len(sections))
    return MAGIC + sections


def decode_bundle(octets: bytes) -> Bundle:
    """Decode a bundle of at most `MAX_BUNDLE_OCTETS`.

    Raises:
        BundleError: The octets are not the encoding of a bundle.
    """
    _check_size(len(octets))
    return _decode(octets, 0)


def bundle_json(bundle: Bundle) -> dict[str, object]:
    """Give the content of a bundle for people to read; nothing of it is verified.

    Hashes are hexadecimal, the record is base64, entries are taken apart.

    Raises:
        EntryError: What stands in the place of an entry is none.
    """
    told: dict[str, object] = {
        "format": MAGIC.decode().strip(),
        "kind": bundle.kind,
        "name": readable_text(bundle.name),
        "checkpoint": readable_text(bundle.checkpoint),
        "header": entry_json(decode_entry(bundle.header)),
        "header_path": [one.hex() for one in bundle.header_path],
        "map_path": [
            {"bit": bit, "sibling": sibling.hex()} for bit, sibling in bundle.map_path
        ],
    }
    if bundle.state:
        told["state"] = bundle.state._asdict() | {
            "leaf_hash": bundle.state.leaf_hash.hex()
        }
    if bundle.neighbour:
        key, value_hash = bundle.neighbour
        told["neighbour"] = {"key": key.hex(), "value_hash": value_hash.hex()}
    if bundle.entry is not None:
        told["entry"] = entry_json(decode_entry(bundle.entry))
    if bundle.record is not None:
        told["record_base64"] = b64encode(bundle.record).decode()
    if bundle.commitment:
        told["commitment"] = bundle.commitment.hex()
    if bundle.history:
        told["history"] = [entry_json(decode_entry(one)) for one in bundle.history]
    if bundle.parents:
        told["parents"] = {
            "consistency_path": [one.hex() for one in bundle.parents.path],
            "logged_checkpoint": readable_text(bundle.parents.logged),
            "bundle": bundle_json(bundle.parents.bundle),
        }
    if bundle.anchors:
        told["anchors_base64"] = b64encode(encode_anchors(bundle.anchors)).decode()
    return told


def _sections(bundle: Bundle) -> Iterator[tuple[int, bytes]]:
    """Give tag and octets of each section that the bundle has."""
    contents = (
        bundle.checkpoint,
        bundle.header,
        _joined(bundle.header_path),
        bytes((bundle.kind,)),
        bundle.name,
        b"".join(bytes((bit,)) + sibling for bit, sibling in bundle.map_path),
        bundle.state.encode() if bundle.state else None,
        _joined(bundle.neighbour) if bundle.neighbour else None,
        bundle.entry,
        bundle.record,
        bundle.commitment,
        _encode_history(bundle.history) if bundle.history else None,
        _encode_parents(bundle.parents) if bundle.parents else None,
        encode_anchors(bundle.anchors) if bundle.anchors else None,
    )
    for tag, octets in enumerate(contents, 1):
        if octets is not None:
            yield tag, octets


def _encode_history(history: tuple[bytes, ...]) -> bytes:
    return b"".join(short(entry, "history", BundleError) for entry in history)


def _encode_parents(parents: Parents) -> bytes:
    return (
        bytes((len(parents.path),))
        + _joined(parents.path)
        + short(parents.logged, "logged checkpoint", BundleError)
        + encode_bundle(parents.bundle)
    )


def _decode(octets: bytes, depth: int) -> Bundle:
    """Decode a bundle that has `depth` bundles around it."""
    found = _read_sections(octets)
    bundle = Bundle(
        checkpoint=found["checkpoint"],
        header=found["header"],
        header_path=_hashes(found["header path"]),
        kind=_decode_kind(found["kind"]),
        name=found["name"],
        map_path=_decode_map_path(found["map path"]),
        state=_decode_state(found.get("state")),
        neighbour=_decode_neighbour(found.get("neighbour")),
        entry=found.get("entry"),
        record=found.get("record"),
        commitment=found.get("commitment"),
        history=_decode_history(found.get("history")),
        parents=_decode_parents(found.get("parents"), depth),
        anchors=_decode_anchors(found.get("anchors")),
    )
    _check_parts(bundle)
    return bundle


def _read_sections(octets: bytes) -> dict[str, bytes]:
    """Take the octets apart into named sections."""
    reader = Reader(octets, "bundle", BundleError)
    if reader.take(min(len(MAGIC), reader.left), "magic") != MAGIC:
        raise BundleError(f"bundle: does not begin with {MAGIC!r}")
    found = {}
    last = 0
    while reader.left:
        tag = reader.u8("tag")
        if not last < tag <= len(_SECTIONS):
            raise reader.fail(f"section {tag} after section {last}, expected a rising")
        what = _SECTIONS[tag - 1]
        found[what] = reader.take(_read_length(reader, what), what)
        last = tag
    for what in _REQUIRED:
        if what not in found:
            raise BundleError(f"bundle: section {what} is missing")
    return found


def _decode_kind(octets: bytes) -> int:
    if len(octets) != 1:
        raise BundleError(f"bundle: kind has {len(octets)} octets, expected 1")
    return octets[0]


def _decode_map_path(octets: bytes) -> tuple[tuple[int, bytes], ...]:
    return tuple((step[0], step[1:]) for step in _pieces(octets, _STEP_OCTETS))


def _decode_state(octets: bytes | None) -> State | None:
    if octets is None:
        return None
    try:
        return State.decode(octets)
    except FormatError as error:
        raise BundleError(f"bundle: {error}") from None


def _decode_neighbour(octets: bytes | None) -> tuple[bytes, bytes] | None:
    if octets is None:
        return None
    if len(octets) != 2 * HASH_OCTETS:
        raise BundleError(f"bundle: neighbour has {len(octets)} octets, expected 64")
    return octets[:HASH_OCTETS], octets[HASH_OCTETS:]


def _decode_history(octets: bytes | None) -> tuple[bytes, ...]:
    if octets is None:
        return ()
    reader = Reader(octets, "history", BundleError)
    entries = []
    while reader.left:
        entries.append(reader.short("entry"))
    if not entries:
        raise BundleError("bundle: section history is empty, expected none")
    return tuple(entries)


def _decode_parents(octets: bytes | None, depth: int) -> Parents | None:
    if octets is None:
        return None
    if depth == MAX_PARENTS:
        raise BundleError(f"bundle: more than {MAX_PARENTS} parents in one another")
    reader = Reader(octets, "parents", BundleError)
    count = reader.u8("count of hashes")
    path = _hashes(reader.take(count * HASH_OCTETS, "consistency path"))
    logged = reader.short("logged checkpoint")
    return Parents(path, logged, _decode(reader.take(reader.left, "bundle"), depth + 1))


def _decode_anchors(octets: bytes | None) -> Anchors | None:
    return None if octets is None else decode_anchors(octets)


def _length(count: int) -> bytes:
    """Encode a length: seven bits an octet, the lowest first, no idle octets."""
    octets = bytearray()
    while count > 0x7F:
        octets.append(count & 0x7F | 0x80)
        count >>= 7
    octets.append(count)
    return bytes(octets)


def _read_length(reader: Reader, what: str) -> int:
    count = 0
    for place in range(_MAX_LENGTH_OCTETS):
        octet = reader.u8(f"length of {what}")
        count |= (octet & 0x7F) << (7 * place)
        if octet <= 0x7F:
            if place and not octet:
                raise reader.fail(f"length of {what} is not in its shortest form")
            return count
    raise reader.fail(f"length of {what} has more than {_MAX_LENGTH_OCTETS} octets")


def _pieces(octets: bytes, size: int) -> list[bytes]:
    """Cut into pieces; that the last one is whole is checked with all the others."""
    return [octets[start : start + size] for start in range(0, len(octets), size)]


def _hashes(octets: bytes) -> tuple[bytes, ...]:
    return tuple(_pieces(octets, HASH_OCTETS))


def _joined(hashes: Iterable[bytes]) -> bytes:
    return b"".join(hashes)


def _check_size(octets: int) -> None:
    if octets > MAX_BUNDLE_OCTETS:
        raise BundleError(
            f"bundle: {octets} octets, at most {MAX_BUNDLE_OCTETS} are read"
        )


def _check_parts(bundle: Bundle) -> None:
    """Refuse parts that do not fit their section, or not to each other."""
    if bundle.kind not in KINDS:
        raise BundleError(f"bundle: kind {bundle.kind}, expected 1, 2 or 3")
    if not bundle.name:
        raise BundleError("bundle: the name is empty")
    _check_paths(bundle)
    _check_places(bundle)
    if bundle.commitment is not None:
        _check_hashes("commitment", bundle.commitment)
        if bundle.commitment == NO_HASH:
            raise BundleError("bundle: a commitment of zeros, expected none")


def _check_paths(bundle: Bundle) -> None:
    if len(bundle.header_path) > MAX_PATH_HASHES:
        raise BundleError(f"bundle: header path of {len(bundle.header_path)} hashes")
    if len(bundle.map_path) > KEY_BITS:
        raise BundleError(f"bundle: map path of {len(bundle.map_path)} steps")
    if not all(0 <= bit < KEY_BITS for bit, _ in bundle.map_path):
        raise BundleError("bundle: a bit of the map path is not in 0 to 255")
    _check_hashes("header path", *bundle.header_path)
    _check_hashes("map path", *(sibling for _, sibling in bundle.map_path))
    _check_hashes("neighbour", *(bundle.neighbour or ()))
    if bundle.parents:
        _check_hashes("consistency path", *bundle.parents.path)
        if len(bundle.parents.path) > MAX_PATH_HASHES:
            raise BundleError(
                f"bundle: consistency path of {len(bundle.parents.path)} hashes"
            )


def _check_places(bundle: Bundle) -> None:
    """Refuse sections that have no place beside the others."""
    state = bundle.state
    if (state is None) != (bundle.entry is None):
        raise BundleError("bundle: state and entry come together or not at all")
    if state and bundle.neighbour:
        raise BundleError("bundle: a state says present, a neighbour says absent")
    if bundle.record is not None and (not state or state.state != ACTIVE):
        raise BundleError("bundle: a record, but no state that is active")
    if bundle.commitment is not None and bundle.record is None:
        raise BundleError("bundle: a commitment, but no record")
    if bundle.history and not state:
        raise BundleError("bundle: a history, but no state")


def _check_parents(bundle: Bundle) -> None:
    parents, depth = bundle.parents, 0
    while parents:
        depth += 1
        if depth > MAX_PARENTS:
            raise BundleError(f"bundle: more than {MAX_PARENTS} parents in one another")
        parents = parents.bundle.parents


def _check_hashes(what: str, *hashes: bytes) -> None:
    for octets in hashes:
        if len(octets) != HASH_OCTETS:
            raise BundleError(
                f"bundle: {what} has a hash of {len(octets)} octets, expected 32"
            )
