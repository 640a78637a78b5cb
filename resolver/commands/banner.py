"""The table that `idis up` prints: nodes, endpoints, identifiers, credentials."""

from typing import Any

from rich.markup import escape

from resolver.commands.console import say, show, table
from resolver.dns.names import NoNameError, name_of
from resolver.dns.ons import ons_name
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
        show(_accounts(ready["chains"]))
        say(
            _for_chain_developers(
                ready["chains"], strict=network.settings.strict_chains
            )
        )
    if "anchoring" in ready:
        anchoring = ready["anchoring"]
        say(f"log {anchoring['origin']}: its checkpoints go to {anchoring['url']}")
    say(f"DNS, for example: {dns_example(network, ready)}")
    for example in code_examples(ready):
        say(f"product codes, for example: {example}")


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


def code_examples(ready: dict[str, Any]) -> list[str]:
    """Give commands that ask for the first product code; none without codes."""
    code = next((item["code"] for item in ready["codes"]), "")
    if not code.isdigit():
        return []
    examples = [f"idis resolve {code}"]
    recursive = ready["recursive"]
    if "ons_root" in recursive:
        host, port = recursive["dns"]
        name = ons_name(f"||gtin|{code}", recursive["ons_root"])
        examples.append(f"dig @{host} -p {port} {name} NAPTR")
    return examples


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
    made = table("星火·链网: chains", "chain", "role", "code", "HTTP, WebSocket")
    for chain in chains:
        title = f"{chain['name']} {chain['title']}"
        role, code = _ROLES[chain["role"]], chain["chain_code"] or "-"
        ends = f"{chain['http']}\n{chain['ws']}"
        made.add_row(*map(escape, (title, role, code, ends)))
    return made


def _accounts(chains: list[dict[str, Any]]) -> Any:
    """List the accounts of the main chain, narrow enough to copy the keys from."""
    accounts = chains[0]["accounts"]
    poorest = min(account["balance"] for account in accounts) // _XHT
    made = table(
        f"funded accounts with at least {poorest:,} XHT, on both chains and in each "
        "domain; everybody knows the keys",
        "#",
        "type",
        "address, private key",
    )
    for number, account in enumerate(accounts):
        kind = "SM2" if account["address"].startswith("did:bid:zf") else "Ed25519"
        both = f"{account['address']}\n{account['private_key']}"
        made.add_row(str(number), kind, escape(both))
    return made


def _for_chain_developers(chains: list[dict[str, Any]], *, strict: bool) -> str:
    main, below = chains[0], chains[-1]
    address = main["accounts"][0]["address"]
    other = below["accounts"][0]["address"]
    tools = "none, --strict" if strict else f"curl {main['http']}/_dev"
    return (
        f"point a program at {main['http']}; blocks are closed at once; tools: {tools}\n"
        f"on {below['name']}, {address} is {other} too"
    )
