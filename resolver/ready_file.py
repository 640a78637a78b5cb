"""What runs and how to reach it: the ready file, version 1.

Written whole or not at all, once every node answers. Harnesses, the pytest fixture and
the other commands read it. Fields are added, never renamed; a part that does not exist
is absent.
"""

import json
import os
from pathlib import Path

from resolver.data_directory import write_atomically
from resolver.identities import (
    Administrator,
    credential_entries,
    write_keys,
    write_private,
)
from resolver.network import Network
from resolver.node import Node
from resolver.plan import PlannedNode
from resolver.seeded import seeded_identifiers
from resolver.seeded_codes import seeded_codes
from resolver.tls_files import client_certificate

VERSION = 1


def describe(network: Network) -> dict[str, object]:
    """Describe a started network; writes the private keys it names.

    Raises:
        OSError: A key cannot be written.
    """
    assert network.directory is not None
    ready: dict[str, object] = {
        "version": VERSION,
        "pid": os.getpid(),
        "data": str(network.directory.path),
        "seed": network.settings.seed,
        "open_writes": network.settings.open_writes,
        "nodes": [_node(network, planned) for planned in network.planned],
        "recursive": _recursive(network.recursive),
        "identifiers": [
            seeded.identifier
            for enterprise in network.settings.topology.enterprises
            for seeded in seeded_identifiers(enterprise)
        ],
        "codes": [
            code._asdict()
            for enterprise in network.settings.topology.enterprises
            for code in seeded_codes(enterprise)
        ],
        "credentials": [
            entry
            for administrator in network.administrators.values()
            for entry in _credentials(network, administrator)
        ],
    }
    if network.on_chain.chains is not None:
        ready["chains"] = network.on_chain.chains.describe()
    if network.on_chain.anchoring is not None:
        ready["anchoring"] = {
            "url": network.on_chain.anchoring.url,
            "account": network.on_chain.anchoring.account,
            "origin": network.on_chain.anchoring.origin,
        }
    if network.authority_file is not None:
        ready["tls_ca"] = str(network.authority_file)
    return ready


def write_ready_file(file: Path, ready: dict[str, object]) -> None:
    """Write a description.

    Raises:
        OSError: It cannot be written.
    """
    text = json.dumps(ready, ensure_ascii=False, indent=1) + "\n"
    # It holds secrets of the seeded identities.
    write_atomically(file, text, mode=0o600)


def well_known_file() -> Path:
    """Give the file in which `idis up` leaves its description for other commands."""
    state = os.environ.get("XDG_STATE_HOME")
    base = Path(state) if state else Path.home() / ".local" / "state"
    return base / "idis-emulator" / "ready.json"


def _node(network: Network, planned: PlannedNode) -> dict[str, object]:
    settings = planned.settings
    node = network.nodes[settings.name]
    assert node.http is not None
    assert node.https is not None
    host = _url_host(settings.hosts[0])
    described: dict[str, object] = {
        "name": settings.name,
        "title": settings.title,
        "role": settings.role,
        "prefixes": list(planned.prefixes),
        "code_prefixes": [code.prefix for code in planned.codes],
        "parent": planned.parent,
        "handle": _handle(node),
        "http": f"http://{host}:{node.http.port}",
        "https": f"https://{host}:{node.https.port}",
    }
    if node.sealing is not None:
        url = f"http://{host}:{node.http.port}/log"
        key = node.sealing.log.signer.key.encode()
        described["log"] = {"url": url, "key": key}
    return described


def _credentials(
    network: Network, administrator: Administrator
) -> list[dict[str, object]]:
    """Describe an administrator's keys, and write them where they can be written."""
    directory = network.directory
    assert directory is not None
    entries = credential_entries(administrator, directory.keys)
    certificate = directory.keys / f"{administrator.prefix}-rsa.crt"
    entries[0]["certificate"] = str(certificate)
    owned = [
        code.prefix
        for planned in network.planned
        for code in planned.codes
        if code.owner == administrator.prefix
    ]
    for entry in entries:
        entry["code_prefixes"] = owned
    if not directory.read_only:
        write_keys(administrator, directory.keys)
        assert network.authority is not None
        now = network.settings.today()
        pem = client_certificate(network.authority, administrator, now)
        write_private(certificate, pem)
    return entries


def _recursive(node: Node) -> dict[str, object]:
    assert node.dns is not None
    assert node.dns_face is not None
    described: dict[str, object] = {
        "handle": _handle(node),
        "dns": [node.settings.hosts[0], node.dns.port],
        "dns_zone": node.dns_face.zone.name,
    }
    if node.dns_face.ons_root is not None:
        described["ons_root"] = node.dns_face.ons_root.rstrip(".")
    return described


def _handle(node: Node) -> list[object]:
    assert node.handle is not None
    return [node.settings.hosts[0], node.handle.port]


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
