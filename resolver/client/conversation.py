"""What a client says and hears, one generator a method, without any I/O.

A conversation yields `Say`s, is sent what was `Heard` or thrown a `ResolverError`,
and returns its result. The twins differ only in how they carry messages, so all that
is worth testing is here.

Questions go to the server that the client was given, usually a recursive node, with
its name as written. Writes go to the node that serves the prefix: its HS_SITE is
asked for by the bare prefix, and where that leads nowhere the given server is taken
for the node itself.
"""

import contextlib
import enum
import secrets
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping
from typing import NamedTuple, TypeVar

from registry.errors import MalformedError
from registry.model.codes import ResponseCode
from registry.model.identifier import (
    PREFIX_AUTHORITY,
    home_of,
    lineage,
    prefix_handle,
    suffix_of,
)
from registry.model.typed import Interface, InterfaceType, Protocol, Server, Site
from registry.model.value import Value
from resolver.client import request
from resolver.client.answer import Answer, answer_from, traced_from
from resolver.errors import (
    AccessError,
    BadAnswerError,
    ResolverError,
    UnreachableError,
    answer_error,
)
from resolver.session.draft import Draft
from resolver.session.exchange import ServerAddress
from resolver.session.login import Spoken, answer_challenge, is_challenge
from resolver.session.reading import read_body, successful
from resolver.session.signature import SALT_OCTETS, Credential
from resolver.session.sites import Sites, admin_address, server_of, sites_in
from resolver.session.walk import Ask, Hop, Outcome, Question, Walk
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.message import Message
from resolver.wire.response import Handles, SiteInfo, Values

MAX_KNOWN_PREFIXES = 1024
MAX_SERVERS_WITHOUT_LOGIN = 1024

_REFERRALS = (ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL)
_RECURSIVE = int(OpFlag.RECURSIVE)

_MOVED = (
    ResponseCode.OUT_OF_DATE_SITE_INFO,
    ResponseCode.SERVER_NOT_RESP,
    ResponseCode.OPERATION_NOT_SUPPORTED,
)
"""Nothing was done because the node is not, or no longer, that of the prefix."""


class Route(enum.Enum):
    """How a message travels."""

    QUERY = "query"
    """UDP first, then TCP."""

    IDENTIFIED = "identified"
    """The TCP connection that has logged in with the client's credential."""


class Say(NamedTuple):
    """Send this and report what comes."""

    server: ServerAddress
    draft: Draft
    route: Route = Route.QUERY


class Heard(NamedTuple):
    """What came: the request as it was sent, and the messages of the answer."""

    request: Message
    responses: tuple[Message, ...]
    """One, or several for a continuous answer."""

    @property
    def response(self) -> Message:
        """The answer, or its first part."""
        return self.responses[0]


T = TypeVar("T")
Conversation = Generator[Say, Heard, T]


class Conversations:
    """All conversations of one client, and the little it remembers between them."""

    def __init__(
        self,
        server: ServerAddress,
        credential: Credential | None,
        clock: Callable[[], float],
        timer: Callable[[], float],
    ) -> None:
        self.server = server
        self.credential = credential
        self._clock = clock
        """Seconds since 1970, for values with an absolute time to live."""

        self._timer = timer
        """Seconds that only count up, for how long steps take."""

        self._known: OrderedDict[bytes, Sites] = OrderedDict()

    def resolve(self, question: Question) -> Conversation[Answer]:
        """Resolve; restricted values are asked of the node itself, if we can log in."""
        identifier = question.handle.decode()
        public = question.flags & OpFlag.PUBLIC_ONLY
        if self.credential is not None and not public:
            heard = yield from self._read_identified(question)
            return answer_from(identifier, heard.response, self._clock())
        response, hops = yield from self._asked(question)
        return answer_from(identifier, response, self._clock(), hops)

    def trace(self, question: Question) -> Conversation[Answer]:
        """Resolve, then ask each node on the way oneself; codes do not raise.

        The first hop is the given server's; it is said to be cached where the answer
        lacks AUTHORITATIVE. The others are those of a walk without any knowledge.

        Raises:
            UnreachableError: The given server does not answer.
        """
        identifier = question.handle.decode()
        started = self._timer()
        heard = yield Say(self.server, request.resolution(question))
        elapsed = self._timer() - started
        first = _hop_of(heard.response, self.server, identifier, elapsed)
        hints = yield from self._hints(request.checked(identifier))
        walk = Walk(question._replace(flags=question.flags & ~_RECURSIVE), hints)
        # How far it came is in the hops, and that is what a trace is for.
        with contextlib.suppress(ResolverError):
            yield from self._walked(walk)
        hops = (first, *walk.hops)
        return traced_from(identifier, heard.response, self._clock(), hops)

    def create(
        self, identifier: str, content: request.Content, *, overwrite: bool
    ) -> Conversation[None]:
        """Create a record."""
        values = request.new_values(content)
        draft = request.creation(identifier, values, overwrite=overwrite)
        yield from self._write(identifier, draft)

    def add(self, identifier: str, content: request.Content) -> Conversation[None]:
        """Add values; those given by type get indexes that are free."""
        taken: tuple[Value, ...] = ()
        if isinstance(content, Mapping):
            taken = yield from self._existing(identifier)
        values = request.new_values(content, (value.index for value in taken))
        yield from self._write(identifier, request.addition(identifier, values))

    def update(self, identifier: str, content: request.Content) -> Conversation[None]:
        """Replace values by index, or the first of each type where types are given."""
        if isinstance(content, Mapping):
            existing = yield from self._existing(identifier)
            values = request.changed_values(content, existing, identifier)
        else:
            values = tuple(content)
        yield from self._write(identifier, request.modification(identifier, values))

    def remove(self, identifier: str, indexes: tuple[int, ...]) -> Conversation[None]:
        """Remove values."""
        yield from self._write(identifier, request.removal(identifier, indexes))

    def delete(self, identifier: str) -> Conversation[None]:
        """Delete a record."""
        draft = request.on_handle(OpCode.DELETE_HANDLE, identifier.encode())
        yield from self._write(identifier, draft)

    def on_prefix(self, opcode: OpCode, prefix: str) -> Conversation[None]:
        """Home or unhome a prefix at the node that its HS_SITE names."""
        name = request.checked_prefix(prefix)
        draft = request.on_handle(opcode, prefix_handle(name))
        heard = yield from self._at_node(name, draft, prefix_handle(name))
        successful(heard.response, prefix)

    def listing(self, prefix: str) -> Conversation[tuple[str, ...]]:
        """List the identifiers of a prefix, as the node spells them."""
        name = request.checked_prefix(prefix)
        draft = request.on_handle(OpCode.LIST_HANDLES, prefix_handle(name))
        heard = yield from self._at_node(name, draft, prefix_handle(name))
        names: list[str] = []
        for part in heard.responses:
            body = successful(part, prefix)
            if not isinstance(body, Handles):
                raise BadAnswerError(f"{prefix}: a list expected, {body!r:.80} came")
            names += (handle.decode(errors="replace") for handle in body.handles)
        return tuple(names)

    def site(self) -> Conversation[Site]:
        """Ask the given server where it answers, and with which key."""
        heard = yield Say(self.server, request.site_info())
        body = successful(heard.response)
        try:
            if isinstance(body, SiteInfo):
                return Site.decode(body.octets)
        except MalformedError as error:
            raise BadAnswerError(f"{self.server}: site info: {error}") from None
        raise BadAnswerError(f"{self.server}: site info expected, {body!r:.80} came")

    def log_in(self, credential: Credential) -> Conversation[None]:
        """Use a credential from now on, and try it at the node that knows it."""
        self.credential = credential
        sites = yield from self._sites(home_of(request.checked(credential.handle)))
        server = self._writable(sites, credential.handle.encode())
        yield Say(server, request.site_info(), Route.IDENTIFIED)

    def _asked(
        self, question: Question
    ) -> Generator[Say, Heard, tuple[Message, tuple[Hop, ...]]]:
        """Ask the given server, and whom it refers to."""
        heard = yield Say(self.server, request.resolution(question))
        if heard.response.header.response_code not in _REFERRALS:
            return heard.response, ()
        name = request.checked(question.handle.decode())
        hints = {home_of(name): (_site_at(self.server),)}
        walk = Walk(question._replace(flags=question.flags & ~_RECURSIVE), hints)
        outcome = yield from self._walked(walk)
        if outcome.response is None:
            raise answer_error(outcome.code, outcome.text, question.handle.decode())
        return outcome.response, outcome.hops

    def _walked(self, walk: Walk) -> Conversation[Outcome]:
        step = walk.start(self._timer())
        while isinstance(step, Ask):
            try:
                heard = yield Say(step.server, step.draft)
            except ResolverError as error:
                step = walk.failed(error, self._timer())
            else:
                step = walk.receive(heard.response, self._timer())
        return step

    def _hints(self, name: bytes) -> Conversation[dict[bytes, Sites]]:
        """Learn where the first label is served, the start of a walk from the top."""
        home = home_of(name)
        first = lineage(suffix_of(name) if home == PREFIX_AUTHORITY else home)[0]
        try:
            sites = yield from self._sites(first)
        except ResolverError:
            sites = ()
        return {first: sites or (_site_at(self.server),)}

    def _existing(self, identifier: str) -> Conversation[tuple[Value, ...]]:
        """Read what a record has now, at its own node and not from a cache."""
        asked = request.question(identifier, public_only=self.credential is None)
        heard = yield from self._read_identified(asked)
        body = successful(heard.response, identifier)
        return body.values if isinstance(body, Values) else ()

    def _read_identified(self, question: Question) -> Conversation[Heard]:
        name = request.checked(question.handle.decode())
        draft = request.resolution(question)._replace(
            flags=question.flags & ~_RECURSIVE
        )
        return (yield from self._at_node(home_of(name), draft, name))

    def _write(self, identifier: str, draft: Draft) -> Conversation[None]:
        name = request.checked(identifier)
        heard = yield from self._at_node(home_of(name), draft, name)
        successful(heard.response, identifier)

    def _at_node(self, prefix: bytes, draft: Draft, name: bytes) -> Conversation[Heard]:
        """Say something to the node that serves a prefix; find it anew if it moved."""
        remembered = prefix in self._known
        sites = yield from self._sites(prefix)
        server = self._writable(sites, name)
        try:
            heard = yield from self._identified(server, draft)
        except UnreachableError:
            self._known.pop(prefix, None)
            raise
        code = heard.response.header.response_code
        if code in _MOVED:
            self._known.pop(prefix, None)
            if remembered:
                return (yield from self._at_node(prefix, draft, name))
        return heard

    def _identified(self, server: ServerAddress, draft: Draft) -> Conversation[Heard]:
        """Say something as who we are; a challenge is answered where it comes."""
        if self.credential is None:
            heard = yield Say(server, draft)
        else:
            heard = yield Say(server, draft, Route.IDENTIFIED)
        if not is_challenge(heard.response):
            return heard
        if self.credential is None:
            code = ResponseCode.AUTHENTICATION_NEEDED
            raise AccessError(code, "the server asks for a credential, none was given")
        spoken = Spoken(heard.request, heard.response)
        salt = secrets.token_bytes(SALT_OCTETS)
        proof = answer_challenge(self.credential, spoken, salt)
        return (yield Say(server, proof, Route.IDENTIFIED))

    def _sites(self, prefix: bytes) -> Conversation[Sites]:
        """Find where a prefix is served; nothing where the given server must do."""
        if prefix in self._known:
            self._known.move_to_end(prefix)
            return self._known[prefix]
        sites: Sites = ()
        try:
            response, _ = yield from self._asked(request.sites_question(prefix))
        except UnreachableError:
            raise
        except ResolverError:
            return sites
        if response.header.response_code == ResponseCode.SUCCESS:
            body = read_body(response).response
            sites = sites_in(body.values) if isinstance(body, Values) else ()
        self._remember(prefix, sites)
        return sites

    def _remember(self, prefix: bytes, sites: Sites) -> None:
        self._known[prefix] = sites
        if len(self._known) > MAX_KNOWN_PREFIXES:
            self._known.popitem(last=False)

    def _writable(self, sites: Sites, name: bytes) -> ServerAddress:
        """Pick the server that takes writes of a name, over TCP only.

        A datagram may come twice, and a write must not.
        """
        ordered = sorted(sites, key=lambda site: not site.primary)
        for site in ordered:
            server = server_of(site, name)
            address = None if server is None else admin_address(server)
            if address is not None:
                return address._replace(udp_port=None)
        return self.server._replace(udp_port=None)


def remember_no_login(servers: set[ServerAddress], server: ServerAddress) -> None:
    """Keep in mind that a server knows no logins; forget all when there are too many.

    To forget costs one login that is refused again.
    """
    if len(servers) >= MAX_SERVERS_WITHOUT_LOGIN:
        servers.clear()
    servers.add(server)


def _site_at(server: ServerAddress) -> Site:
    """Describe a server that only an address is known of as a site."""
    both = InterfaceType.ADMIN | InterfaceType.QUERY
    ports = ((Protocol.UDP, server.udp_port), (Protocol.TCP, server.tcp_port))
    interfaces = tuple(Interface(both, kind, port) for kind, port in ports if port)
    return Site(0, primary=True, servers=(Server(1, server.host, b"", interfaces),))


def _hop_of(
    response: Message, server: ServerAddress, identifier: str, elapsed_seconds: float
) -> Hop:
    header = response.header
    cached = not header.flags & OpFlag.AUTHORITATIVE
    return Hop(server, "", identifier, header.response_code, elapsed_seconds, cached)
