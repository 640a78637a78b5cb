"""What a network consists of: its nodes, prefixes and products, read from TOML.

The tree has three levels of prefixes (idis notes §2.1): the national top-level node
(`88`), secondary nodes one label below it (`88.118`), enterprises one label below
those (`88.118.7`). A self-run enterprise has a node; a hosted one is served by its
secondary node (idis notes §2.2). `wuhan.toml` is the built-in topology, in the format
that users write; it passes through the same checks.

A `Topology` that exists is right: names, prefixes and fixed ports are unique, every
prefix stands under its parent, every GTIN has its check digit. Everything else raises
a `TopologyError` for the first fault. What exists after boot follows from the topology
alone, so two starts give the same identifiers.
"""

import bisect
import re
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from registry.schemes.gs1 import check_digit
from resolver.topology_file import (
    MAX_FILE_OCTETS,
    Table,
    TopologyError,
    is_integer,
    read_toml,
)

__all__ = [
    "BUILTIN_SECONDARIES",
    "DEFAULT_SECONDARIES",
    "MAX_FILE_OCTETS",
    "SCHEMES",
    "Enterprise",
    "NodeSpec",
    "Ports",
    "Product",
    "Secondary",
    "Top",
    "Topology",
    "TopologyError",
    "builtin_topology",
    "load_topology",
    "parse_topology",
]

TOPOLOGY_VERSION = 1
DEFAULT_SECONDARIES = 14
BUILTIN_SECONDARIES = 35

_PREFIX = re.compile(r"(?=.{1,128}\Z)[0-9A-Za-z]{1,63}(?:\.[0-9A-Za-z]{1,63})*")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MODEL = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,63}")
_INDUSTRY = re.compile(r"[A-T][0-9]{2}")
_GTIN = re.compile(r"[0-9]{8}|[0-9]{12,14}")
_COMPANY_PREFIX = re.compile(r"[0-9]{6,12}")
_OID = re.compile(
    r"(?=.{1,100}\Z)(?:[01]\.(?:[0-9]|[123][0-9])|2\.(?:0|[1-9][0-9]*))"
    r"(?:\.(?:0|[1-9][0-9]{0,62})){1,30}"
)
_ECODE = re.compile(r"[12][0-9]{4}|[34][0-9]{5}")

# Labels are DNS labels too, hence 63 characters: nodes are reachable by name.
_PREFIX_RULE = (
    "up to 128 characters: labels of 1 to 63 ASCII letters and digits, dots between"
)
_NAME_RULE = "1 to 63 lower-case letters, digits and hyphens, no hyphen at an end"
_MODEL_RULE = "1 to 64 ASCII letters, digits, dots and hyphens"
_INDUSTRY_RULE = 'a section letter and its two-digit division of GB/T 4754, like "C39"'
_COMPANY_PREFIX_RULE = "a GS1 company prefix of 6 to 12 digits, as a string"
_OID_RULE = 'an object identifier of three or more numbers, like "2.999.100.1"'
_ECODE_RULE = (
    'the version and the number system of an Ecode, like "11001": 4 digits of a '
    "number system after version 1 or 2, 5 after 3 or 4"
)
_GTIN_RULE = "a GTIN of 8, 12, 13 or 14 digits, as a string"

SCHEMES = ("GS1", "OID", "ECODE")
"""Labels below the top-level node's prefix that stand for schemes of product codes
(emulator convention); no secondary node has one."""

_SECTIONS = (6, 13, 44, 47, 51, 53, 61, 63, 66, 70, 71, 73, 76, 80, 83, 84, 86, 91, 97)
"""First divisions of the sections B to T of GB/T 4754-2017; the last is T97."""

_PORT_KEYS = ("handle_port", "http_port", "https_port")
_TITLE_KEYS = {"name", "title", "title_en"}
_ROOT_KEYS = {"version", "name", "top", "recursive", "secondary"}
_NODE_KEYS = _TITLE_KEYS.union(_PORT_KEYS)
_RECURSIVE_KEYS = {"dns_port"} | _NODE_KEYS
_TOP_KEYS = {"prefix"} | _NODE_KEYS
_INDUSTRY_KEYS = {"industry", "industry_title", "industry_title_en"}
_SECONDARY_KEYS = {"enterprise"} | _TOP_KEYS | _INDUSTRY_KEYS
_CODE_KEYS = {"gs1_company_prefix", "oid", "ecode"}
_ENTERPRISE_KEYS = {"self_run", "product"} | _TOP_KEYS | _CODE_KEYS
_PRODUCT_KEYS = {"model", "name", "name_en", "gtin"}


@dataclass(frozen=True, slots=True)
class Ports:
    """Fixed ports of a node: None counts up from the port base, 0 takes a free one."""

    handle: int | None = None
    http: int | None = None
    https: int | None = None
    dns: int | None = None
    """Of the recursive node only."""


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """What every node has; `name` is unique in the network and a DNS label."""

    name: str
    title: str
    title_en: str
    ports: Ports


@dataclass(frozen=True, slots=True)
class Top(NodeSpec):
    """The national top-level node (国家顶级节点)."""

    prefix: str


@dataclass(frozen=True, slots=True)
class Product:
    """A line of products; without a GTIN, `gtin` is None."""

    model: str
    name: str
    name_en: str
    gtin: str | None


@dataclass(frozen=True, slots=True)
class Enterprise(NodeSpec):
    """An enterprise (企业节点), with a node of its own or hosted by its parent."""

    prefix: str
    self_run: bool
    products: tuple[Product, ...]
    gs1_company_prefix: str | None = None
    """What its GTINs begin with; without it, they are values and no codes."""

    oid: str | None = None
    """Arc registered for it, dotted."""

    ecode: str | None = None
    """Version and number system of its Ecodes."""


@dataclass(frozen=True, slots=True)
class Secondary(NodeSpec):
    """A secondary node (二级节点); `industry` is a GB/T 4754 division like C39."""

    prefix: str
    industry: str
    industry_title: str
    industry_title_en: str
    enterprises: tuple[Enterprise, ...]


@dataclass(frozen=True, slots=True)
class Topology:
    """A whole network, in the order of its file."""

    name: str
    top: Top
    recursive: NodeSpec
    secondaries: tuple[Secondary, ...]

    @property
    def enterprises(self) -> tuple[Enterprise, ...]:
        """All enterprises, in the order of their secondary nodes."""
        return tuple(
            enterprise
            for secondary in self.secondaries
            for enterprise in secondary.enterprises
        )

    @property
    def prefixes(self) -> tuple[str, ...]:
        """All prefixes: of enterprises, of secondary nodes, of the top-level node."""
        enterprises = (item.prefix for item in self.enterprises)
        secondaries = (item.prefix for item in self.secondaries)
        return (*enterprises, *secondaries, self.top.prefix)


def load_topology(path: Path) -> Topology:
    """Read the topology a user wrote; TopologyError if it cannot be used."""
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_FILE_OCTETS + 1)
    except OSError as error:
        message = f"{path}: expected a readable file, got: {error.strerror or error}"
        raise TopologyError(message, "check the path and its permissions") from None
    return parse_topology(octets, str(path))


def builtin_topology(secondaries: int = DEFAULT_SECONDARIES) -> Topology:
    """Return Wuhan's network with its first `secondaries` nodes, 1 to 35."""
    if not 1 <= secondaries <= BUILTIN_SECONDARIES:
        raise TopologyError(
            "built-in topology: expected 1 to "
            f"{BUILTIN_SECONDARIES} secondary nodes, got {secondaries}",
            "write a topology file for a larger network",
        )
    octets = resources.files("resolver").joinpath("wuhan.toml").read_bytes()
    whole = parse_topology(octets, "wuhan.toml")
    return replace(whole, secondaries=whole.secondaries[:secondaries])


def parse_topology(octets: bytes, source: str) -> Topology:
    """Parse TOML; `source` names it in errors. Any octets give this or TopologyError."""
    root = Table(source, {}, "", read_toml(octets, source))
    _check_version(root)
    root.allow(_ROOT_KEYS)
    name = root.matching("name", _NAME, _NAME_RULE)
    top = _top(root.table("top"))
    recursive = _recursive(root)
    tables = root.tables("secondary")
    if not tables:
        raise root.refusal("secondary", "at least one [[secondary]] table")
    secondaries = tuple(_secondary(table, top.prefix) for table in tables)
    return Topology(name, top, recursive, secondaries)


def _check_version(root: Table) -> None:
    """Check the version before the keys: a newer file may have other keys."""
    version = root.items.get("version")
    if is_integer(version) and version > TOPOLOGY_VERSION:
        expected = f"{TOPOLOGY_VERSION}, the newest that this program reads"
        raise root.refusal("version", expected, "upgrade idis-emulator")
    if not is_integer(version) or version != TOPOLOGY_VERSION:
        hint = f"begin the file with version = {TOPOLOGY_VERSION}"
        raise root.refusal("version", str(TOPOLOGY_VERSION), hint)


def _top(table: Table) -> Top:
    table.allow(_TOP_KEYS)
    prefix = table.matching("prefix", _PREFIX, _PREFIX_RULE)
    if prefix.split(".")[0] == "0":
        # 0.NA/<prefix> describes every other prefix (idis notes §2.1).
        raise table.refusal("prefix", "a prefix outside 0, which the system keeps")
    table.claim("prefix", "prefix", prefix)
    return Top(*_titles(table), _ports(table), prefix)


def _recursive(root: Table) -> NodeSpec:
    table = root.table("recursive", {})
    table.allow(_RECURSIVE_KEYS)
    ports = replace(_ports(table), dns=table.port("dns_port"))
    return NodeSpec(*_titles(table, "recursive"), ports)


def _secondary(table: Table, parent: str) -> Secondary:
    table.allow(_SECONDARY_KEYS)
    titles, ports, prefix = _titles(table), _ports(table), _child(table, parent)
    if prefix.rpartition(".")[2].upper() in SCHEMES:
        raise table.refusal("prefix", f"another last label than {', '.join(SCHEMES)}")
    industry = _industry(table)
    title = table.text("industry_title", industry)
    title_en = table.text("industry_title_en", title)
    enterprises = tuple(
        _enterprise(each, prefix) for each in table.tables("enterprise")
    )
    return Secondary(*titles, ports, prefix, industry, title, title_en, enterprises)


def _enterprise(table: Table, parent: str) -> Enterprise:
    table.allow(_ENTERPRISE_KEYS)
    titles, prefix = _titles(table), _child(table, parent)
    self_run = table.flag("self_run")
    if not self_run:
        _refuse_ports(table)
    company = _apart(table, "gs1_company_prefix", _COMPANY_PREFIX, _COMPANY_PREFIX_RULE)
    oid = _apart(table, "oid", _OID, _OID_RULE, joint=".")
    ecode = _apart(table, "ecode", _ECODE, _ECODE_RULE)
    products = tuple(
        _product(each, prefix, company) for each in table.tables("product")
    )
    ports = _ports(table)
    return Enterprise(*titles, ports, prefix, self_run, products, company, oid, ecode)


def _apart(
    table: Table, key: str, pattern: re.Pattern[str], rule: str, joint: str = ""
) -> str | None:
    """Read an optional code of which none in the file is the beginning of another."""
    if key not in table:
        return None
    code = table.matching(key, pattern, rule)
    table.claim(key, key, code)
    for (kind, other), place in table.claims.items():
        pair = sorted((code, other), key=len)
        if kind == key and code != other and pair[1].startswith(pair[0] + joint):
            raise table.refusal(key, f"none above or below that of {place}, {other}")
    return code


def _product(table: Table, prefix: str, company: str | None) -> Product:
    table.allow(_PRODUCT_KEYS)
    model = table.matching("model", _MODEL, _MODEL_RULE)
    table.claim("model", f"model of {prefix}", model)
    name = table.text("name")
    return Product(model, name, table.text("name_en", name), _gtin(table, company))


def _titles(table: Table, default: str | None = None) -> tuple[str, str, str]:
    name = table.matching("name", _NAME, _NAME_RULE, default)
    table.claim("name", "name", name)
    title = table.text("title", name)
    return name, title, table.text("title_en", title)


def _ports(table: Table) -> Ports:
    return Ports(*(table.port(key) for key in _PORT_KEYS))


def _refuse_ports(table: Table) -> None:
    for key in _PORT_KEYS:
        if key in table:
            hint = "its secondary node answers for it; set self_run = true for a node"
            raise table.refusal(key, "no port for a hosted enterprise", hint)


def _child(table: Table, parent: str) -> str:
    prefix = table.matching("prefix", _PREFIX, _PREFIX_RULE)
    head, _, label = prefix.rpartition(".")
    if head != parent:
        hint = f'for example "{parent}.{label}"'
        raise table.refusal("prefix", f"{parent} and one label more", hint)
    table.claim("prefix", "prefix", prefix)
    return prefix


def _industry(table: Table) -> str:
    code = table.matching("industry", _INDUSTRY, _INDUSTRY_RULE)
    division = int(code[1:])
    section = "ABCDEFGHIJKLMNOPQRST"[bisect.bisect_right(_SECTIONS, division)]
    if not 1 <= division <= _SECTIONS[-1] or code[0] != section:
        raise table.refusal("industry", _INDUSTRY_RULE)
    return code


def _gtin(table: Table, company: str | None) -> str | None:
    if "gtin" not in table:
        return None
    gtin = table.matching("gtin", _GTIN, _GTIN_RULE)
    digit = check_digit(gtin[:-1])
    if gtin[-1] != digit:
        raise table.refusal("gtin", f"a GTIN with check digit {digit}")
    if company is not None and not is_gtin_of(gtin, company):
        raise table.refusal("gtin", f"a GTIN of the company prefix {company}")
    table.claim("gtin", "GTIN", gtin.zfill(14))
    return gtin


def is_gtin_of(gtin: str, company_prefix: str) -> bool:
    """Tell whether a GTIN is of a company prefix; those of 8 digits are of none."""
    return len(gtin) == 8 or gtin.zfill(14)[1:].startswith(company_prefix)
