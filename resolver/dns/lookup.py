"""Answer a query: what is refused, which zone has it, where aliases lead.

An alias (CNAME) out of a zone of CNRI's convention, or of labels of object identifiers,
is followed as long as it stays in zones that are served here; the rcode is that of the last name (RFC 6604 §3).
"""

from dns.edns import EDECode
from dns.rcode import Rcode
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from resolver.dns.asking import Lookup, LookupFailedError, Step
from resolver.dns.cnri import look_up_cnri
from resolver.dns.identifiers import look_up_identifier
from resolver.dns.message import Answer, Explanation, Query
from resolver.dns.ons import look_up_ons
from resolver.dns.ors import look_up_ors
from resolver.dns.zones import Served, ZoneKind

MAX_ALIASES = 8

_TRANSFERS = (RdataType.AXFR, RdataType.IXFR)
_NO_QUESTIONS = (0, RdataType.OPT, 128, RdataType.TKEY, RdataType.TSIG)
"""Types that nobody can ask for; 128 is NXNAME (RFC 9824 §3.4)."""


def refusal_of(query: Query) -> Answer | None:
    """Refuse what no name can answer; None for a question to be looked up."""
    if query.version:
        return Answer(Rcode.BADVERS)
    if query.type in _NO_QUESTIONS:
        text = f"type {query.type} cannot be asked for"
        return _refused(Rcode.FORMERR, EDECode.INVALID_QUERY_TYPE, text)
    if query.klass != RdataClass.IN:
        text = f"class {query.klass}: class IN expected"
        return _refused(Rcode.REFUSED, EDECode.NOT_SUPPORTED, text)
    if query.type in _TRANSFERS:
        text = "zones are not transferred: identifiers live in the tree"
        return _refused(Rcode.REFUSED, EDECode.NOT_SUPPORTED, text)
    return None


def look_up(served: Served, query: Query, now: float) -> Lookup[Answer]:
    """Answer any query."""
    refusal = refusal_of(query)
    if refusal is not None:
        return refusal
    try:
        answer = yield from _follow(served, query, now)
    except LookupFailedError as failed:
        return failed.answer
    if answer is None:
        return _refused(Rcode.REFUSED, EDECode.NOT_AUTHORITATIVE, _whose(served))
    return answer


def _follow(served: Served, query: Query, now: float) -> Lookup[Answer | None]:
    """Answer for a name and what it is an alias of; None if it lies in no zone here."""
    answer: Answer | None = None
    name = query.name
    names = {name}
    for _ in range(MAX_ALIASES):
        step = yield from _step(served, name, query.type, now)
        if step is None:
            break
        answer = step.answer if answer is None else _joined(answer, step.answer)
        if step.alias is None or step.alias in names:
            break
        name = step.alias
        names.add(name)
    return answer


def _step(served: Served, name: bytes, kind: int, now: float) -> Lookup[Step | None]:
    """Look one name up; None for one that lies in no zone of ours."""
    place = served.find(name)
    if place is None:
        return None
    zone, labels = place
    return (yield from _LOOKUPS[zone.kind](served, zone, labels, name, kind, now))


_LOOKUPS = {
    ZoneKind.IDENTIFIERS: look_up_identifier,
    ZoneKind.CNRI: look_up_cnri,
    ZoneKind.ONS: look_up_ons,
    ZoneKind.ORS: look_up_ors,
}


def _joined(first: Answer, then: Answer) -> Answer:
    return then._replace(
        answers=first.answers + then.answers,
        authoritative=first.authoritative,
        expires=min(first.expires, then.expires),
    )


def _refused(rcode: Rcode, code: EDECode, text: str) -> Answer:
    return Answer(rcode, explanation=Explanation(code, text))


def _whose(served: Served) -> str:
    return "zones here: " + " ".join(zone.name for zone in served.zones.values())
