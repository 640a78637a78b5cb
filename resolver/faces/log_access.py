"""Who is told what of a log: the rules of resolution, applied to proofs.

    prefix homed here, active      its names are proved: present, deleted or absent
    prefix homed here, stopped     nothing, as resolution answers nothing
    prefix delegated from here     where its names are proved
    any other prefix               that it is none of this node's

A record that was deleted here is proved even where its prefix is homed no more: its
proof has no value in it. What is registered here of a prefix that moved away is not.
"""

from http import HTTPStatus
from typing import TYPE_CHECKING

from chain_anchor.statemap import KIND_RECORD
from registry.errors import MalformedError
from registry.model.codes import ResponseCode
from registry.model.identifier import home_of, suffix_of
from registry.model.typed import InterfaceType, Protocol, Site
from registry.prefixes import sites_of
from resolver.faces.exchange import HttpError
from resolver.handlers.referral import nearest_delegation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.model.record import Record
    from registry.store.interface import Snapshot
    from resolver.faces.log_proofs import Proofs


def check_provable(proofs: "Proofs", name: bytes) -> None:
    """Check that everybody may be told what is registered under a canonical name.

    Raises:
        HttpError: The prefix is stopped, or its names are proved elsewhere.
        CorruptLogError: What is stored of the name is damaged.
    """
    snapshot = proofs.snapshot
    home = snapshot.home(home_of(name))
    if home is None:
        logged = proofs.newest(KIND_RECORD, name) is not None
        if logged and snapshot.get(name) is None:
            return
        raise _elsewhere(snapshot, name)
    if not home.active:
        message = f"prefix {home.prefix.decode()} is stopped"
        code = ResponseCode.SERVER_NOT_RESP
        raise HttpError(HTTPStatus.BAD_REQUEST, message, code=code)


def _elsewhere(snapshot: "Snapshot", name: bytes) -> HttpError:
    prefix = home_of(name)
    record = nearest_delegation(snapshot, prefix)
    urls = () if record is None else tuple(log_urls(record))
    if record is None or not urls:
        message = (
            f"prefix {prefix.decode()} lives neither here nor at a node below: ask "
            "the node whose prefix it is"
        )
        code = ResponseCode.SERVER_NOT_RESP
        return HttpError(HTTPStatus.NOT_FOUND, message, code=code)
    message = (
        f"prefix {prefix.decode()} does not live here: ask the node that serves "
        f"{suffix_of(record.name).decode()}, its log is at {' or '.join(urls)}"
    )
    links = tuple((b"link", f'<{url}>; rel="related"'.encode()) for url in urls)
    code = ResponseCode.SERVICE_REFERRAL
    return HttpError(HTTPStatus.NOT_FOUND, message, code=code, headers=links)


def log_urls(record: "Record") -> "Iterator[str]":
    """Give where the logs of a prefix's sites are, by the record that delegates it."""
    for octets in sites_of(record):
        try:
            site = Site.decode(octets)
        except MalformedError:
            continue  # whoever delegated the prefix wrote what is no site
        for server in site.servers:
            port = server.port(Protocol.HTTP, InterfaceType.QUERY)
            if port is not None:
                host = (
                    f"[{server.address}]" if ":" in server.address else server.address
                )
                yield f"http://{host}:{port}/log"
