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
import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TypeGuard

from resolver.errors import SetupError

TOPOLOGY_VERSION = 1
MAX_FILE_OCTETS = 1_048_576
MAX_TEXT_LENGTH = 120
DEFAULT_SECONDARIES = 14
BUILTIN_SECONDARIES = 35

_PREFIX = re.compile(r"(?=.{1,128}\Z)[0-9A-Za-z]{1,63}(?:\.[0-9A-Za-z]{1,63})*")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MODEL = re.compile(r"[0-9A-Za-z][0-9A-Za-z.-]{0,63}")
_INDUSTRY = re.compile(r"[A-T][0-9]{2}")
_GTIN = re.compile(r"[0-9]{8}|[0-9]{12,14}")

# Labels are DNS labels too, hence 63 characters: nodes are reachable by name.
_PREFIX_RULE = (
    "up to 128 characters: labels of 1 to 63 ASCII letters and digits, dots between"
)
_NAME_RULE = "1 to 63 lower-case letters, digits and hyphens, no hyphen at an end"
_MODEL_RULE = "1 to 64 ASCII letters, digits, dots and hyphens"
_INDUSTRY_RULE = 'a section letter and its two-digit division of GB/T 4754, like "C39"'
_GTIN_RULE = "a GTIN of 8, 12, 13 or 14 digits, as a string"

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
_ENTERPRISE_KEYS = {"self_run", "product"} | _TOP_KEYS
_PRODUCT_KEYS = {"model", "name", "name_en", "gtin"}


class TopologyError(SetupError):
    """A topology breaks a rule: the file, the place, what was expected, what came."""


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
    root = _Table(source, {}, "", _toml(octets, source))
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


@dataclass(frozen=True, slots=True)
class _Table:
    """One TOML table and where it stands, so that every refusal can say it.

    `claims` is one for the whole file: what must be unique, and where it stands.
    """

    source: str
    claims: dict[tuple[str, str], str]
    path: str
    items: Mapping[str, object]

    def __contains__(self, key: str) -> bool:
        return key in self.items

    def allow(self, known: Collection[str]) -> None:
        """Refuse the first key that is not in `known`."""
        for key in self.items:
            if key not in known:
                near = difflib.get_close_matches(key, sorted(known), 1)
                hint = f"known keys: {', '.join(sorted(known))}"
                hint = f'did you mean "{near[0]}"?' if near else hint
                raise self.error(self.path, f"unknown key {_shown(key)}", hint)

    def text(self, key: str, default: str | None = None) -> str:
        """Read a line of text that a terminal can show."""
        value = self.items.get(key, default)
        if not isinstance(value, str) or not _is_line(value):
            rule = f"1 to {MAX_TEXT_LENGTH} printable characters"
            raise self.refusal(key, rule)
        return value

    def matching(
        self, key: str, pattern: re.Pattern[str], rule: str, default: str | None = None
    ) -> str:
        """Read a string of the form `pattern`, which `rule` describes."""
        value = self.items.get(key, default)
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise self.refusal(key, rule)
        return value

    def port(self, key: str) -> int | None:
        """Read an optional port; fixed ones are unique in the file."""
        value = self.items.get(key)
        if value is None:
            return None
        # bool is an int: `http_port = true` must not become port 1.
        if not _is_integer(value) or not 0 <= value <= 65535:
            raise self.refusal(key, "an integer from 0 to 65535")
        if value:
            self.claim(key, "port", str(value))
        return value

    def flag(self, key: str) -> bool:
        """Read an optional boolean, false by default."""
        value = self.items.get(key, False)
        if not isinstance(value, bool):
            raise self.refusal(key, "true or false")
        return value

    def table(self, key: str, default: dict[str, object] | None = None) -> "_Table":
        """Read the table of this key."""
        value = self.items.get(key, default)
        if not isinstance(value, dict):
            raise self.refusal(key, f"a table [{key}]")
        return replace(self, path=self.place(key), items=value)

    def tables(self, key: str) -> "list[_Table]":
        """Read an array of tables, empty by default."""
        values = self.items.get(key, [])
        if not isinstance(values, list) or not all(
            isinstance(value, dict) for value in values
        ):
            raise self.refusal(key, f"an array of tables [[{key}]]")
        return [
            replace(self, path=f"{self.place(key)}[{at}]", items=value)
            for at, value in enumerate(values)
        ]

    def claim(self, key: str, kind: str, value: str) -> None:
        """Take `value` for this place; ASCII case does not tell values apart."""
        place = self.place(key)
        first = self.claims.setdefault((kind, value.lower()), place)
        if first != place:
            raise self.refusal(key, f"a {kind} used once", f"{first} has it already")

    def place(self, key: str) -> str:
        """Say where the value of `key` stands in the file."""
        return f"{self.path}.{key}" if self.path else key

    def refusal(self, key: str, expected: str, hint: str = "") -> TopologyError:
        """Build the error for the value of `key`."""
        came = _shown(self.items[key]) if key in self.items else "nothing"
        return self.error(self.place(key), f"expected {expected}, got {came}", hint)

    def error(self, place: str, problem: str, hint: str) -> TopologyError:
        """Build an error: the file, the place in it, the problem."""
        parts = (self.source, place, problem)
        return TopologyError(": ".join(part for part in parts if part), hint)


def _toml(octets: bytes, source: str) -> dict[str, object]:
    if len(octets) > MAX_FILE_OCTETS:
        message = f"{source}: expected at most {MAX_FILE_OCTETS} octets, got more"
        raise TopologyError(message, "is it a topology file?")
    try:
        return tomllib.loads(octets.decode())
    except UnicodeDecodeError as error:
        message = f"{source}: expected UTF-8, got other octets at {error.start}"
        raise TopologyError(message, "save the file as UTF-8") from None
    except ValueError as error:
        # Also integers of more digits than Python converts, which tomllib passes on.
        message = f"{source}: expected TOML, got: {error}"
        raise TopologyError(message, "see https://toml.io for the syntax") from None
    except RecursionError:
        message = f"{source}: expected TOML, got tables nested too deeply"
        raise TopologyError(message) from None


def _check_version(root: _Table) -> None:
    """Check the version before the keys: a newer file may have other keys."""
    version = root.items.get("version")
    if _is_integer(version) and version > TOPOLOGY_VERSION:
        expected = f"{TOPOLOGY_VERSION}, the newest that this program reads"
        raise root.refusal("version", expected, "upgrade idis-emulator")
    if not _is_integer(version) or version != TOPOLOGY_VERSION:
        hint = f"begin the file with version = {TOPOLOGY_VERSION}"
        raise root.refusal("version", str(TOPOLOGY_VERSION), hint)


def _top(table: _Table) -> Top:
    table.allow(_TOP_KEYS)
    prefix = table.matching("prefix", _PREFIX, _PREFIX_RULE)
    if prefix.split(".")[0] == "0":
        # 0.NA/<prefix> describes every other prefix (idis notes §2.1).
        raise table.refusal("prefix", "a prefix outside 0, which the system keeps")
    table.claim("prefix", "prefix", prefix)
    return Top(*_titles(table), _ports(table), prefix)


def _recursive(root: _Table) -> NodeSpec:
    table = root.table("recursive", {})
    table.allow(_RECURSIVE_KEYS)
    ports = replace(_ports(table), dns=table.port("dns_port"))
    return NodeSpec(*_titles(table, "recursive"), ports)


def _secondary(table: _Table, parent: str) -> Secondary:
    table.allow(_SECONDARY_KEYS)
    titles, ports, prefix = _titles(table), _ports(table), _child(table, parent)
    industry = _industry(table)
    title = table.text("industry_title", industry)
    title_en = table.text("industry_title_en", title)
    enterprises = tuple(
        _enterprise(each, prefix) for each in table.tables("enterprise")
    )
    return Secondary(*titles, ports, prefix, industry, title, title_en, enterprises)


def _enterprise(table: _Table, parent: str) -> Enterprise:
    table.allow(_ENTERPRISE_KEYS)
    titles, prefix = _titles(table), _child(table, parent)
    self_run = table.flag("self_run")
    if not self_run:
        _refuse_ports(table)
    products = tuple(_product(each, prefix) for each in table.tables("product"))
    return Enterprise(*titles, _ports(table), prefix, self_run, products)


def _product(table: _Table, prefix: str) -> Product:
    table.allow(_PRODUCT_KEYS)
    model = table.matching("model", _MODEL, _MODEL_RULE)
    table.claim("model", f"model of {prefix}", model)
    name = table.text("name")
    return Product(model, name, table.text("name_en", name), _gtin(table))


def _titles(table: _Table, default: str | None = None) -> tuple[str, str, str]:
    name = table.matching("name", _NAME, _NAME_RULE, default)
    table.claim("name", "name", name)
    title = table.text("title", name)
    return name, title, table.text("title_en", title)


def _ports(table: _Table) -> Ports:
    return Ports(*(table.port(key) for key in _PORT_KEYS))


def _refuse_ports(table: _Table) -> None:
    for key in _PORT_KEYS:
        if key in table:
            hint = "its secondary node answers for it; set self_run = true for a node"
            raise table.refusal(key, "no port for a hosted enterprise", hint)


def _child(table: _Table, parent: str) -> str:
    prefix = table.matching("prefix", _PREFIX, _PREFIX_RULE)
    head, _, label = prefix.rpartition(".")
    if head != parent:
        hint = f'for example "{parent}.{label}"'
        raise table.refusal("prefix", f"{parent} and one label more", hint)
    table.claim("prefix", "prefix", prefix)
    return prefix


def _industry(table: _Table) -> str:
    code = table.matching("industry", _INDUSTRY, _INDUSTRY_RULE)
    division = int(code[1:])
    section = "ABCDEFGHIJKLMNOPQRST"[bisect.bisect_right(_SECTIONS, division)]
    if not 1 <= division <= _SECTIONS[-1] or code[0] != section:
        raise table.refusal("industry", _INDUSTRY_RULE)
    return code


def _gtin(table: _Table) -> str | None:
    if "gtin" not in table:
        return None
    gtin = table.matching("gtin", _GTIN, _GTIN_RULE)
    digit = _check_digit(gtin[:-1])
    if gtin[-1] != digit:
        raise table.refusal("gtin", f"a GTIN with check digit {digit}")
    table.claim("gtin", "GTIN", gtin.zfill(14))
    return gtin


def _check_digit(digits: str) -> str:
    """Weigh the digits 3, 1, 3, ... from the right (GS1 General Specifications §7.9)."""
    total = 3 * sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2]))
    return str(-total % 10)


def _is_line(text: str) -> bool:
    return (
        1 <= len(text) <= MAX_TEXT_LENGTH and text.isprintable() and text.strip() != ""
    )


def _is_integer(value: object) -> TypeGuard[int]:
    return type(value) is int


def _shown(value: object) -> str:
    """Show what came in one line; nested, huge and long values only in part."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "an array"
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return "an integer of more than 64 bits"
    shown = repr(value) if isinstance(value, str) else str(value)
    shown = shown.lower() if isinstance(value, bool) else shown
    return shown if len(shown) <= 80 else f"{shown[:80]}…"
