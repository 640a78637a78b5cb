"""What is on the chain: accounts, blocks, transactions (bif notes §1.3).

An answer has at most 1000 transactions and about 32 MiB of them (emulator convention);
`start` goes on from there.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Final

from chain_anchor.bif import answers
from chain_anchor.bif.account import Account, Metadata
from chain_anchor.bif.addresses import is_address
from chain_anchor.bif.api.asking import Asked
from chain_anchor.bif.json_form import Json, JsonObject
from chain_anchor.bif.ledger import Ledger
from chain_anchor.bif.recording import Recorded
from chain_anchor.bif.trie import EMPTY_ROOT

VERSION: Final = "1.0.0"
MAX_LISTED: Final = 1000
LATEST: Final = 100
MAX_LISTED_OCTETS: Final = 32 << 20
_HASH_DIGITS: Final = 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ShowAccount = Callable[[Account, Iterable[tuple[str, Metadata]]], Json]
"""Makes `result` of an account and of those of its metadata that are asked for."""

_WANTED: Final = ("validator", "fee", "consvalue")


async def hello(asked: Asked) -> JsonObject:
    """Say what the node is."""
    chain, header = asked.chain, asked.chain.ledger.last
    return {
        "address_prefix": "did:bid:",
        "chain_code": chain.chain_code,
        "chain_version": VERSION,
        "current_time": str(
            _EPOCH.replace(tzinfo=None) + timedelta(microseconds=chain.now())
        ),
        "hash_type": 0,
        "ledger_version": header.version,
        "license_version": VERSION,
        "monitor_version": VERSION,
        "network_id": chain.network_id,
        "overlay_version": VERSION,
        "websocket_port": asked.websocket_port,
    }


async def account_base(asked: Asked) -> JsonObject:
    """Show an account without its metadata."""
    found = _account(asked, asked.chain.ledger)
    return (
        answers.success(answers.account_base(found)) if found else answers.not_exist()
    )


async def account(asked: Asked) -> JsonObject:
    """Show an account with its metadata, or with one of them."""
    return await _with_metadata(asked, answers.account_full)


async def account_metadata(asked: Asked) -> JsonObject:
    """Show the metadata of an account, or one of them."""
    return await _with_metadata(asked, lambda _, pairs: answers.account_metadata(pairs))


async def account_assets(asked: Asked) -> JsonObject:
    """Show the assets of an account, which are always none."""
    return (
        answers.success(None)
        if _account(asked, asked.chain.ledger)
        else answers.not_exist()
    )


async def genesis_account(asked: Asked) -> JsonObject:
    """Give the address of the first account."""
    return answers.success(asked.chain.first_account)


async def ledger(asked: Asked) -> JsonObject:
    """Show a block, the last one if none is named.

    Beside what real nodes show, what proves it offline (emulator convention):

        with_proof      `proof`: certificate of the block, in hexadecimal
        with_anchored   `anchored`: number of the first block from this one on whose
                        header was sent to the main chain, hash of the transaction there
    """
    chain, parameters = asked.chain.ledger, asked.parameters
    chain.state(asked.domain)
    header = chain.header(parameters.integer("seq", chain.last.seq))
    if header is None:
        return answers.not_exist()
    wanted = frozenset(n for n in _WANTED if parameters.flag(f"with_{n}"))
    leads = parameters.flag("with_leader")
    leader = asked.chain.leader(header.seq) if leads else ""
    found = answers.ledger(chain, header, asked.domain, wanted, leader)
    if parameters.flag("with_proof"):
        found["proof"] = asked.chain.certificate(header.seq).hex()
    if parameters.flag("with_anchored"):
        found["anchored"] = answers.anchored(asked.chain.anchored(header.seq))
    return answers.success(found)


async def ledger_validators(asked: Asked) -> JsonObject:
    """List the validators of a block."""
    chain = asked.chain.ledger
    chain.state(asked.domain)
    if chain.header(asked.parameters.integer("seq", chain.last.seq)) is None:
        return answers.not_exist()
    return answers.success({"validators": list(chain.validators)})


async def transaction_history(asked: Asked) -> JsonObject:
    """Show a transaction, those of a block, or the latest."""
    asked.chain.ledger.state(asked.domain)
    if "hash" in asked.parameters:
        return _history(asked, asked.chain.ledger, [_hash(asked)])
    if "ledger_seq" in asked.parameters:
        seq = asked.parameters.integer("ledger_seq", 0)
        listed = partial(_hashes_of_block, asked.domain, seq, *_range(asked))
    else:
        listed = partial(_latest_hashes, asked.domain, *_range(asked, LATEST))
    return await asked.chain.run(lambda ledger: _history(asked, ledger, listed(ledger)))


async def transaction_cache(asked: Asked) -> JsonObject:
    """Show the transactions that wait, or one of them."""
    domain, pool = asked.domain, asked.chain.pool
    asked.chain.ledger.state(domain)
    if "hash" in asked.parameters:
        found = pool.get(_hash(asked))
        entries = [found] if found else []
    else:
        entries = list(pool)
    entries = [e for e in entries if e.transaction.content.domain_id == domain]
    start, limit = _range(asked)
    shown, octets = [], 0
    for entry in entries[start : start + limit]:
        octets += len(entry.transaction.envelope)
        if octets > MAX_LISTED_OCTETS:
            break
        shown.append(answers.waiting(entry))
    return answers.cache(shown)


async def cache_size(asked: Asked) -> JsonObject:
    """Count the transactions that wait."""
    domain = asked.domain
    asked.chain.ledger.state(domain)
    waiting = [e for e in asked.chain.pool if e.transaction.content.domain_id == domain]
    return {"queue_size": len(waiting)}


async def status(asked: Asked) -> JsonObject:
    """Tell how far the chain is (emulator convention)."""
    last = asked.chain.ledger.last
    return answers.success(
        {
            "ledger_sequence": last.seq,
            "ledger_version": last.version,
            "transaction_size": len(asked.chain.pool),
            "tx_count": last.tx_count,
        }
    )


async def modules_status(asked: Asked) -> JsonObject:
    """Tell how the parts of the node do (emulator convention)."""
    last = asked.chain.ledger.last
    return {
        "glue_manager": {"cache_topic_size": len(asked.chain.pool)},
        "ledger_manager": {
            "chain_max_ledger_probaly_seq": last.seq,
            "hash_type": "sha256",
            "ledger_sequence": last.seq,
            "ledger_version": last.version,
            "tx_count": last.tx_count,
        },
        "peer_manager": {"network_id": asked.chain.network_id, "peer_list": []},
    }


async def consensus_info(asked: Asked) -> JsonObject:
    """Tell who agrees on blocks, and who leads (emulator convention)."""
    chain = asked.chain
    seq = chain.ledger.last.seq
    return answers.success(
        {
            "is_leader": chain.leader(seq + 1) == chain.address,
            "leader": chain.leader(seq + 1),
            "ledger_seq": seq,
            "type": "xbft",
            "validators": list(chain.ledger.validators),
        }
    )


async def peer_addresses(asked: Asked) -> JsonObject:
    """List the peers, which are always none: one process has all validators."""
    del asked
    return answers.success({"peers": []})


def _account(asked: Asked, chain: Ledger) -> Account | None:
    """Give the account that a request names; one that cannot be is not there."""
    state = chain.state(asked.domain)
    address = asked.parameters.text("address")
    return state.account(address) if is_address(address) else None


async def _with_metadata(asked: Asked, show: ShowAccount) -> JsonObject:
    """Show an account by its metadata: in a thread, if there may be many."""
    found = _account(asked, asked.chain.ledger)
    many = (
        found and found.metadatas_hash != EMPTY_ROOT and "key" not in asked.parameters
    )
    shown = partial(_shown, asked, show)
    return await asked.chain.run(shown) if many else shown(asked.chain.ledger)


def _shown(asked: Asked, show: ShowAccount, chain: Ledger) -> JsonObject:
    found = _account(asked, chain)
    if found is None:
        return answers.not_exist()
    state, key = chain.state(asked.domain), asked.parameters.text("key")
    if not key:
        return answers.success(show(found, state.metadatas(found.address)))
    metadata = state.metadata(found.address, key)
    return answers.success(show(found, [(key, metadata)] if metadata else []))


def _hash(asked: Asked) -> bytes:
    """Read the hash that a request names; what is none is on no chain."""
    text = asked.parameters.text("hash")
    try:
        return bytes.fromhex(text) if len(text) == _HASH_DIGITS else b""
    except ValueError:
        return b""


def _range(asked: Asked, default: int = MAX_LISTED) -> tuple[int, int]:
    """Read which part of a list is wanted: where it starts, and how many at most."""
    limit = asked.parameters.integer("limit", default)
    start = asked.parameters.integer("start", 0)
    return max(0, start), min(max(0, limit), MAX_LISTED)


def _hashes_of_block(
    domain: int, seq: int, start: int, limit: int, chain: Ledger
) -> Iterable[bytes]:
    found = chain.hashes(domain, seq) if seq <= chain.last.seq else []
    return found[start : start + limit]


def _latest_hashes(
    domain: int, start: int, limit: int, chain: Ledger
) -> Iterable[bytes]:
    start = min(start, MAX_LISTED)
    return islice(answers.latest(chain, domain, start + limit), start, None)


def _history(asked: Asked, chain: Ledger, hashes: Iterable[bytes]) -> JsonObject:
    octets = 0
    shown: list[JsonObject] = []
    for recorded in _recorded(asked.domain, chain, hashes):
        octets += len(recorded.envelope)
        if shown and octets > MAX_LISTED_OCTETS:
            break
        shown.append(answers.transaction(recorded))
    return answers.history(shown)


def _recorded(
    domain: int, chain: Ledger, hashes: Iterable[bytes]
) -> Iterator[Recorded]:
    for digest in hashes:
        found = chain.transaction(digest) if digest else None
        if found is None:
            continue
        if found.message.transaction_env.transaction.domain_id == domain:
            yield found
