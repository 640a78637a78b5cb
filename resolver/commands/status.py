"""`idis status`: what runs, and what it has registered and resolved."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from rich.markup import escape

from resolver.commands.console import print_json, say, show, table
from resolver.commands.running import required_network
from resolver.errors import UnreachableError

TIMEOUT_SECONDS = 5.0

_FAST = ("hits", "misses", "shed", "evicted")
_FAST_MEANING = (
    "hits: questions the fast path answered; misses: handed on; shed: no room, asked "
    "again by the client; evicted: answers that gave way; -: no fast path"
)

# A proxy that the environment names is no way to this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def run(*, as_json: bool) -> int:
    """Show the running network; 0 when every node answers, else 1.

    Raises:
        UnreachableError: Nothing runs.
    """
    ready = required_network()
    rows = [{**node, **_state(node["http"])} for node in ready["nodes"]]
    chains = [_chain_state(chain) for chain in ready.get("chains", ())]
    found = [row.pop("anchoring") for row in rows if "anchoring" in row]
    anchoring = found[0] if found else None
    if as_json:
        shown = {"pid": ready["pid"], "data": ready["data"], "nodes": rows}
        parts = {"chains": chains, "anchoring": anchoring}
        print_json({**shown, **{name: part for name, part in parts.items() if part}})
    else:
        _show(rows)
        _show_chains(chains)
        _show_anchoring(anchoring)
        say(f"process {ready['pid']}, data in {ready['data']}")
    return 0 if all(row["ready"] for row in (*rows, *chains)) else 1


def _state(http: str) -> dict[str, Any]:
    try:
        report = fetch(f"{http}/api/v1/statistics")
        ready = fetch(f"{http}/readyz", refused_too=True)
    except UnreachableError:
        return {"ready": False}
    return {
        "ready": ready.get("ready", False),
        "own": {
            name: report[name]
            for name in ("identifiers", "registrations", "resolutions")
        },
        "total": report["total"],
        "fast_path": report.get("fast_path"),
        **{name: report[name] for name in ("anchoring",) if name in report},
    }


def _chain_state(chain: dict[str, Any]) -> dict[str, Any]:
    shown = {key: chain[key] for key in ("name", "role", "chain_code", "http", "ws")}
    try:
        header = fetch(f"{chain['http']}/getLedger")["result"]["header"]
    except UnreachableError:
        return {**shown, "ready": False}
    counts = {"blocks": header["seq"], "transactions": header.get("tx_count", 0)}
    return {**shown, "ready": True, **counts}


def fetch(url: str, *, refused_too: bool = False) -> dict[str, Any]:
    """Get a JSON object from a node of this machine.

    Raises:
        UnreachableError: Nobody answers, or not with JSON.
    """
    try:
        with _OPENER.open(url, timeout=TIMEOUT_SECONDS) as answer:
            return _object(url, answer.read())
    except urllib.error.HTTPError as error:
        if not refused_too:
            message = f"{url}: HTTP {error.code}"
            raise UnreachableError(message) from error
        return _object(url, error.read())
    except (OSError, http.client.HTTPException) as error:
        message = f"{url}: {error}"
        raise UnreachableError(message) from error


def _object(url: str, text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        message = f"{url}: a JSON object expected"
        raise UnreachableError(message)
    return found


def _show(rows: list[dict[str, Any]]) -> None:
    made = table(
        "nodes, with what they and those below them did",
        "node",
        "role",
        "handle",
        "state",
        "identifiers",
        "registrations",
        "resolutions",
        *_FAST,
    )
    for row in rows:
        host, port = row["handle"]
        total = row.get("total", {})
        state = "[green]ready[/]" if row["ready"] else "[red]down[/]"
        counts = (
            f"{total.get(name, 0):,}"
            for name in ("identifiers", "registrations", "resolutions")
        )
        fast = row.get("fast_path")
        fast_counts = (f"{fast[name]:,}" if fast else "-" for name in _FAST)
        made.add_row(
            escape(row["name"]),
            row["role"],
            f"{host}:{port}",
            state,
            *counts,
            *fast_counts,
        )
    show(made)
    say(_FAST_MEANING)


def _show_chains(chains: list[dict[str, Any]]) -> None:
    if not chains:
        return
    made = table("chains", "chain", "role", "HTTP", "state", "blocks", "transactions")
    for chain in chains:
        state = "[green]ready[/]" if chain["ready"] else "[red]down[/]"
        counts = (f"{chain.get(name, 0):,}" for name in ("blocks", "transactions"))
        made.add_row(
            escape(chain["name"]), chain["role"], chain["http"], state, *counts
        )
    show(made)


def _show_anchoring(anchoring: dict[str, Any] | None) -> None:
    if anchoring is None:
        return
    made = table(
        "anchoring", "log", "chain", "entries", "block", "entries behind", "state"
    )
    problem = anchoring["problem"]
    made.add_row(
        escape(anchoring["origin"]),
        escape(anchoring["url"]),
        f"{anchoring['size']:,}",
        f"{anchoring['seq']:,}",
        f"{anchoring['behind']:,}",
        f"[red]{escape(problem)}[/]" if problem else "[green]working[/]",
    )
    show(made)
