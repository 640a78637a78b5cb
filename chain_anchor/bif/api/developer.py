"""What developers do to a chain, below /_dev (emulator convention; notes §8).

    GET   /_dev                    chain, clock, mining, faults
    GET   /_dev/accounts           funded accounts with their private keys
    POST  /_dev/mine               n, 1 if it is left out
    POST  /_dev/snapshot
    POST  /_dev/revert             snapshot
    GET   /_dev/time
    POST  /_dev/time               set or advance, microseconds
    POST  /_dev/mining             mode automine | interval | manual, interval_ms, empty
    POST  /_dev/account            address, balance, nonce, code, metadata, domain_id
    POST  /_dev/fault              fault, count, delay_ms

Arguments stand in the query or in a JSON object. A strict node has none of this. The
fault "dropped_socket" belongs to the face, which says what it did.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from chain_anchor.bif import answers
from chain_anchor.bif.account_edits import AccountEdit
from chain_anchor.bif.api import dialect
from chain_anchor.bif.api.asking import Asked, Fields, invalid
from chain_anchor.bif.api.served import DevelopedChain
from chain_anchor.bif.chain_pb2 import LedgerHeader
from chain_anchor.bif.errors import RefusedError
from chain_anchor.bif.json_form import Json, JsonObject
from chain_anchor.bif.rules import MAIN_DOMAIN

PATH: Final = "/_dev"
DROPPED_SOCKET: Final = "dropped_socket"
DELAYED_FAULTS: Final = ("late_confirmation", "leader_crash")
FAULTS: Final = (*DELAYED_FAULTS, "lost_transaction", DROPPED_SOCKET)
MAX_BLOCKS: Final = 1000
MAX_METADATA: Final = 100
_ARGUMENTS: Final = (
    "n",
    "snapshot",
    "set",
    "advance",
    "mode",
    "interval_ms",
    "empty",
    "address",
    "balance",
    "nonce",
    "code",
    "domain_id",
    "fault",
    "count",
    "delay_ms",
)
_DEFAULT_DELAY_MS: Final = 1000
_DEFAULT_INTERVAL_MS: Final = 1000


@dataclass(frozen=True, slots=True, repr=False)
class Bench:
    """A developer's request."""

    asked: Asked
    chain: DevelopedChain
    fields: Fields
    """Arguments of the query and of the body, which counts more."""

    drop_sockets: Callable[[int], int]
    """Cuts that many WebSockets, and tells how many there were."""


async def answer(
    asked: Asked,
    chain: DevelopedChain,
    method: str,
    drop_sockets: Callable[[int], int],
) -> JsonObject | None:
    """Answer a request below /_dev; None if there is no such path."""
    rest = asked.request.path.lstrip("/").removeprefix(PATH[1:]).strip("/")
    bench_of = _BENCH.get((method, rest))
    if bench_of is None:
        return _other_method(rest, method)
    try:
        bench = Bench(asked, chain, _fields(asked), drop_sockets)
        return answers.success(await bench_of(bench))
    except RefusedError as refusal:
        return dialect.refused(refusal)


def _other_method(rest: str, method: str) -> JsonObject | None:
    """Say which method a path takes; None if there is no such path."""
    taken = [name for name, path in _BENCH if path == rest]
    if not taken:
        return None
    text = f"{PATH}/{rest} takes {' and '.join(taken)}, not {method:.10}"
    return dialect.refused(invalid(text))


def _fields(asked: Asked) -> Fields:
    parameters = asked.parameters
    members = {name: parameters.text(name) for name in _ARGUMENTS if name in parameters}
    return Fields(members | (asked.document if asked.request.body else {}))


async def _about(bench: Bench) -> Json:
    chain = bench.chain
    last = chain.ledger.last
    return {
        "name": chain.name,
        "chain_code": chain.chain_code,
        "address": chain.address,
        "seq": last.seq,
        "hash": last.hash.hex(),
        "now": chain.now(),
        "waiting": len(chain.pool),
        "domains": sorted(chain.ledger.chain.rules.domains),
        "faults": dict(chain.faults),
        "mining": dict(zip(("mode", "interval_ms"), chain.mining, strict=True)),
        "snapshots": list(chain.snapshots),
        "tools": [f"{method} {PATH}/{path}" for method, path in _BENCH if path],
        "websocket_port": bench.asked.websocket_port,
    }


async def _accounts(bench: Bench) -> Json:
    ac = bench.chain.ledger.chain.ac
    state = bench.chain.ledger.state(MAIN_DOMAIN)
    shown = []
    for key in bench.chain.accounts:
        address = key.address(ac)
        account = state.account(address)
        balance = account.balance if account else 0
        shown.append(
            {
                "address": address,
                "balance": balance,
                "private_key": key.text,
                "public_key": key.public.text,
            }
        )
    return shown


async def _mine(bench: Bench) -> Json:
    count = bench.fields.integer("n", 1)
    if not 1 <= count <= MAX_BLOCKS:
        raise invalid(f"'n'({count}) must be between 1 and {MAX_BLOCKS}")
    return _block(await bench.chain.mine(count))


async def _snapshot(bench: Bench) -> Json:
    return {"snapshot": await bench.chain.snapshot()}


async def _revert(bench: Bench) -> Json:
    return _block(await bench.chain.revert(_required(bench, "snapshot")))


async def _time(bench: Bench) -> Json:
    return {"now": bench.chain.now()}


async def _set_time(bench: Bench) -> Json:
    members = bench.fields.members
    if ("set" in members) == ("advance" in members):
        raise invalid("one of 'set' and 'advance' must be given, in microseconds")
    if "set" in members:
        await bench.chain.set_time(_required(bench, "set"))
    else:
        await bench.chain.advance(_required(bench, "advance"))
    return await _time(bench)


async def _mining(bench: Bench) -> Json:
    mode = bench.fields.text("mode")
    interval = bench.fields.integer("interval_ms", _DEFAULT_INTERVAL_MS)
    empty = bench.fields.flag("empty")
    await bench.chain.set_mining(mode, interval, empty=empty)
    return {"mode": mode, "interval_ms": interval, "empty": empty}


async def _account(bench: Bench) -> Json:
    fields = bench.fields
    edit = AccountEdit(
        balance=_optional(bench, "balance"),
        nonce=_optional(bench, "nonce"),
        code=fields.text("code") if fields.members.get("code") is not None else None,
        metadata=_metadata(fields.members.get("metadata")),
    )
    if edit == AccountEdit():
        raise invalid("'balance', 'nonce', 'code' or 'metadata' must be given")
    domain = fields.integer("domain_id", MAIN_DOMAIN)
    address = fields.text("address")
    return _block(await bench.chain.set_account(address, edit, domain))


def _metadata(value: Json) -> dict[str, str | None]:
    """Read texts by their keys, null for those that are to be removed."""
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MAX_METADATA:
        raise invalid(f"'metadata' must be an object of at most {MAX_METADATA} members")
    wrong = [key for key, text in value.items() if not isinstance(text, str | None)]
    if wrong:
        raise invalid(f"'metadata' must have strings, {wrong[0]:.80} has none")
    return {key: text for key, text in value.items() if isinstance(text, str | None)}


async def _fault(bench: Bench) -> Json:
    fault, count = bench.fields.text("fault"), bench.fields.integer("count", 1)
    if fault not in FAULTS:
        raise invalid(f"'fault'({fault:.40}) must be one of {', '.join(FAULTS)}")
    if count < 0:
        raise invalid(f"'count'({count}) must not be negative")
    if fault == DROPPED_SOCKET:
        return {"dropped": bench.drop_sockets(count)}
    options = {}
    if fault in DELAYED_FAULTS:
        delay = bench.fields.integer("delay_ms", _DEFAULT_DELAY_MS)
        options["delay_ms"] = delay
    bench.chain.set_fault(fault, count, **options)
    return {"faults": dict(bench.chain.faults)}


def _block(header: LedgerHeader) -> Json:
    return {
        "seq": header.seq,
        "hash": header.hash.hex(),
        "close_time": header.close_time,
    }


def _optional(bench: Bench, name: str) -> int | None:
    given = bench.fields.members.get(name) not in (None, "")
    return _required(bench, name) if given else None


def _required(bench: Bench, name: str) -> int:
    if name not in bench.fields.members:
        raise invalid(f"'{name}' must be given")
    return bench.fields.integer(name, 0)


_BENCH: Final[Mapping[tuple[str, str], Callable[[Bench], Awaitable[Json]]]] = (
    MappingProxyType(
        {
            ("GET", ""): _about,
            ("GET", "accounts"): _accounts,
            ("POST", "mine"): _mine,
            ("POST", "snapshot"): _snapshot,
            ("POST", "revert"): _revert,
            ("GET", "time"): _time,
            ("POST", "time"): _set_time,
            ("POST", "mining"): _mining,
            ("POST", "account"): _account,
            ("POST", "fault"): _fault,
        }
    )
)
