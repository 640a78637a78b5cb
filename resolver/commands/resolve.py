"""`idis resolve`: ask the recursive node, and show the way if wanted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.markup import escape
from rich.table import Table

from chain_anchor.errors import AnchorError, ProofError
from chain_anchor.verified import Verified
from registry.model.codes import ResponseCode
from registry.model.identifier import canonical
from resolver.client import Client
from resolver.client.answer import Answer
from resolver.client.known_logs import KnownLogs
from resolver.client.products import ProductAnswer
from resolver.commands.codes_shown import (
    code_dict,
    code_shown,
    is_identifier,
    show_product,
)
from resolver.commands.console import fail, print_json, say, show, table
from resolver.commands.proven import hint_for, proven_line
from resolver.commands.proven_answer import (
    proof_dict,
    prove_absence,
    prove_answer,
)
from resolver.commands.running import required_network, server_address
from resolver.commands.values import value_dict, values_table
from resolver.errors import NotFoundError, answer_error
from resolver.session.walk import Hop


@dataclass(frozen=True, slots=True)
class ResolveOptions:
    """Arguments of `idis resolve`."""

    identifier: str
    types: tuple[str, ...] = ()
    indexes: tuple[int, ...] = ()
    trace: bool = False
    fresh: bool = False
    json: bool = False
    server: str | None = None
    proof: bool = False
    """Print only what the log proves."""

    company: str = ""
    """Prefix of the enterprise whose own codes may come."""

    product: ProductAnswer | None = None
    """How a code led to the identifier; None when an identifier was given."""


def run(options: ResolveOptions) -> int:
    """Resolve an identifier or a code; 0 when it has values, 1 when it has not.

    Raises:
        InvalidIdentifierError: The name is no identifier.
        UnreadableCodeError: Nor is it a code.
        AmbiguousCodeError: It is a code that means several identifiers.
        AnswerError: The answer is no.
        UnreachableError: Nobody answered.
    """
    canonical(options.identifier.encode())
    if not is_identifier(options.identifier):
        options = _found(options)
    if not options.proof:
        return _print(options, _ask(options))
    try:
        return _run_proven(options)
    except AnchorError as error:
        fail(f"the answer is not proven: {error}", hint_for(error))
        return 1


def _found(options: ResolveOptions) -> ResolveOptions:
    """Look a code up; what follows is about the identifier that it means."""
    code, company = options.identifier, options.company
    with Client(server_address(options.server)) as client:
        product = client.resolve_product(code, company=company, fresh=options.fresh)
    return replace(options, identifier=product.identifier, product=product)


def _run_proven(options: ResolveOptions) -> int:
    """Resolve, and print what the log proves of it."""
    logs = KnownLogs.of_ready(required_network())
    try:
        return _resolve_proven(options, logs)
    except ProofError:
        # What a cache had may be older than the proof: ask the node itself.
        return _resolve_proven(replace(options, fresh=True), logs)


def _resolve_proven(options: ResolveOptions, logs: KnownLogs) -> int:
    try:
        answer = _ask(options)
    except NotFoundError:
        say(proven_line(prove_absence(options.identifier, logs)))
        raise
    if answer.code == ResponseCode.HANDLE_NOT_FOUND:
        return _print(options, answer, prove_absence(options.identifier, logs))
    if answer.code != ResponseCode.SUCCESS:
        return _print(options, answer)
    whole = not (options.types or options.indexes)
    return _print(options, answer, prove_answer(answer, logs, whole=whole))


def _print(
    options: ResolveOptions, answer: Answer, verified: Verified | None = None
) -> int:
    if options.json:
        proof = {} if verified is None else {"proof": proof_dict(verified)}
        found = (
            {} if options.product is None else {"product": code_dict(options.product)}
        )
        print_json({**as_dict(answer), **found, **proof})
    else:
        if options.product is not None:
            show_product(options.product)
        show_answer(answer)
        if verified is not None:
            say(proven_line(verified))
    if answer.code == ResponseCode.SUCCESS:
        return 0
    fail(str(answer_error(answer.code, answer.message, options.identifier)))
    return 1


def _ask(options: ResolveOptions) -> Answer:
    name, types, indexes = options.identifier, options.types, options.indexes
    with Client(server_address(options.server)) as client:
        if options.trace:
            return client.trace(name, types=types, indexes=indexes)
        return client.resolve(name, types=types, indexes=indexes, fresh=options.fresh)


def show_answer(answer: Answer) -> None:
    """Print values, and the tiers that were asked."""
    if answer.hops:
        show(hops_table(answer.hops))
    if answer.values:
        show(values_table(answer.identifier, answer.values))
        kept = "" if answer.authoritative else ", from the recursive node's cache"
        say(f"good for {answer.ttl_seconds} s{kept}")


def hops_table(hops: Sequence[Hop]) -> Table:
    """Make the table of a trace: who was asked, what, how long, from cache or not."""
    made = table("tiers", "tier", "who", "asked about", "answer", "ms", "from")
    for hop in hops:
        made.add_row(
            escape(f"{hop.role} {hop.node}".strip()),
            str(hop.server or "-"),
            escape(hop.question),
            code_shown(hop.code),
            f"{hop.elapsed_seconds * 1000:.2f}",
            "cache" if hop.from_cache else "node",
        )
    return made


def as_dict(answer: Answer) -> dict[str, object]:
    """Give an answer as JSON members."""
    found: dict[str, object] = {
        "identifier": answer.identifier,
        "code": answer.code,
        "authoritative": answer.authoritative,
        "ttl_seconds": answer.ttl_seconds,
        "values": [value_dict(value) for value in answer.values],
    }
    if answer.message:
        found["message"] = answer.message
    if answer.hops:
        found["trace"] = [_hop_dict(hop) for hop in answer.hops]
    return found


def _hop_dict(hop: Hop) -> dict[str, object]:
    return {
        "tier": hop.role,
        "prefix": hop.node,
        "server": str(hop.server) if hop.server else None,
        "question": hop.question,
        "code": hop.code,
        "milliseconds": round(hop.elapsed_seconds * 1000, 3),
        "from_cache": hop.from_cache,
    }
