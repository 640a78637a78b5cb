"""The walk down the tree to the node that has the answer (idis notes §3).

A name lives where its prefix is homed. The walk starts at the longest prefix whose
sites are known and asks each node for the HS_SITE of the next longer one, cold:

    top         0.NA/88.118     HS_SITE  ─▶ sites of the secondary node
    secondary   0.NA/88.118.7   HS_SITE  ─▶ sites of the enterprise node
    enterprise  88.118.7/SN1             ─▶ the answer

A node may answer 302 or 303 instead: then the same question goes to the sites in the
referral, or to those of the handle it names (handle notes §1.14). The walk asks at
most `MAX_STEPS` times and nobody the same twice. It does no I/O and reads no clock:
whoever drives it sends each `Ask` and reports what came of it.
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import NamedTuple

from registry.errors import RegistryError
from registry.model.codes import ResponseCode
from registry.model.identifier import (
    PREFIX_AUTHORITY,
    CaseRule,
    canonical,
    home_of,
    is_prefix_handle,
    lineage,
    parent_prefix,
    prefix_handle,
    suffix_of,
)
from registry.model.value import DEFAULT_TTL_SECONDS, Value
from resolver.errors import (
    BadAnswerError,
    ReferralLoopError,
    ResolverError,
    ServerError,
    UnreachableError,
)
from resolver.session.draft import QUERY_FLAGS, Draft
from resolver.session.exchange import ServerAddress
from resolver.session.reading import read_body, text_of
from resolver.session.sites import (
    Sites,
    addresses,
    admin_address,
    query_address,
    server_of,
    sites_in,
)
from resolver.wire.codes import OpCode
from resolver.wire.message import Message
from resolver.wire.request import Resolution
from resolver.wire.response import Referral, Values

__all__ = [
    "MAX_STEPS",
    "SITE_TYPE",
    "Ask",
    "Delegation",
    "Hop",
    "Lookup",
    "Outcome",
    "Question",
    "Sites",
    "Step",
    "Walk",
    "addresses",
    "admin_address",
    "query_address",
    "server_of",
    "sites_in",
]

MAX_STEPS = 16
SITE_TYPE = b"HS_SITE"

Lookup = Callable[[bytes], Sites | None]
"""Gives the sites of a prefix that somebody learned before, or None."""

_REFERRALS = (ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL)
_SERVICE_TYPES = ("HS_SERV", "HS_SERV.PREFIX")
_STALE = (ResponseCode.SERVER_NOT_RESP, ResponseCode.OUT_OF_DATE_SITE_INFO)


class Question(NamedTuple):
    """What the walk is to find out."""

    handle: bytes
    """As the client wrote it, with or without a slash."""

    indexes: tuple[int, ...] = ()
    types: tuple[bytes, ...] = ()
    token: bytes | None = None
    """Identity token of the official SDK, shown to the last node only."""

    flags: int = QUERY_FLAGS
    recursion_count: int = 0

    def draft(self) -> Draft:
        """Make the request; a bare prefix is asked for by its prefix handle."""
        handle = self.handle if b"/" in self.handle else prefix_handle(self.handle)
        body = Resolution(handle, self.indexes, self.types, self.token).encode()
        return Draft(
            OpCode.RESOLUTION, body, self.flags, recursion_count=self.recursion_count
        )


class Ask(NamedTuple):
    """Send this to that server and report what comes."""

    server: ServerAddress
    draft: Draft
    node: str
    """Prefix that the server was said to serve; empty where nobody said."""

    about: str
    """Handle asked about."""


class Hop(NamedTuple):
    """One step of a walk as it went, for traces."""

    server: ServerAddress | None
    """Who was asked; None when nobody had to be."""

    node: str
    """Prefix that the server serves; empty for a recursive node."""

    question: str
    """Handle asked about."""

    code: int
    """Response code, or the code of the error that stood in for an answer."""

    elapsed_seconds: float
    from_cache: bool = False

    @property
    def role(self) -> str:
        """Kind of node, by the levels of its prefix (idis notes §2.1)."""
        if not self.node:
            return "recursive"
        levels = self.node.count(".") if self.node != "0.NA" else 0
        return ("top", "secondary", "enterprise")[min(levels, 2)]


class Delegation(NamedTuple):
    """Sites of a prefix learned on the way, for the caller to keep."""

    prefix: bytes
    sites: Sites
    ttl_seconds: int


class Outcome(NamedTuple):
    """How a walk ended."""

    code: int
    response: Message | None
    """The last node's answer to the question; None when the walk ended before it."""

    text: str
    """Why it ended before, in words; empty otherwise."""

    hops: tuple[Hop, ...]
    delegations: tuple[Delegation, ...] = ()


Step = Ask | Outcome


class _Ended(Exception):  # noqa: N818 (ends the walk, is no failure of ours)
    """The walk ends before its question could be asked."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class _Place(NamedTuple):
    """Where to ask next: the sites of a prefix."""

    prefix: bytes
    sites: Sites


_Asking = Generator[Ask, Message, Message]
_Finding = Generator[Ask, Message, "_Place"]


class Walk:
    """One walk; `start` it, then report each step until it gives an `Outcome`."""

    def __init__(
        self,
        question: Question,
        hints: Mapping[bytes, Sites],
        lookup: Lookup | None = None,
    ) -> None:
        self.hops: list[Hop] = []
        """Steps made so far, also when the walk raised."""

        self._question = question
        self._name = canonical(question.handle, CaseRule.EXACT)
        self._hints = hints
        self._lookup = lookup or _unknown
        self._from_cache = False
        self._silent: dict[ServerAddress, ResolverError] = {}
        self._delegations: list[Delegation] = []
        self._asked: set[tuple[ServerAddress, bytes]] = set()
        self._steps = self._run()
        self._ask: Ask | None = None
        self._asked_at = 0.0
        self._count = 0

    def start(self, now: float) -> Step:
        """Give the first step; `now` is in seconds of any clock."""
        return self._advance(lambda: next(self._steps), now)

    def receive(self, response: Message, now: float) -> Step:
        """Take the answer to the last step; give the next.

        Raises:
            ReferralLoopError: The walk goes round or too deep.
            BadAnswerError: The answer cannot be read.
            UnreachableError: No server of a prefix answered.
        """
        self._record(response.header.response_code, now)
        return self._advance(lambda: self._steps.send(response), now)

    def failed(self, error: ResolverError, now: float) -> Step:
        """Take the news that the last step got no answer; give the next.

        Raises:
            ResolverError: There is nobody else to ask.
        """
        self._record(error.code, now)
        return self._advance(lambda: self._steps.throw(error), now)

    def _advance(self, resume: Callable[[], Ask], now: float) -> Step:
        try:
            self._ask = resume()
        except StopIteration as end:
            response: Message = end.value
            return self._outcome(response.header.response_code, response, "")
        except _Ended as end:
            return self._outcome(end.code, None, end.text)
        self._asked_at = now
        return self._ask

    def _outcome(self, code: int, response: Message | None, text: str) -> Outcome:
        return Outcome(code, response, text, tuple(self.hops), tuple(self._delegations))

    def _record(self, code: int, now: float) -> None:
        assert self._ask is not None
        ask, elapsed = self._ask, now - self._asked_at
        self.hops.append(Hop(ask.server, ask.node, ask.about, code, elapsed))

    def _run(self) -> _Asking:
        """Walk with what is known; once more without, if that was out of date."""
        try:
            response = yield from self._once(self._lookup)
        except UnreachableError:
            if not self._from_cache:
                raise
        except _Ended as end:
            if not self._out_of_date(end.code):
                raise
        else:
            if not self._out_of_date(response.header.response_code):
                return response
        self._asked.clear()
        return (yield from self._once(_unknown))

    def _once(self, lookup: Lookup) -> _Asking:
        place = yield from self._find(home_of(self._name), lookup)
        return (yield from self._put(self._question.draft(), self._name, place))

    def _out_of_date(self, code: int) -> bool:
        return self._from_cache and code in _STALE

    def _find(self, home: bytes, lookup: Lookup) -> _Finding:
        """Find the sites of the prefix `home`."""
        path = lineage(home) if home != PREFIX_AUTHORITY else (home,)
        place, rest = self._nearest(path, lookup)
        for prefix in rest:
            place = yield from self._descend(prefix, place)
        return place

    def _nearest(
        self, path: tuple[bytes, ...], lookup: Lookup
    ) -> tuple[_Place, tuple[bytes, ...]]:
        """Give the longest prefix on the path whose sites are known, and the rest."""
        for position in range(len(path), 0, -1):
            prefix = path[position - 1]
            known = lookup(prefix)
            if known:
                self._recall(prefix)
            sites = known or self._hints.get(prefix)
            if sites:
                return _Place(prefix, sites), path[position:]
        rest = () if path[0] == PREFIX_AUTHORITY else path
        return self._root(path[0]), rest

    def _recall(self, prefix: bytes) -> None:
        """Record that the sites of a prefix did not have to be asked for."""
        self._from_cache = True
        node = parent_prefix(prefix).decode(errors="replace")
        about = prefix_handle(prefix).decode(errors="replace")
        code = int(ResponseCode.SUCCESS)
        self.hops.append(Hop(None, node, about, code, 0.0, from_cache=True))

    def _root(self, first: bytes) -> _Place:
        """Give the place that knows the first label: who homes 0.NA."""
        sites = self._hints.get(PREFIX_AUTHORITY)
        if not sites and first == PREFIX_AUTHORITY:
            # Where no root is known, the top-level node keeps its own prefix record.
            sites = self._hints.get(lineage(suffix_of(self._name))[0])
        if not sites:
            shown = first.decode(errors="replace")
            text = f"no node is known that prefix {shown} could be asked of"
            raise _Ended(ResponseCode.SERVER_NOT_RESP, text)
        return _Place(PREFIX_AUTHORITY, sites)

    def _descend(self, prefix: bytes, parent: _Place) -> _Finding:
        """Ask the parent's node where a prefix is served."""
        name = prefix_handle(prefix)
        sites, ttl_seconds = yield from self._sites_of(name, parent)
        self._delegations.append(Delegation(prefix, sites, ttl_seconds))
        return _Place(prefix, sites)

    def _sites_of(
        self, name: bytes, place: _Place
    ) -> Generator[Ask, Message, tuple[Sites, int]]:
        question = Question(
            name, types=(SITE_TYPE,), recursion_count=self._question.recursion_count
        )
        response = yield from self._put(question.draft(), name, place)
        shown = name.decode(errors="replace")
        code = response.header.response_code
        if code != ResponseCode.SUCCESS:
            raise _Ended(code, f"{shown}: {text_of(response) or 'no HS_SITE there'}")
        body = read_body(response).response
        if not isinstance(body, Values) or not _is_about(body.handle, name):
            text = f"{shown}: the answer is about something else"
            raise _Ended(ResponseCode.PROTOCOL_ERROR, text)
        values = body.values
        sites = sites_in(values)
        if not sites:
            text = f"{shown} has no HS_SITE that can be used"
            raise _Ended(ResponseCode.VALUES_NOT_FOUND, text)
        return sites, _ttl_seconds(values)

    def _put(self, draft: Draft, name: bytes, place: _Place) -> _Asking:
        """Put one question to a place and follow its referrals."""
        while True:
            response = yield from self._ask_sites(draft, name, place)
            if response.header.response_code not in _REFERRALS:
                return response
            place = yield from self._referred(response, place)

    def _ask_sites(self, draft: Draft, name: bytes, place: _Place) -> _Asking:
        """Ask one site after the other until one answers."""
        lost: ResolverError | None = None
        for server in addresses(place.sites, name):
            if server in self._silent:
                lost = self._silent[server]
                continue
            ask = self._checked(server, draft, name, place.prefix)
            try:
                return (yield ask)
            except (UnreachableError, BadAnswerError, ServerError) as error:
                lost = self._silent[server] = error
        if lost is not None:
            raise lost
        shown = place.prefix.decode(errors="replace")
        raise UnreachableError(f"sites of {shown} have no UDP or TCP interface")

    def _checked(
        self, server: ServerAddress, draft: Draft, name: bytes, prefix: bytes
    ) -> Ask:
        about = name.decode(errors="replace")
        if (server, draft.body) in self._asked:
            raise ReferralLoopError(f"{server} would be asked about {about} again")
        if self._count >= MAX_STEPS:
            raise ReferralLoopError(f"{about}: not answered after {MAX_STEPS} steps")
        self._asked.add((server, draft.body))
        self._count += 1
        return Ask(server, draft, prefix.decode(errors="replace"), about)

    def _referred(self, response: Message, place: _Place) -> _Finding:
        """Give the place that a 302 or 303 points to."""
        referral = read_body(response).response
        assert isinstance(referral, Referral)
        prefix = _prefix_named(referral.handle) or place.prefix
        sites = sites_in(referral.values or ())
        if sites:
            return _Place(prefix, sites)
        return (yield from self._service(referral, response, prefix))

    def _service(
        self, referral: Referral, response: Message, prefix: bytes
    ) -> _Finding:
        """Resolve the handle that a referral names instead of sites."""
        named = _service_handle(referral)
        if not named:
            text = "a referral that names neither a site nor a handle"
            raise _Ended(response.header.response_code, text)
        try:
            name = canonical(named, CaseRule.EXACT)
        except RegistryError as error:
            raise _Ended(response.header.response_code, str(error)) from None
        if is_prefix_handle(name):
            return (yield from self._find(suffix_of(name), self._learned))
        below = yield from self._find(home_of(name), self._learned)
        sites, _ = yield from self._sites_of(name, below)
        return _Place(prefix, sites)

    def _learned(self, prefix: bytes) -> Sites | None:
        """Give sites that this very walk was told, which it need not ask for again."""
        told = (item.sites for item in self._delegations if item.prefix == prefix)
        return next(told, None)


def _unknown(_: bytes) -> None:
    """Look nothing up."""


def _is_about(handle: bytes, name: bytes) -> bool:
    try:
        return canonical(handle, CaseRule.EXACT) == name
    except RegistryError:
        return False


def _prefix_named(handle: bytes) -> bytes | None:
    try:
        name = canonical(handle, CaseRule.EXACT)
    except RegistryError:
        return None
    return suffix_of(name) if is_prefix_handle(name) else None


def _service_handle(referral: Referral) -> bytes:
    for value in referral.values or ():
        if value.type.upper() in _SERVICE_TYPES:
            return value.data
    return referral.handle if referral.values is None else b""


def _ttl_seconds(values: Iterable[Value]) -> int:
    relative = (value.ttl for value in values if value.ttl_type == 0)
    return min(relative, default=DEFAULT_TTL_SECONDS)
