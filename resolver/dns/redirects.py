"""DNAME: a name that stands for another one, for all names below it (RFC 6672)."""

from dns.rcode import Rcode
from dns.rdatatype import RdataType

from resolver.dns.asking import Step
from resolver.dns.message import Answer, Record
from resolver.dns.names import MAX_NAME_OCTETS


def redirect(dname: Record, owner: bytes, expires: float) -> Step:
    """Make the CNAME that a DNAME stands for (RFC 6672 §3.1).

    `owner` lies below the DNAME's own name.
    """
    target = owner[: len(owner) - len(dname.owner)] + dname.data.lower()
    answer = Answer(answers=(dname,), authoritative=True, expires=expires)
    if len(target) > MAX_NAME_OCTETS:
        return Step(answer._replace(rcode=Rcode.YXDOMAIN))
    cname = Record(owner, RdataType.CNAME, dname.ttl, target)
    return Step(answer._replace(answers=(dname, cname)), target)
