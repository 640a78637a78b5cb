"""The section `anchors` of a bundle: its layout, and how it is written and read.

Integers are big-endian; what the parts are, `chain_anchor.anchors` says.

    anchors   c u8 | c x 32       consistency path, from the checkpoint of this log
                                  that is anchored to the one of the bundle
              l u8 | l levels     this log's parent, its parent, up to the log whose
                                  checkpoint the first transaction has
              h u8 | h hops       1 or 2: the chain, and the one it is anchored in

    level     index u64           where the parent's log has the child's checkpoint
              n u8 | n x 32       inclusion path of it
              entry u16 + n       the change, kind 3, with the checkpoint in clear

    hop       genesis[32]         hash of the chain's first block, which names it
              v u8 | v keys       of validators that sign below
              blob u32 + n        the transaction, as it was signed
              s u8 | s signatures each type u8 | key | signature[64]
              place u16           of it among its domain's transactions in the block
              m u16 | m x 32      hashes of the others, in order
              block               header of the block with the transaction
              previous            votes for the block before it
              b u16 | b laters    blocks that follow, each one on the other
              votes               for the last of them

    key       place u8 | type u8 | octets     place among all validators, rising; type
                                              65 Ed25519, 32 octets, or 7a SM2, 65
    block     seq u64 | previous hash[32] | close time u64 | version u64 |
              chain id u64 | fees hash[32] | d u8 | d domains
    domain    id u32 | root | 0 u8, or 1 u8 and the hash of its transactions[32];
              0 in the domain of the transaction, whose hash is made of the above
    root      k u8: 0 and root[32]; or that of the k-th domain, the first with it
    later     close time u64 | consensus value hash[32] | n u8 | n x (which domain u8,
              from 0 | root[32]), rising: those whose root is another than before
    votes     a bit for each key above, the first is the highest of the first octet |
              signature[64] for each bit that is 1

What is left out follows from the rest, or never changes on a chain. There is one
encoding for each content. All of it is emulator convention.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from chain_anchor.anchors import (
    KEY_OCTETS,
    MAX_DOMAINS,
    MAX_HOPS,
    MAX_LEVELS,
    SIGNATURE_OCTETS,
    Anchors,
    Block,
    Domain,
    Hop,
    Key,
    Later,
    Level,
    Votes,
)
from chain_anchor.errors import BundleError
from chain_anchor.octets import (
    HASH_OCTETS,
    MAX_COUNT,
    MAX_SHORT_OCTETS,
    U16,
    U32,
    U64,
    Reader,
    short,
)

T = TypeVar("T")

_MAX_U8: Final = 0xFF
_MAX_DOMAIN: Final = 2**31 - 1


def encode_anchors(anchors: Anchors) -> bytes:
    """Encode the section.

    Raises:
        BundleError: A part does not fit its field.
    """
    if len(anchors.levels) > MAX_LEVELS or not 1 <= len(anchors.hops) <= MAX_HOPS:
        raise BundleError(
            f"anchors: {len(anchors.levels)} levels, {len(anchors.hops)} hops, at most "
            f"{MAX_LEVELS} and 1 to {MAX_HOPS} expected"
        )
    return b"".join(
        (
            _hashes(anchors.path),
            _counted(anchors.levels, _level),
            _counted(anchors.hops, _hop),
        )
    )


def decode_anchors(octets: bytes) -> Anchors:
    """Decode the section.

    Raises:
        BundleError: The octets are not its encoding.
    """
    reader = Reader(octets, "anchors", BundleError)
    path = _read_hashes(reader, "consistency path")
    levels = _read_counted(reader, "levels", MAX_LEVELS, _read_level)
    hops = _read_counted(reader, "hops", MAX_HOPS, _read_hop)
    reader.finish()
    anchors = Anchors(path, levels, hops)
    if encode_anchors(anchors) != octets:
        raise BundleError("anchors: not in the one encoding of what they say")
    return anchors


def _level(level: Level) -> bytes:
    entry = short(level.entry, "entry", BundleError)
    return U64.pack(level.place) + _hashes(level.path) + entry


def _hop(hop: Hop) -> bytes:
    known = len(hop.validators)
    return b"".join(
        (
            _hash(hop.genesis),
            _counted(hop.validators, _validator),
            U32.pack(len(hop.blob)),
            hop.blob,
            _counted(hop.signatures, _signed),
            _u16(hop.place, "place"),
            _u16(len(hop.others), "transactions"),
            *map(_hash, hop.others),
            _block(hop.block),
            _votes(hop.previous, known),
            _u16(len(hop.later), "later blocks"),
            *_laters(hop),
            _votes(hop.votes, known),
        )
    )


def _validator(validator: tuple[int, Key]) -> bytes:
    place, key = validator
    return _u8(place, "place of a validator") + _key(key)


def _signed(signature: tuple[Key, bytes]) -> bytes:
    key, octets = signature
    return _key(key) + _signature(octets)


def _key(key: Key) -> bytes:
    if KEY_OCTETS.get(key.type) != len(key.octets):
        raise BundleError(
            f"anchors: a key of type {key.type:#x} and {len(key.octets)} octets"
        )
    return bytes((key.type,)) + key.octets


def _block(block: Block) -> bytes:
    numbers = (block.close_time, block.version, block.chain_id)
    return b"".join(
        (
            _u64(block.seq),
            _hash(block.previous_hash),
            *map(_u64, numbers),
            _hash(block.fees_hash),
            _u8(len(block.domains), "domains"),
            *_domains(block.domains),
        )
    )


def _domains(domains: Sequence[Domain]) -> Iterator[bytes]:
    roots = [domain.root for domain in domains]
    for place, (number, root, transactions) in enumerate(domains):
        first = roots.index(root)
        if not 0 <= number <= _MAX_DOMAIN:
            raise BundleError(f"anchors: domain {number}, up to {_MAX_DOMAIN} expected")
        yield U32.pack(number)
        yield bytes((first + 1,)) if first < place else b"\0" + _hash(root)
        yield b"\0" if transactions is None else b"\1" + _hash(transactions)


def _laters(hop: Hop) -> Iterator[bytes]:
    before = tuple(domain.root for domain in hop.block.domains)
    _u64(hop.block.seq + len(hop.later))
    for later in hop.later:
        if len(later.roots) != len(before):
            raise BundleError(
                f"anchors: a later block with {len(later.roots)} domains, expected "
                f"{len(before)}"
            )
        changed = [
            bytes((place,)) + _hash(root)
            for place, root in enumerate(later.roots)
            if root != before[place]
        ]
        yield _u64(later.close_time) + _hash(later.consensus_value_hash)
        yield _u8(len(changed), "domains") + b"".join(changed)
        before = later.roots


def _votes(votes: Votes, known: int) -> bytes:
    bits = bytearray((known + 7) // 8)
    for key in votes.keys:
        if not 0 <= key < known:
            raise BundleError(f"anchors: a vote by key {key}, there are {known}")
        bits[key // 8] |= 0x80 >> key % 8
    return bytes(bits) + b"".join(map(_signature, votes.signatures))


def _signature(octets: bytes) -> bytes:
    if len(octets) != SIGNATURE_OCTETS:
        raise BundleError(f"anchors: a signature of {len(octets)} octets, expected 64")
    return octets


def _hash(octets: bytes) -> bytes:
    if len(octets) != HASH_OCTETS:
        raise BundleError(f"anchors: a hash of {len(octets)} octets, expected 32")
    return octets


def _hashes(hashes: Sequence[bytes]) -> bytes:
    return _counted(hashes, _hash)


def _counted(items: Sequence[T], encode: Callable[[T], bytes]) -> bytes:
    return _u8(len(items), "count") + b"".join(map(encode, items))


def _u8(number: int, what: str) -> bytes:
    if not 0 <= number <= _MAX_U8:
        raise BundleError(f"anchors: {what} is {number}, at most {_MAX_U8} fits")
    return bytes((number,))


def _u16(number: int, what: str) -> bytes:
    if not 0 <= number <= MAX_SHORT_OCTETS:
        raise BundleError(f"anchors: {what} is {number}, at most 65535 fits")
    return U16.pack(number)


def _u64(number: int) -> bytes:
    if not 0 <= number <= MAX_COUNT:
        raise BundleError(f"anchors: a number is {number}, 0 to 2**63 - 1 expected")
    return U64.pack(number)


def _read_counted(
    reader: Reader, what: str, most: int, read: Callable[[Reader], T]
) -> tuple[T, ...]:
    count = reader.u8(f"count of {what}")
    if count > most:
        raise reader.fail(f"{count} {what}, at most {most} expected")
    return tuple([read(reader) for _ in range(count)])


def _read_hashes(reader: Reader, what: str) -> tuple[bytes, ...]:
    return _read_counted(reader, what, _MAX_U8, lambda one: one.hash(what))


def _read_level(reader: Reader) -> Level:
    place = reader.count("index")
    path = _read_hashes(reader, "inclusion path")
    return Level(place, path, reader.short("entry"))


def _read_hop(reader: Reader) -> Hop:
    genesis = reader.hash("genesis")
    validators = _read_counted(reader, "validators", _MAX_U8, _read_validator)
    blob = reader.take(reader.u32("count of blob"), "blob")
    signatures = _read_counted(reader, "signatures", _MAX_U8, _read_signed)
    place = reader.u16("place")
    count = reader.u16("count of transactions")
    others = tuple([reader.hash("transaction") for _ in range(count)])
    block = _read_block(reader)
    previous = _read_votes(reader, len(validators))
    later = tuple(_read_laters(reader, block))
    votes = _read_votes(reader, len(validators))
    return Hop(
        genesis,
        validators,
        blob,
        signatures,
        place,
        others,
        block,
        previous,
        later,
        votes,
    )


def _read_validator(reader: Reader) -> tuple[int, Key]:
    return reader.u8("place of a validator"), _read_key(reader)


def _read_signed(reader: Reader) -> tuple[Key, bytes]:
    return _read_key(reader), reader.take(SIGNATURE_OCTETS, "signature")


def _read_key(reader: Reader) -> Key:
    kind = reader.u8("type of a key")
    octets = KEY_OCTETS.get(kind)
    if octets is None:
        raise reader.fail(f"type of a key is {kind:#x}, 0x65 or 0x7a expected")
    return Key(kind, reader.take(octets, "key"))


def _read_block(reader: Reader) -> Block:
    return Block(
        reader.count("seq"),
        reader.hash("previous hash"),
        reader.count("close time"),
        reader.count("version"),
        reader.count("chain id"),
        reader.hash("fees hash"),
        _read_domains(reader),
    )


def _read_domains(reader: Reader) -> tuple[Domain, ...]:
    domains: list[Domain] = []
    count = reader.u8("count of domains")
    if count > MAX_DOMAINS:
        raise reader.fail(f"{count} domains, at most {MAX_DOMAINS} expected")
    for _ in range(count):
        number = reader.u32("domain")
        known = reader.u8("known root")
        if known > len(domains):
            raise reader.fail(f"root of domain {known}, only {len(domains)} before it")
        root = domains[known - 1].root if known else reader.hash("root")
        busy = reader.u8("whether there are transactions")
        transactions = reader.hash("transactions") if busy else None
        domains.append(Domain(number, root, transactions))
    return tuple(domains)


def _read_laters(reader: Reader, block: Block) -> Iterator[Later]:
    roots = [domain.root for domain in block.domains]
    for _ in range(reader.u16("count of later blocks")):
        close_time = reader.count("close time")
        consensus = reader.hash("consensus value")
        for _ in range(reader.u8("count of domains")):
            place = reader.u8("domain")
            if place >= len(roots):
                raise reader.fail(f"domain {place}, there are {len(roots)}")
            roots[place] = reader.hash("root")
        yield Later(close_time, consensus, tuple(roots))


def _read_votes(reader: Reader, known: int) -> Votes:
    bits = reader.take((known + 7) // 8, "votes")
    keys = [key for key in range(8 * len(bits)) if bits[key // 8] & 0x80 >> key % 8]
    signatures = [reader.take(SIGNATURE_OCTETS, "signature") for _ in keys]
    return Votes(tuple(keys), tuple(signatures))
