"""Look up a name in a zone that stands for a prefix, as CNRI's server does.

Read in its sources (resolvers notes §2.3): records are values typed `DNS.`, an
identifier that is not registered is NXDOMAIN, one without such values is NODATA. On
the way down from the apex a `DNS.NS` is a zone cut, which is a referral; where there
is no identifier, `*` is tried at each level up to the last name that exists.

Ours: DNAME (RFC 6672), SOA and NS of a zone that has none, at most `MAX_LABELS` below
the apex, and names in lower case, where CNRI's server keeps the case of the query.
"""

from dns.edns import EDECode
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from registry.model.value import Value
from resolver.dns.apex import chosen, negative, ns_of, soa_of
from resolver.dns.asking import Found, Lookup, LookupFailedError, Step, ask
from resolver.dns.labels import LabelError
from resolver.dns.message import Answer, Explanation, Record
from resolver.dns.names import Labels, read_cnri_name
from resolver.dns.records import DataError, cnri_records, counts_down
from resolver.dns.redirects import redirect
from resolver.dns.zones import Served, Zone

MAX_LABELS = 16
"""Labels below the apex; each costs two resolutions at most."""

MAX_GLUE = 8
_DNS_VALUES = (b"DNS.",)
_STAR = b"*"
_ADDRESSES = (RdataType.A, RdataType.AAAA)


def look_up_cnri(
    served: Served, zone: Zone, labels: Labels, owner: bytes, kind: int, now: float
) -> Lookup[Step]:
    """Answer for the name `owner`, which is `labels` below the zone.

    Raises:
        LookupFailedError: A value is no record, or nobody can be asked.
    """
    try:
        tree = _Tree(served, zone, now)
        return (yield from _look_up(tree, labels, owner, kind))
    except DataError as error:
        raise LookupFailedError(EDECode.INVALID_DATA, str(error)) from None


class _Tree:
    """The names of one zone that one lookup has asked for."""

    def __init__(self, served: Served, zone: Zone, now: float) -> None:
        self.served = served
        self.zone = zone
        self.now = now
        self.expires = float("inf")
        self._found: dict[Labels, Found] = {}

    def ask(self, labels: Labels) -> Lookup[Found]:
        """Ask for the values of a name that are typed `DNS.`."""
        found = self._found.get(labels)
        if found is None:
            assert self.zone.prefix is not None
            name = read_cnri_name(labels, self.zone.prefix)
            found = self._found[labels] = yield from ask(name, _DNS_VALUES)
            ages = counts_down(found.values)
            self.expires = 0.0 if ages else min(self.expires, found.expires)
        return found

    def records(
        self, owner: bytes, values: tuple[Value, ...], kind: int
    ) -> tuple[Record, ...]:
        """Make the records of one type, or of all."""
        return cnri_records(owner, values, kind, self.now)

    def apex(self, kind: int) -> Lookup[tuple[Record, ...]]:
        """Give the apex's records, with SOA and NS of ours where it has none."""
        found = yield from self.ask(())
        records = self.records(self.zone.origin, found.values, kind)
        kinds = {record.type for record in records}
        ours = (soa_of(self.served, self.zone), ns_of(self.served, self.zone))
        lacking = tuple(record for record in ours if record.type not in kinds)
        return records + chosen(lacking, kind)

    def negative(self, rcode: Rcode, text: str = "") -> Lookup[Answer]:
        """Answer that something is not there."""
        soa = (yield from self.apex(RdataType.SOA))[0]
        explanation = Explanation(EDECode.OTHER, text) if text else None
        return negative(rcode, soa, self.expires, explanation)


def _look_up(tree: _Tree, labels: Labels, owner: bytes, kind: int) -> Lookup[Step]:
    text = f"{len(labels)} labels below {tree.zone.name}: at most {MAX_LABELS}"
    if len(labels) <= MAX_LABELS:
        try:
            return (yield from _walk(tree, labels, owner, kind))
        except LabelError as error:
            text = str(error)
    return Step((yield from tree.negative(Rcode.NXDOMAIN, text)))


def _walk(tree: _Tree, labels: Labels, owner: bytes, kind: int) -> Lookup[Step]:
    if not labels:
        return (yield from _given(tree, (yield from tree.apex(kind)), owner, kind))
    last = 0
    for depth in range(len(labels) + 1):
        below = labels[len(labels) - depth :]
        found = yield from tree.ask(below)
        if not found.exists:
            continue
        last = depth
        answer = yield from _leads_away(tree, labels, below, found, owner, kind)
        if answer is not None:
            return answer
    found = yield from _wildcard(tree, labels, last)
    if not found.exists:
        return Step((yield from tree.negative(Rcode.NXDOMAIN)))
    records = tree.records(owner, found.values, kind)
    if not records and kind != RdataType.ANY:
        records = tree.records(owner, found.values, RdataType.CNAME)[:1]
    return (yield from _given(tree, records, owner, kind))


def _wildcard(tree: _Tree, labels: Labels, last: int) -> Lookup[Found]:
    """Give what is found for a name, or for `*` in its place, upwards."""
    found = yield from tree.ask(labels)
    for depth in range(len(labels), last, -1):
        if found.exists:
            break
        parent = labels[len(labels) - depth + 1 :]
        found = yield from tree.ask((_STAR, *parent))
    return found


def _given(
    tree: _Tree, records: tuple[Record, ...], owner: bytes, kind: int
) -> Lookup[Step]:
    if not records:
        return Step((yield from tree.negative(Rcode.NOERROR)))
    answer = Answer(answers=records, authoritative=True, expires=tree.expires)
    is_alias = records[0].type == RdataType.CNAME
    if is_alias and kind not in (RdataType.CNAME, RdataType.ANY):
        return Step(answer, records[0].data.lower())
    return Step(answer)


def _leads_away(
    tree: _Tree, labels: Labels, below: Labels, found: Found, owner: bytes, kind: int
) -> Lookup[Step | None]:
    """Answer where a name on the way has a zone cut or an alias for all below it."""
    place = owner[sum(1 + len(label) for label in labels[: len(labels) - len(below)]) :]
    if below and not (len(below) == len(labels) and kind == RdataType.DS):
        cut = tree.records(place, found.values, RdataType.NS)
        if cut:
            return Step((yield from _refer(tree, place, cut)))
    if len(below) == len(labels):
        return None
    dname = tree.records(place, found.values, RdataType.DNAME)
    return redirect(dname[0], owner, tree.expires) if dname else None


def _refer(tree: _Tree, place: bytes, cut: tuple[Record, ...]) -> Lookup[Answer]:
    """Refer to the servers of a zone below, with addresses of those inside it."""
    glue: list[Record] = []
    for record in cut[:MAX_GLUE]:
        server = record.data.lower()
        if server.endswith(place):
            values = yield from _values_at(tree, server)
            for kind in _ADDRESSES:
                glue += tree.records(server, values, kind)
    return Answer(authorities=cut, additional=tuple(glue), expires=tree.expires)


def _values_at(tree: _Tree, name: bytes) -> Lookup[tuple[Value, ...]]:
    """Give the values of a name in the same zone; none if it stands for nothing."""
    where = tree.served.find(name)
    if where is None or where[0] is not tree.zone:
        return ()
    try:
        found = yield from tree.ask(where[1])
    except LabelError:
        return ()
    return found.values
