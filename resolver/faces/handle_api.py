"""The Handle JSON API of one node (handle notes §5.1).

    GET PUT DELETE  /api/handles/HANDLE     one record, or values of it
    GET             /api/handles?prefix=P   identifiers under a prefix, by the page
    GET POST DELETE /api/prefixes[/PREFIX]  prefixes that live here; home, unhome
    GET             /api/site               where this node answers
    POST            /api/verifications      is a proof by secret right
    *               /api/sessions           not supported

Emulator convention: a node that answers with its own authority sends the record's
serial as `ETag`, for conditional writes (`resolver.faces.handle_writing`). Who changes
something with `receipt=true` is given its proof (`resolver.faces.log_receipts`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from chain_anchor.errors import AnchorError
from registry.change import check_homed, check_prefix
from registry.errors import RegistryError
from registry.model.codes import ResponseCode
from registry.model.identifier import canonical
from registry.model.identity import Identity
from resolver.errors import ResolverError
from resolver.faces.exchange import (
    Headers,
    HttpError,
    Parameters,
    Request,
    Response,
    error_response,
    json_response,
)
from resolver.faces.handle_asking import (
    Asking,
    Call,
    Outcome,
    failure_response,
    not_supported,
    tell,
    tell_failure,
)
from resolver.faces.handle_json import values_as_json
from resolver.faces.handle_writing import Writing, serial_of, tag_header
from resolver.faces.json_path import LARGEST_U32, Place, read_json
from resolver.faces.log_receipts import JsonObject, prefix_receipt, unproved
from resolver.faces.structured_json import read_base64, site_as_json
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.request import OnHandle, Resolution, Verify
from resolver.wire.response import Handles, SiteInfo, Values, Verified

if TYPE_CHECKING:
    from registry.store.interface import Store
    from resolver.elsewhere import Elsewhere
    from resolver.faces.http_identity import Identification
    from resolver.node import Node

ROOT = b"/api/"
MAX_PAGE = 100_000
"""Identifiers in one answer; longer lists are asked for by the page."""

_CHUNK = 2_000
_NOTHING = OpFlag(0)
_PREFIX_OPERATIONS = {
    "GET": OpCode.LIST_HOMED_PREFIXES,
    "HEAD": OpCode.LIST_HOMED_PREFIXES,
    "POST": OpCode.HOME_PREFIX,
    "DELETE": OpCode.UNHOME_PREFIX,
}


Resource = Callable[[Call], Awaitable[Response]]


class HandleApi:
    """Answers the Handle JSON API for one node."""

    def __init__(
        self,
        node: "Node",
        identification: "Identification",
        elsewhere: "Elsewhere",
    ) -> None:
        self._node = node
        self._identification = identification
        self._asking = Asking(node)
        self._writing = Writing(node, self._asking, elsewhere)
        self._resources: dict[bytes, Resource] = {
            b"handles": self._handles,
            b"prefixes": self._prefixes,
            b"site": self._site,
            b"verifications": self._verifications,
            b"sessions": self._sessions,
        }

    def serves(self, path: bytes) -> bool:
        """Tell whether a path belongs to this API."""
        return path.startswith(ROOT) and _split(path)[0] in self._resources

    async def answer(self, request: Request) -> Response:
        """Answer a request whose path is one that `serves` knows."""
        resource, _, rest = _split(request.path)
        subject = unquote_to_bytes(rest)
        try:
            parameters = Parameters(request.query)
            identity = await self._identify(request, parameters)
            call = Call(request, parameters, subject, identity)
            return await self._resources[resource](call)
        except HttpError as error:
            return error_response(error)
        except (RegistryError, ResolverError) as error:
            handle = subject.decode(errors="replace")
            return failure_response(error.code, str(error), handle)

    async def _identify(
        self, request: Request, parameters: Parameters
    ) -> Identity | None:
        # Any page may include a script from here, and the browser adds what its user
        # has typed in before: a script shows what everybody may see.
        if parameters.one("callback") is not None:
            return None
        return await self._identification.identify(request)

    async def _handles(self, call: Call) -> Response:
        if not call.subject:
            call.allow("GET", "HEAD")
            return await self._list(call)
        call.allow("GET", "HEAD", "PUT", "DELETE")
        if call.request.method == "PUT":
            return await self._writing.put(call)
        if call.request.method == "DELETE":
            return await self._writing.delete(call)
        return await self._get(call)

    async def _get(self, call: Call) -> Response:
        node, parameters = self._node, call.parameters
        asked = Resolution(
            call.subject,
            parameters.numbers("index", LARGEST_U32),
            tuple(kind.encode() for kind in parameters.all("type")),
        )
        # Before the values are read: should a write come in between, the tag is the
        # older one, and a write with it is refused instead of losing something.
        serial = serial_of(node.registry, call.subject, node.settings.case_rule)
        flags = _reading_flags(call)
        outcome = await self._asking.ask(OpCode.RESOLUTION, asked, flags, call)
        headers: Headers = ((b"vary", b"authorization"),)
        if serial and outcome.authoritative:
            headers = (tag_header(serial), *headers)
        return _resolved(call, outcome, headers)

    async def _list(self, call: Call) -> Response:
        asked = call.parameters.one("prefix")
        if asked is None:
            raise call.parameters.error("prefix", "a prefix")
        size = call.parameters.number("pageSize", default=-1)
        page = call.parameters.number("page", default=0)
        rule = self._node.settings.case_rule
        prefix = check_prefix(canonical(asked.rstrip("/").encode(), rule))
        store, total = self._listed(call, prefix)
        wanted = total if size < 0 else size
        if wanted > MAX_PAGE:
            expected = f"at most {MAX_PAGE} of these {total} identifiers at once"
            raise call.parameters.error("pageSize", expected)
        names = await _names(store, prefix, page * max(size, 0), wanted)
        document = {
            "prefix": asked,
            "totalCount": str(total),
            "page": page,
            "pageSize": size,
            "handles": [name.decode() for name in names],
        }
        return tell(call, document)

    def _listed(self, call: Call, prefix: bytes) -> "tuple[Store, int]":
        """Check that the client may list a prefix; give how many names it has."""
        node = self._node
        self._asking.count(OpCode.LIST_HANDLES)
        if node.registry is None or node.access is None:
            raise not_supported("no identifiers are kept here: ask the node that does")
        with node.registry.store.snapshot() as snapshot:
            check_homed(snapshot.home(prefix))
            total = snapshot.tally(prefix).identifiers
        node.access.check_list(call.identity, prefix)
        node.telemetry.answers[ResponseCode.SUCCESS] += 1
        return node.registry.store, total

    async def _prefixes(self, call: Call) -> Response:
        call.allow(*_PREFIX_OPERATIONS)
        opcode = _PREFIX_OPERATIONS[call.request.method]
        prefix = call.subject or (call.parameters.one("prefix") or "").encode()
        if opcode is not OpCode.LIST_HOMED_PREFIXES and not prefix:
            raise call.parameters.error("prefix", "a prefix")
        proved = opcode is not OpCode.LIST_HOMED_PREFIXES and self._proves(call)
        asked = OnHandle(prefix or b"/")
        outcome = await self._asking.ask(opcode, asked, _NOTHING, call)
        if outcome.code != ResponseCode.SUCCESS:
            return tell_failure(call, outcome)
        if isinstance(outcome.told, Handles):
            names = [name.decode() for name in outcome.told.handles]
            return tell(call, {"prefixes": names})
        document: dict[str, Any] = {"prefix": prefix.decode(errors="replace")}
        if proved:
            document["receipt"] = self._prefix_receipt(prefix)
        return tell(call, document)

    def _proves(self, call: Call) -> bool:
        """Tell whether a receipt is wanted, and check that there can be one."""
        wanted = call.parameters.flag("receipt")
        if wanted and self._node.sealing is None:
            raise not_supported("this node keeps no log and gives no receipts")
        return wanted

    def _prefix_receipt(self, prefix: bytes) -> JsonObject:
        node = self._node
        assert node.sealing is not None
        name = check_prefix(canonical(prefix, node.settings.case_rule))
        try:
            receipt = prefix_receipt(node.sealing, name)
        except (AnchorError, RegistryError) as error:
            raise unproved(name.decode(), error) from error
        node.telemetry.log_requests["receipt"] += 1
        return receipt

    async def _site(self, call: Call) -> Response:
        call.allow("GET", "HEAD")
        opcode = OpCode.GET_SITE_INFO
        outcome = await self._asking.ask(opcode, OnHandle(b"/"), _NOTHING, call)
        if not isinstance(outcome.told, SiteInfo):
            return tell_failure(call, outcome)
        return tell(call, {"site": site_as_json(outcome.told.octets)})

    async def _verifications(self, call: Call) -> Response:
        """Verify a proof by secret; member names are emulator convention."""
        call.allow("POST")
        asked = _read_verification(read_json(call.request.body))
        opcode = OpCode.VERIFY_CHALLENGE
        outcome = await self._asking.ask(opcode, asked, _NOTHING, call)
        if not isinstance(outcome.told, Verified):
            return tell_failure(call, outcome)
        return tell(call, {"verified": outcome.told.right})

    async def _sessions(self, _: Call) -> Response:
        message = (
            "sessions are not supported: use Basic authentication or a client "
            "certificate over HTTPS"
        )
        raise not_supported(message)


def _split(path: bytes) -> tuple[bytes, bytes, bytes]:
    return path[len(ROOT) :].partition(b"/")


def _reading_flags(call: Call) -> OpFlag:
    parameters = call.parameters
    flags = OpFlag.RECURSIVE
    # Whoever shows no credentials wants no challenge, unless it says so.
    if parameters.flag("publicOnly", default=call.identity is None):
        flags |= OpFlag.PUBLIC_ONLY
    if parameters.flag("auth"):
        flags |= OpFlag.AUTHORITATIVE
    if parameters.flag("doNotRefer"):
        flags |= OpFlag.DO_NOT_REFER
    return flags


def _resolved(call: Call, outcome: Outcome, headers: Headers) -> Response:
    told = outcome.told
    if isinstance(told, Values):
        values = values_as_json(told.values)
        return tell(call, {"handle": call.handle, "values": values}, headers=headers)
    if outcome.code != ResponseCode.VALUES_NOT_FOUND:
        return tell_failure(call, outcome)
    # Nothing failed: the record is there and has no such value.
    code = int(outcome.code)
    document = {"responseCode": code, "handle": call.handle, "values": []}
    return json_response(document, headers=headers, parameters=call.parameters)


async def _names(
    store: "Store", prefix: bytes, skipped: int, wanted: int
) -> list[bytes]:
    """Walk to a page and give its names, a short snapshot at a time."""
    names: list[bytes] = []
    after = b""
    while len(names) < wanted:
        with store.snapshot() as snapshot:
            walk = zip(snapshot.names(prefix, after), range(_CHUNK), strict=False)
            chunk = [name for name, _ in walk]
        names += chunk[skipped : skipped + wanted - len(names)]
        skipped = max(skipped - len(chunk), 0)
        if len(chunk) < _CHUNK:
            break
        after = chunk[-1]
        await asyncio.sleep(0)
    return names


def _read_verification(place: Place) -> Verify:
    return Verify(
        place.need("handle").text().encode(),
        place.need("index").number(),
        read_base64(place.need("nonce")),
        read_base64(place.need("digest")),
        read_base64(place.need("signedResponse")),
    )
