"""What a proof proves, as people and programs are shown it."""

import datetime as dt
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from chain_anchor.changes import Change
from chain_anchor.errors import AnchorError, FormatError, SignatureError
from chain_anchor.readable import readable_text
from chain_anchor.statemap import KIND_CHILD, KIND_HOME
from chain_anchor.verified import Verified, describe
from registry.errors import MalformedError
from registry.journal import Operation
from registry.model.value import Value, decode_values
from resolver.commands.console import show, table
from resolver.commands.values import value_dict, values_table

if TYPE_CHECKING:
    from chain_anchor.anchor_proof import VerifiedAnchors

_COLOURS = {"present": "green", "deleted": "yellow", "absent": "yellow"}
_KINDS = {KIND_HOME: "prefix served", KIND_CHILD: "checkpoint of"}
_SHOWN_CHANGES = 20


def show_proven(verified: Verified, size_octets: int) -> None:
    """Print what is proven: the state, the record, the history."""
    show(_summary(verified, size_octets))
    values = proven_values(verified)
    if values:
        show(values_table("proven values", values))
    if verified.history:
        show(_history(verified))
    if verified.anchors is not None and verified.anchors.chains:
        show(_anchors_table(verified, verified.anchors))


def proven_dict(verified: Verified, size_octets: int) -> dict[str, Any]:
    """Give what is proven as JSON members."""
    told: dict[str, Any] = {**describe(verified), "size_octets": size_octets}
    values = proven_values(verified)
    if values is not None:
        told["values"] = [value_dict(value) for value in values]
    return told


def proven_values(verified: Verified) -> tuple[Value, ...] | None:
    """Give the values that a proven record has; None where there are none to have."""
    octets = verified.record
    if octets is None or verified.kind == KIND_CHILD:
        return None
    try:
        # Before its HS_ADMIN values a home says whether it is active.
        return decode_values(octets[1:] if verified.kind == KIND_HOME else octets)
    except MalformedError:
        return None  # proven, but by somebody who keeps other things than we do


def proven_line(verified: Verified) -> str:
    """Say in a line what was proven, by whom."""
    where = "" if verified.state is None else f", entry {verified.state.index}"
    return f"proven by {verified.origin} at size {verified.size}{where}"


def time_of(time_ms: int) -> str:
    """Write a time for people: UTC, to the millisecond."""
    try:
        moment = dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return f"{time_ms} ms since 1970"
    return moment.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", " UTC")


def operation_of(change: Change) -> str:
    """Name what a change did."""
    try:
        return Operation(change.operation).name.lower()
    except ValueError:
        return f"operation {change.operation}"


def actor_of(change: Change) -> str:
    """Name who asked for a change."""
    if not change.actor:
        return "the node's own operator"
    return f"{change.actor_index}:{readable_text(change.actor)}"


def _summary(verified: Verified, size_octets: int) -> Table:
    made = table("proven", "what", "is")
    made.show_header = False
    for what, text in _rows(verified):
        colour = _COLOURS[text] if what == "state" else "none"
        made.add_row(what, f"[{colour}]{escape(text)}[/]")
    made.add_row("proof", f"{size_octets:,} octets")
    return made


def _rows(verified: Verified) -> list[tuple[str, str]]:
    what = _KINDS.get(verified.kind, "identifier")
    rows = [(what, readable_text(verified.name)), ("state", verified.standing)]
    change, state = verified.change, verified.state
    if change is not None and state is not None:
        rows += [
            ("version", str(state.version)),
            ("entry", str(state.index)),
            ("time", time_of(change.time_ms)),
            ("by", f"{operation_of(change)}, {actor_of(change)}"),
        ]
    if verified.commitment is not None:
        rows.append(("restricted", "has values that not everybody may read"))
    header = verified.header
    rows += [
        ("log", verified.origin),
        ("size", f"{verified.size} entries, {header.map_keys} names"),
        ("checkpoint", f"{verified.root.hex()}, {time_of(header.time_ms)}"),
        ("witnesses", _witnesses(verified)),
    ]
    rows += [("covered by", text) for text in _parents(verified)]
    rows += [("anchored", text) for text in _anchored(verified)]
    return rows


def _witnesses(verified: Verified) -> str:
    found = [
        f"{one.key.name} at {time_of(one.time_seconds * 1000)}"
        for one in verified.cosignatures
    ]
    return ", ".join(found) or "none that is known here"


def _parents(verified: Verified) -> list[str]:
    found = []
    one = verified.parent
    while one is not None:
        found.append(f"{one.origin}, {one.size} entries")
        verified, one = one, one.parent
    if verified.unpinned_parent is not None:
        found.append(f"{verified.unpinned_parent}: no key is pinned, not verified")
    return found


def _anchored(verified: Verified) -> list[str]:
    anchors = verified.anchors
    if anchors is None:
        return []
    found = []
    if anchors.chains:
        last = anchors.chains[-1]
        where = f"{last.chain}, block {last.seq}, {time_of(last.close_time // 1000)}"
        if verified.is_anchored:
            found.append(where)
        else:
            found.append(f"not yet: only {anchors.size} entries are, on {where}")
    if anchors.unpinned_log is not None:
        found.append(f"{anchors.unpinned_log}: no key is pinned, not verified")
    if anchors.unpinned_chain is not None:
        genesis = anchors.unpinned_chain.hex()
        found.append(f"chain {genesis}: not pinned, not verified")
    return found


def _anchors_table(verified: Verified, anchors: "VerifiedAnchors") -> Table:
    """Show each step from the identifier up to the last chain."""
    made = table("anchored", "step", "is")
    made.show_header = False
    covered = "" if verified.is_anchored else "; not yet what is proved here"
    made.add_row("identifier", escape(_place(verified)))
    made.add_row(
        "log",
        f"{escape(verified.origin)}, its first {anchors.size} of {verified.size} "
        f"entries{covered}",
    )
    made.add_row(
        "checkpoint",
        f"{escape(anchors.origin)}, {anchors.checkpoint_size} entries",
    )
    for whose, found in zip(("", "main "), anchors.chains, strict=False):
        signed = f", signed with block {found.signed_seq}"
        source = f"{found.transaction.hex()}, by {found.source}"
        made.add_row(f"{whose}transaction", source)
        made.add_row(
            f"{whose}block",
            f"{escape(found.chain)} {found.seq}, {time_of(found.close_time // 1000)}, "
            f"{found.block.hex()}{signed if found.signed_seq > found.seq else ''}",
        )
    return made


def _place(verified: Verified) -> str:
    name = readable_text(verified.name)
    if verified.state is None:
        return f"{name}, {verified.standing}"
    return f"{name}, {verified.standing}, entry {verified.state.index}"


def _history(verified: Verified) -> Table:
    complete = "complete" if verified.history_is_complete else "the last ones"
    made = table(f"earlier changes, {complete}", "version", "did", "by", "time")
    for change in verified.history[:_SHOWN_CHANGES]:
        made.add_row(
            str(change.version),
            operation_of(change),
            escape(actor_of(change)),
            time_of(change.time_ms),
        )
    left = len(verified.history) - _SHOWN_CHANGES
    if left > 0:
        made.add_row("...", f"{left} more", "", "")
    return made


def hint_for(error: AnchorError) -> str:
    """Say what helps when something was not proven."""
    match error:
        case SignatureError():
            return (
                "believe another key with --key VKEY, if whoever gave it is right; where "
                "the log rotated its key, --rotations FILE leads there"
            )
        case FormatError():
            return "a file of `idis proof ID > FILE`, or a .tlog-proof, is expected"
        case _:
            return "it was changed on its way, or its maker is wrong: do not use it"
