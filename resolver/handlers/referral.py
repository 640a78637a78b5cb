"""Referrals to the node that a prefix was delegated to (handle notes §1.14).

A name whose prefix was delegated itself gets SERVICE_REFERRAL with the HS_SITE values
of that prefix's record; a name further below gets PREFIX_REFERRAL with HS_SITE.PREFIX
where the record has any, else HS_SITE. The last handler of a node with a registry:
what is not delegated either does not live here.
"""

from typing import TYPE_CHECKING

from registry.model.codes import ResponseCode
from registry.model.identifier import (
    CaseRule,
    home_of,
    is_prefix_handle,
    lineage,
    prefix_handle,
)
from registry.model.record import Record
from registry.model.value import Value
from resolver.chain import UNTIL_CHANGED, Answer, Query, Reply, failure
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.response import Referral as ReferralBody

if TYPE_CHECKING:
    from registry.store.interface import Snapshot, Store

_NOT_HERE = failure(ResponseCode.SERVER_NOT_RESP, "That prefix doesn't live here")
_SITES = ("HS_SITE", "HS_SERV")


class Referral:
    """Refers resolutions down the tree."""

    operations = frozenset({OpCode.RESOLUTION})

    def __init__(self, store: "Store", rule: CaseRule) -> None:
        self._store = store
        self._rule = rule

    def __call__(self, query: Query) -> Answer:
        """Answer resolutions that no handler above has answered."""
        if query.flag(OpFlag.DO_NOT_REFER):
            return _NOT_HERE
        name = query.name(self._rule)
        with self._store.snapshot() as snapshot:
            record = nearest_delegation(snapshot, home_of(name))
        if record is None:
            return _NOT_HERE
        return _refer(name, record)


def nearest_delegation(snapshot: "Snapshot", prefix: bytes) -> Record | None:
    """Find the record here of the longest prefix above, or of this one itself."""
    for ancestor in reversed(lineage(prefix)):
        handle = prefix_handle(ancestor)
        if snapshot.home(home_of(handle)) is not None:
            return snapshot.get(handle)
    return None


def _refer(name: bytes, record: Record) -> Reply:
    direct = record.name == prefix_handle(home_of(name)) and not is_prefix_handle(name)
    plain = _of_types(record, _SITES)
    if direct:
        code, values = ResponseCode.SERVICE_REFERRAL, plain
    else:
        below = _of_types(record, tuple(f"{kind}.PREFIX" for kind in _SITES))
        code, values = ResponseCode.PREFIX_REFERRAL, below or plain
    if not values:
        return _NOT_HERE
    body = ReferralBody(record.name, values).encode()
    return Reply(code, body, expires=UNTIL_CHANGED)


def _of_types(record: Record, types: tuple[str, ...]) -> tuple[Value, ...]:
    return tuple(v for v in record.values if v.type.upper() in types and v.public)
