"""Proofs over HTTP: what is asked by parameters, and in which form it is given.

    proof/record       ?identifier=ID                     a bundle: binary, or JSON
    proof/prefix       ?prefix=P                          a prefix that is served here
    proof/child        ?origin=O                          a child's checkpoint
    proof/inclusion    ?index=I[&size=N]                  C2SP tlog-proof, or JSON
    proof/consistency  ?old=M[&size=N]                    for a witness, or JSON
    history            ?identifier=ID[&from=I][&limit=N]  JSON: changes, newest first
    rotations                                             JSON: from key to key
    anchored                                              JSON: how far, on which chain

Bundles take `history=true`, for earlier changes of the name; `parents=true`, for the
logs above that hold this one's checkpoint, as far as they have been told of it; and
`anchors=true`, for what leads onto the chain, as far as the log is anchored there.
`Accept` chooses where there is a choice; paths under an older tree than the head's have
no signed checkpoint and are always JSON. In JSON hashes are hexadecimal, octets base64,
and `pretty=true` is for people. Any other parameter is refused.

All of it is emulator convention, but for the formats that it names.
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from itertools import islice
from typing import Any, NamedTuple

from chain_anchor.bundle import Bundle, bundle_json, encode_bundle
from chain_anchor.changes import Change
from chain_anchor.entries import decode_entry
from chain_anchor.errors import FormatError
from chain_anchor.merkle import leaf_hash
from chain_anchor.readable import entry_json
from chain_anchor.spelling import decode_decimal, encode_base64
from chain_anchor.statemap import ACTIVE, KIND_RECORD, map_key
from chain_anchor.view import MAX_HISTORY
from chain_anchor.witnessing import TEXT_TYPE, AddCheckpoint
from registry.model.identifier import (
    CaseRule,
    canonical,
    is_prefix_handle,
    suffix_of,
)
from registry.model.value import decode_values
from resolver.faces.exchange import (
    Headers,
    HttpError,
    Parameters,
    Request,
    Response,
    json_response,
)
from resolver.faces.handle_json import values_as_json
from resolver.faces.log_access import check_provable
from resolver.faces.log_proofs import Proofs
from resolver.faces.negotiation import chosen_type

BUNDLE_TYPE = "application/vnd.idis.proof"
DEFAULT_HISTORY = 100
"""Changes that `history` gives, unless the query says how many."""

_MORE = ("history", "parents", "anchors")
_JSON = "application/json"
_TEXT = "text/plain"
_MAX_ORIGIN_OCTETS = 1024
_MAX_NAME = 80
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_VARIES: Headers = ((b"cache-control", b"no-cache"), (b"vary", b"accept"))


class _Call(NamedTuple):
    """A question, and what it is answered from."""

    request: Request
    parameters: Parameters
    proofs: Proofs

    def prefers(self, *types: str) -> str:
        """Choose the type of the answer."""
        return chosen_type(self.request.header(b"accept"), types)

    def text(self, name: str) -> str:
        """Read a text that must be there."""
        text = self.parameters.one(name)
        if not text:
            raise HttpError(HTTPStatus.BAD_REQUEST, f"parameter {name} expected")
        return text

    def number(self, name: str, default: int | None = None) -> int:
        """Read a number up to 2**63 - 1; one without default must be there."""
        if default is not None and self.parameters.one(name) is None:
            return default
        try:
            return decode_decimal(self.text(name), FormatError, f"parameter {name}")
        except FormatError as error:
            raise HttpError(HTTPStatus.BAD_REQUEST, str(error)) from None

    def size(self) -> int:
        """Read the size of the tree that is meant, the head's if none is named."""
        head = self.proofs.head.size
        return self.up_to("size", head, "the log's size now", default=head)

    def up_to(self, name: str, most: int, what: str, default: int | None = None) -> int:
        """Read a number that must not go beyond what the log has."""
        number = self.number(name, default)
        if number > most:
            message = f"parameter {name}: at most {most} ({what}), got {number}"
            raise HttpError(HTTPStatus.NOT_FOUND, message)
        return number


class _Route(NamedTuple):
    """Who answers, and the parameters that it knows."""

    answer: Callable[[_Call], Response]
    parameters: tuple[str, ...]


class Answers:
    """Answers questions for proofs; of one log at a time."""

    def __init__(self, rule: CaseRule) -> None:
        """Take the rule by which the node compares identifiers."""
        self._rule = rule
        self._routes = {
            b"proof/record": _Route(self._record, ("identifier", *_MORE)),
            b"proof/prefix": _Route(self._prefix, ("prefix", *_MORE)),
            b"proof/child": _Route(_child, ("origin", *_MORE)),
            b"proof/inclusion": _Route(_inclusion, ("index", "size")),
            b"proof/consistency": _Route(_consistency, ("old", "size")),
            b"history": _Route(self._history, ("identifier", "from", "limit")),
            b"rotations": _Route(_rotations, ()),
            b"anchored": _Route(_anchored, ()),
        }

    def answer(self, path: bytes, request: Request, proofs: Proofs) -> Response:
        """Answer a question; `path` is what stands after `/log/`.

        Raises:
            HttpError: It breaks its format, or asks for what is not there.
            RegistryError: A name is none, or a stored record is damaged.
            AnchorError: Something else that is stored is damaged.
        """
        route = self._routes.get(path)
        if route is None:
            known = ", ".join(sorted(name.decode() for name in self._routes))
            shown = path.decode(errors="replace")[:99]
            message = f"a log has no {shown}; it has checkpoint, tile/…, {known}"
            raise HttpError(HTTPStatus.NOT_FOUND, message)
        parameters = Parameters(request.query)
        parameters.only(*route.parameters, "pretty")
        return route.answer(_Call(request, parameters, proofs))

    def _record(self, call: _Call) -> Response:
        name = self._provable(call)
        return _bundle_response(call, call.proofs.record(name))

    def _prefix(self, call: _Call) -> Response:
        name = canonical(call.text("prefix").encode(), self._rule)
        if not is_prefix_handle(name):
            raise call.parameters.error("prefix", "a prefix, as 88.118.7 is,")
        return _bundle_response(call, call.proofs.prefix(suffix_of(name)))

    def _history(self, call: _Call) -> Response:
        name = self._provable(call)
        limit = call.number("limit", DEFAULT_HISTORY)
        if not 1 <= limit <= MAX_HISTORY:
            raise call.parameters.error("limit", f"1 to {MAX_HISTORY}")
        start = _start(call, name)
        walk = () if start is None else call.proofs.changes(start)
        found = list(islice(walk, limit + 1))
        changes = [
            {
                "index": logged.index,
                "leaf_hash": leaf_hash(logged.octets).hex(),
                **entry_json(logged.change),
            }
            for logged in found[:limit]
        ]
        after = found[limit].index if len(found) > limit else None
        document = {"identifier": name.decode(), "changes": changes, "next": after}
        return _json(call, document)

    def _provable(self, call: _Call) -> bytes:
        """Read the identifier that is meant, and check that it is proved here."""
        name = canonical(call.text("identifier").encode(), self._rule)
        check_provable(call.proofs, name)
        return name


def _child(call: _Call) -> Response:
    origin = call.text("origin").encode()
    if len(origin) > _MAX_ORIGIN_OCTETS:
        expected = f"at most {_MAX_ORIGIN_OCTETS} octets"
        raise call.parameters.error("origin", expected)
    return _bundle_response(call, call.proofs.child(origin))


def _inclusion(call: _Call) -> Response:
    size = call.size()
    index = call.up_to("index", size - 1, "the last of the tree")
    if _as_text(call, size):
        name = f"{call.proofs.head.checkpoint.origin}-{index}.tlog-proof"
        octets = call.proofs.tlog_proof(index)
        return _named(octets, TEXT_TYPE, name, "inline")
    found = call.proofs.inclusion(index, size)
    document = {
        "index": index,
        "leaf_hash": found.leaf.hex(),
        "root": found.root.hex(),
        "path": [one.hex() for one in found.path],
    }
    return _json(call, document, size)


def _consistency(call: _Call) -> Response:
    size = call.size()
    old_size = call.up_to("old", size, "the size of the tree")
    found = call.proofs.consistency(old_size, size)
    if _as_text(call, size):
        asked = AddCheckpoint(old_size, found.path, call.proofs.head.note)
        return Response(HTTPStatus.OK, asked.encode(), TEXT_TYPE, _VARIES)
    document = {
        "old_size": old_size,
        "old_root": found.old_root.hex(),
        "root": found.root.hex(),
        "path": [one.hex() for one in found.path],
    }
    return _json(call, document, size)


def _start(call: _Call, name: bytes) -> int | None:
    """Find the change with which a history begins; None if there are none."""
    newest = call.proofs.newest(KIND_RECORD, name)
    if newest is None:
        return None
    start = call.up_to("from", newest, "the newest change", default=newest)
    change = decode_entry(call.proofs.view.entry(start))
    if not isinstance(change, Change) or change.key != map_key(KIND_RECORD, name):
        message = f"parameter from: entry {start} is no change of this identifier"
        raise HttpError(HTTPStatus.NOT_FOUND, message)
    return start


def _rotations(call: _Call) -> Response:
    rotations = [
        {"entry_base64": encode_base64(entry), "proof": proof.decode()}
        for entry, proof in call.proofs.rotations()
    ]
    return _json(call, {"key": call.proofs.key, "rotations": rotations})


def _anchored(call: _Call) -> Response:
    found = call.proofs.anchored()
    return _json(call, {"anchored": found and found._asdict()})


def _bundle_response(call: _Call, bundle: Bundle) -> Response:
    if call.parameters.flag("history"):
        bundle = call.proofs.with_history(bundle)
    if call.parameters.flag("parents"):
        bundle = call.proofs.with_parents(bundle)
    if call.parameters.flag("anchors"):
        bundle = call.proofs.with_anchors(bundle)
    octets = encode_bundle(bundle)
    if call.prefers(BUNDLE_TYPE, _JSON) == BUNDLE_TYPE:
        name = f"{bundle.name.decode(errors='replace')}.idis-proof"
        return _named(octets, BUNDLE_TYPE, name, "attachment")
    document = {"standing": _standing(bundle), **bundle_json(bundle)}
    if bundle.kind == KIND_RECORD and bundle.record is not None:
        document["values"] = values_as_json(decode_values(bundle.record))
    return _json(call, {**document, "bundle_base64": encode_base64(octets)})


def _standing(bundle: Bundle) -> str:
    if bundle.state is None:
        return "absent"
    return "present" if bundle.state.state == ACTIVE else "deleted"


def _as_text(call: _Call, size: int) -> bool:
    """Tell whether the answer has the head's checkpoint, which only text has."""
    return size == call.proofs.head.size and call.prefers(_TEXT, _JSON) == _TEXT


def _json(call: _Call, document: dict[str, Any], size: int | None = None) -> Response:
    head = call.proofs.head
    document = {
        "origin": head.checkpoint.origin,
        "size": head.size if size is None else size,
        **document,
    }
    return json_response(document, headers=_VARIES, parameters=call.parameters)


def _named(octets: bytes, kind: str, name: str, how: str) -> Response:
    """Give a file with a name that any system takes."""
    stem, dot, extension = name.rpartition(".")
    safe = _UNSAFE.sub("_", stem)[:_MAX_NAME] + dot + extension
    disposition = (b"content-disposition", f'{how}; filename="{safe}"'.encode())
    return Response(HTTPStatus.OK, octets, kind, (*_VARIES, disposition))
