"""Management of one node over HTTP, with a description for programs and for people.

    /healthz                               200 while the process lives
    /readyz                                200, or 503 and who is not ready
    /api/v1/statistics                     counts here and below
    /api/v1/prefixes/PREFIX[/OPERATION]    allocate, delegate, host, stop
    /api/v1/journal                        what was changed, for operators
    /openapi.json, /docs                   all of this and the Handle JSON API

All of it is emulator convention. The page at /docs is made here: FastAPI's own load
their scripts from the internet, which a test machine may not reach. One application
serves every node of the process; `request.state` says which one is meant.
"""

import datetime as dt
import html
from importlib import metadata
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel

from registry.change import check_prefix
from registry.errors import (
    ChallengeNeededError,
    NotFoundError,
    PermissionsError,
    RegistryError,
)
from registry.journal import Entry, decode_entry
from registry.model.identifier import canonical, prefix_handle
from registry.model.value import Reference
from registry.prefixes import STATE_INDEX, Prefixes
from resolver.errors import ResolverError
from resolver.faces.exchange import HttpError, Response as Answer, error_response
from resolver.faces.handle_asking import failure_response, not_supported
from resolver.faces.handle_json import values_as_json
from resolver.faces.json_path import Place
from resolver.faces.structured_json import site_from_json

if TYPE_CHECKING:
    from registry.access import Access
    from registry.change import Receipt
    from registry.model.identity import Identity
    from registry.service import Registry
    from resolver.faces.http_identity import Identification
    from resolver.node import Node

MAX_ENTRIES = 1000
"""Entries of the journal in one answer."""

_DISTRIBUTION = "idis-emulator"
_HANDLE_API = {
    "/api/handles/{handle}": {
        "get": "Resolve a record, or values of it",
        "put": "Create or replace a record, or values of it",
        "delete": "Delete a record, or values of it",
    },
    "/api/handles": {"get": "List the identifiers under a prefix"},
    "/api/prefixes": {"get": "List the prefixes that live here"},
    "/api/prefixes/{prefix}": {
        "post": "Home a prefix here",
        "delete": "Stop serving a prefix here",
    },
    "/api/site": {"get": "Where this node answers"},
    "/api/verifications": {"post": "Verify a proof by secret"},
    "/log": {"get": "What the transparency log is, and how it is verified"},
    "/log/checkpoint": {"get": "The log's signed checkpoint (C2SP tlog-tiles)"},
    "/log/tile/{tile}": {"get": "Hashes or entries of the log (C2SP tlog-tiles)"},
    "/log/proof/record": {"get": "Prove what is registered under an identifier"},
    "/log/proof/prefix": {"get": "Prove whether a prefix is served here"},
    "/log/proof/child": {"get": "Prove which checkpoint of a child's log is known"},
    "/log/proof/inclusion": {"get": "Prove that an entry is in the log"},
    "/log/proof/consistency": {"get": "Prove that the log has only grown"},
    "/log/history": {"get": "Changes of an identifier"},
    "/log/rotations": {"get": "What leads from the log's first key to its last"},
    "/log/anchored": {"get": "How far the log is anchored, and on which chain"},
    "/{key}/{value}": {
        "get": "GS1 Digital Link: to the link that fits, or the linkset"
    },
    "/.well-known/gs1resolver": {"get": "What this GS1 resolver is (GS1 resolver 1.2)"},
    "/metrics": {"get": "Counters for Prometheus"},
    "/": {"post": "A message of the Handle protocol (application/x-hdl-message)"},
}
"""What answers beside this application; described here all the same."""

router = APIRouter()


class Administrator(BaseModel):
    """Who administers a prefix: a key of an identifier, or any of its keys (0)."""

    handle: str
    index: int = 0


class Allocation(BaseModel):
    """Body of `allocate`."""

    administrator: Administrator


class Delegation(BaseModel):
    """Body of `delegate`: sites as in the format `site`, the preferred first."""

    sites: list[dict[str, Any]]


def make_management() -> FastAPI:
    """Make the application that all nodes of a process share."""
    application = FastAPI(
        title=_DISTRIBUTION,
        version=_version(),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    for kind, handler in _FAILURES.items():
        application.add_exception_handler(kind, handler)
    application.include_router(router)
    return application


@router.get("/healthz", summary="Whether the process lives")
async def healthz() -> dict[str, str]:
    """Answer at all."""
    return {"status": "alive"}


@router.get("/readyz", summary="Whether the node does its work, and who does not")
async def readyz(request: Request) -> JSONResponse:
    """Tell which parts are not ready."""
    waiting = not_ready(request.state.face.node)
    status = 503 if waiting else 200
    return JSONResponse({"ready": not waiting, "waiting": waiting}, status)


@router.get("/api/v1/statistics", summary="Counts of this node and those below")
async def statistics(request: Request) -> dict[str, Any]:
    """Report as the levels of the system do."""
    node: Node = request.state.face.node
    assert node.statistics is not None
    return {
        **node.statistics.report().as_json(),
        "fast_path": _fast_path(node),
        **_log(node),
        **_anchoring(node),
    }


def _log(node: "Node") -> dict[str, Any]:
    """Tell of a node's log; nothing where it keeps none."""
    if node.sealing is None:
        return {}
    log = node.sealing.log
    key = log.signer.key.encode()
    told = {"origin": log.origin, "key": key, "size": log.head.size, "path": "/log"}
    return {"log": told}


def _anchoring(node: "Node") -> dict[str, Any]:
    """Tell how far the log is on a chain; nothing where it goes to none."""
    progress = node.anchoring()
    return {"anchoring": progress.as_json()} if progress is not None else {}


def _fast_path(node: "Node") -> dict[str, int] | None:
    """Count what the fast path did for a node; None where it does not serve."""
    counted = [face.counts() for face in node.fast_faces]
    names = ("hits", "misses", "shed", "evicted", "entries")
    totals = {name: sum(getattr(one, name) for one in counted) for name in names}
    return totals if counted else None


@router.get("/api/v1/journal", summary="Changes in their order, for operators")
async def journal(
    request: Request,
    after: Annotated[int, Query(ge=0, le=1 << 62)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_ENTRIES)] = 100,
) -> dict[str, Any]:
    """Give the entries after a serial; ask again with `next` while there are more."""
    registry, access = _kept(request.state.face.node)
    check_operator(access, await _identify(request))
    with registry.store.snapshot() as snapshot:
        found = list(islice(snapshot.journal(after), limit + 1))
    entries = [decode_entry(*item) for item in found[:limit]]
    return {
        "entries": [_entry_as_json(entry) for entry in entries],
        "next": entries[-1].serial if entries else after,
        "more": len(found) > limit,
    }


@router.get("/api/v1/prefixes/{prefix}", summary="State and record of a prefix")
async def prefix_state(request: Request, prefix: str) -> dict[str, Any]:
    """Tell how far a prefix allocated here has come."""
    registry, _ = _kept(request.state.face.node)
    name = _prefix(request, prefix)
    record = registry.get(prefix_handle(name))
    if record is None:
        raise NotFoundError(f"prefix {prefix} is not allocated here")
    with registry.store.snapshot() as snapshot:
        home = snapshot.home(name)
    state = record.value(STATE_INDEX)
    return {
        "prefix": name.decode(),
        "state": state.text if state else None,
        "hosted": home is not None and home.active,
        "values": values_as_json(v for v in record.values if v.public),
    }


@router.post("/api/v1/prefixes/{prefix}/allocate", summary="Allocate a prefix")
async def allocate(request: Request, prefix: str, body: Allocation) -> dict[str, Any]:
    """Register a prefix below one that lives here."""
    who = Reference(body.administrator.handle, body.administrator.index)
    prefixes, name = await _prefixes(request, prefix)
    return _done(await prefixes.allocate(name, who), name)


@router.post("/api/v1/prefixes/{prefix}/delegate", summary="Name the sites of a prefix")
async def delegate(request: Request, prefix: str, body: Delegation) -> dict[str, Any]:
    """Refer questions about a prefix to the node that serves it."""
    places = Place(body.sites, "$.sites").items()
    sites = [site_from_json(place) for place in places]
    prefixes, name = await _prefixes(request, prefix)
    return _done(await prefixes.delegate(name, sites), name)


@router.post("/api/v1/prefixes/{prefix}/host", summary="Serve a prefix here")
async def host(request: Request, prefix: str) -> dict[str, Any]:
    """Serve a prefix at this node, where it was allocated."""
    prefixes, name = await _prefixes(request, prefix)
    return _done(await prefixes.host(name, request.state.face.node.sites), name)


@router.post("/api/v1/prefixes/{prefix}/stop", summary="Take a prefix out of service")
async def stop(request: Request, prefix: str) -> dict[str, Any]:
    """Stop a prefix: it keeps its record and is not resolved any more."""
    prefixes, name = await _prefixes(request, prefix)
    return _done(await prefixes.stop(name), name)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> dict[str, Any]:
    """Describe this application and what answers beside it."""
    described = dict(request.app.openapi())
    beside = {
        path: {method: _described(path, text) for method, text in methods.items()}
        for path, methods in _HANDLE_API.items()
    }
    described["paths"] = {**beside, **described["paths"]}
    return described


@router.get("/docs", include_in_schema=False)
@router.get("/", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Show the operations to people."""
    paths = (await openapi(request))["paths"]
    rows = "".join(
        f"<tr><td>{method.upper()}</td><td><code>{html.escape(path)}</code></td>"
        f"<td>{html.escape(operation['summary'])}</td></tr>"
        for path, methods in paths.items()
        for method, operation in methods.items()
    )
    name = html.escape(request.state.face.node.settings.name)
    return HTMLResponse(
        "<!DOCTYPE html><html lang='en'><meta charset='utf-8'>"
        f"<title>{name}</title><h1>{name}</h1>"
        "<p>For programs: <a href='/openapi.json'>openapi.json</a></p>"
        f"<table>{rows}</table></html>"
    )


def not_ready(node: "Node") -> list[str]:
    """Name what keeps a node, and the network behind it, from being ready."""
    waiting = [] if node.serving else [f"{node.settings.name}: faces are not serving"]
    registry = node.registry
    if registry is not None and registry.stopped is not None:
        waiting.append(f"{node.settings.name}: registry: {registry.stopped}")
    elif registry is not None and getattr(registry.store, "read_only", False):
        waiting.append(f"{node.settings.name}: registry: read-only")
    return waiting + node.network_readiness()


def check_operator(access: "Access", identity: "Identity | None") -> None:
    """Check that somebody may see everything.

    Raises:
        ChallengeNeededError: Nobody has authenticated.
        PermissionsError: It is not one of the node's operators.
    """
    if access.trusts(identity):
        return
    if identity is None:
        raise ChallengeNeededError("the journal is for operators: authenticate")
    raise PermissionsError(f"{identity} is not an operator of this node")


def _kept(node: "Node") -> "tuple[Registry, Access]":
    if node.registry is None or node.access is None:
        raise not_supported("this node keeps no registry: ask one that does")
    return node.registry, node.access


async def _identify(request: Request) -> "Identity | None":
    identification: Identification = request.state.face.identification
    return await identification.identify(request.state.request)


def _prefix(request: Request, prefix: str) -> bytes:
    rule = request.state.face.node.settings.case_rule
    return check_prefix(canonical(prefix.encode(), rule))


async def _prefixes(request: Request, prefix: str) -> tuple[Prefixes, bytes]:
    registry, access = _kept(request.state.face.node)
    name = _prefix(request, prefix)
    identity = await _identify(request)
    trusted = access.trusts(identity)
    return Prefixes(registry, identity, trusted=trusted), name


def _done(receipt: "Receipt", prefix: bytes) -> dict[str, Any]:
    return {"prefix": prefix.decode(), "serial": receipt.serial}


def _entry_as_json(entry: Entry) -> dict[str, Any]:
    moment = dt.datetime.fromtimestamp(entry.time_ms / 1000, dt.UTC)
    return {
        "serial": entry.serial,
        "operation": entry.operation.name.lower(),
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "name": entry.name.decode(errors="replace"),
    }


def _described(path: str, summary: str) -> dict[str, Any]:
    names = (part[1:-1] for part in path.split("/") if part.startswith("{"))
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ]
    responses = {"200": {"description": "Done"}}
    return {"summary": summary, "parameters": parameters, "responses": responses}


def _version() -> str:
    try:
        return metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0"  # run from a source tree


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, HttpError):
        return _sent(error_response(error))
    assert isinstance(error, (RegistryError, ResolverError))
    prefix = request.path_params.get("prefix", "")
    return _sent(failure_response(error.code, str(error), prefix))


def _sent(answer: Answer) -> Response:
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    return Response(answer.body, answer.status, headers, answer.content_type)


_FAILURES = dict.fromkeys((HttpError, RegistryError, ResolverError), _refused)
