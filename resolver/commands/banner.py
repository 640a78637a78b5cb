"""The table that `idis up` prints: nodes, endpoints, identifiers, credentials."""

from typing import Any

from rich.markup import escape

from resolver.commands.console import say, show, table
from resolver.dns.names import NoNameError, name_of
from resolver.dns.zones import Zone
from resolver.network import Network

_ROLES = {
    "recursive": "recursive 递归节点",
    "top": "top 国家顶级节点",
    "secondary": "secondary 二级节点",
    "enterprise": "enterprise 企业节点",
    "super": "super 超级节点",
    "backbone": "backbone 骨干节点",
}
_XHT = 10**8


def show_network(network: Network, ready: dict[str, Any], seconds: float) -> None:
    """Print one table of the network, and how to begin."""
    nodes = ready["nodes"]
    made = table(
        f"{network.settings.topology.name}: {len(nodes)} nodes, "
        f"{len(ready['identifiers'])} identifiers, ready in {seconds:.2f} s",
        "node",
        "role",
        "prefixes",
        "handle (UDP, TCP)",
        "HTTP",
        "try",
    )
    for node in nodes:
        made.add_row(*map(escape, _row(node, ready)))
    show(made)
    show(_credentials(ready))
    if "chains" in ready:
        show(_chains(ready["chains"]))
        show(_accounts(ready["chains"][0]["accounts"]))
    if "anchoring" in ready:
        anchoring = ready["anchoring"]
        say(f"log {anchoring['origin']}: anchored on {anchoring['url']}")
    say(f"DNS, for example: {dns_example(network, ready)}")


def say_how_to_stop(ready: dict[str, Any]) -> None:
    """Say what a person must know, whatever stdout gets."""
    if ready["open_writes"]:
        say("OPEN WRITES: authentication is off, everybody may read and change all")
    say(f"data in {ready['data']}; Ctrl-C stops")


def dns_example(network: Network, ready: dict[str, Any]) -> str:
    """Give a command that asks for the first identifier over DNS."""
    host, port = ready["recursive"]["dns"]
    face = network.recursive.dns_face
    assert face is not None
    names = (_domain_name(name, face.zone) for name in ready["identifiers"])
    name = next(filter(None, names), face.zone.name)
    return f"dig @{host} -p {port} {name} TXT"


def _domain_name(identifier: str, zone: Zone) -> str:
    """Name an identifier; empty where it is too long for a name."""
    try:
        return name_of(identifier, zone.name, prefix_labels=zone.prefix_labels)
    except NoNameError:
        return ""


def _row(node: dict[str, Any], ready: dict[str, Any]) -> tuple[str, ...]:
    host, port = node["handle"]
    prefixes = node["prefixes"]
    example = next(
        (
            name
            for name in ready["identifiers"]
            if name.rpartition("/")[0] in prefixes or name.partition("/")[0] in prefixes
        ),
        "",
    )
    title = f"{node['name']} {node['title']}".strip()
    role = _ROLES[node["role"]]
    return title, role, " ".join(prefixes), f"{host}:{port}", node["http"], example


def _credentials(ready: dict[str, Any]) -> Any:
    first: dict[str, dict[str, Any]] = {}
    for entry in ready["credentials"]:
        first.setdefault(entry["kind"], entry)
    made = table(
        f"credentials: the first of each kind, {len(ready['credentials'])} in all in "
        f"{ready['data']}/keys and the ready file",
        "who",
        "kind",
        "key or secret",
    )
    for kind, entry in first.items():
        who = f"{entry['index']}:{entry['handle']}"
        made.add_row(who, kind, escape(entry.get("private_key") or entry["secret"]))
    return made


def _chains(chains: list[dict[str, Any]]) -> Any:
    made = table("星火·链网: chains", "chain", "role", "AC", "HTTP", "WebSocket")
    for chain in chains:
        title = f"{chain['name']} {chain['title']}"
        role, code = _ROLES[chain["role"]], chain["chain_code"] or "-"
        made.add_row(*map(escape, (title, role, code, chain["http"], chain["ws"])))
    return made


def _accounts(accounts: list[dict[str, Any]]) -> Any:
    made = table(
        "funded accounts, on both chains; everybody knows these keys",
        "address",
        "private key",
        "balance",
    )
    for account in accounts:
        balance = f"{account['balance'] // _XHT:,} XHT"
        made.add_row(
            escape(account["address"]), escape(account["private_key"]), balance
        )
    return made
