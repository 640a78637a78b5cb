"""`idis demo`: the main job end to end, on a network of its own, then the exit.

Boots the tree, imports the example table, resolves through every tier with a trace,
updates, proves up to the main chain, deletes, stops, verifies the proof and the data
with no network, starts again on the same data, and checks that everything is there as
it was left. It runs `idis up` and the other commands as a person would.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import resolver
from resolver.client import Client
from resolver.client.answer import Answer
from resolver.commands.console import fail, print_json, say, show, table
from resolver.commands.resolve import hops_table
from resolver.commands.running import from_ready
from resolver.commands.status import fetch
from resolver.errors import NotFoundError, ResolverError
from resolver.running import RunningNetwork, run_network

PRODUCT = "88.118.7/SN0001"
_CODE = "(01)09521180300014(21)SN0001"
_TIERS = ("recursive", "top", "secondary", "enterprise")
_NEW = "88.118.7/DEMO-2026-0001"
_PROOF = "demo.idis-proof"
_CHAINS = "chains.json"


class DemoError(ResolverError):
    """A step did not do what it promises."""


@dataclass(slots=True)
class Summary:
    """What was done, with how long each step took."""

    steps: list[dict[str, object]] = field(default_factory=list)
    answer: Answer | None = None

    def add(self, what: str, result: str, seconds: float) -> None:
        """Note a step."""
        step = {"step": what, "result": result, "seconds": round(seconds, 3)}
        self.steps.append(step)


def run(*, as_json: bool) -> int:
    """Run the demonstration; 0 when every step did what it promises.

    Raises:
        ResolverError: A step failed.
    """
    summary = Summary()
    with tempfile.TemporaryDirectory(prefix="idis-demo-") as directory:
        try:
            _play(Path(directory), summary, quiet=as_json)
        except RuntimeError as error:
            fail(str(error), "idis doctor tells what is wrong with this machine")
            return 1
    if as_json:
        print_json({"ok": True, "steps": summary.steps})
        return 0
    made = table("what was done", "step", "result", "seconds")
    for step in summary.steps:
        made.add_row(str(step["step"]), str(step["result"]), f"{step['seconds']:.3f}")
    show(made)
    say("next: idis up, and in another terminal: idis resolve 88.118.7/SN0001 --trace")
    return 0


def _play(directory: Path, summary: Summary, *, quiet: bool) -> None:
    arguments = ("--port-base", "0", "--data", str(directory / "data"))
    stage = Stage(summary, quiet=quiet)
    started = time.perf_counter()
    with run_network(*arguments) as network:
        stage.note("start", f"{len(network.ready['nodes'])} nodes answer", started)
        updated = _first_life(network, stage, directory / _PROOF)
    stage.step("verify offline", lambda: _verify(directory, network))
    stage.step("recheck all data", lambda: _recheck(directory / "data"))
    started = time.perf_counter()
    with run_network(*arguments) as network:
        count = len(network.ready["nodes"])
        stage.note("start again, same data", f"{count} nodes answer", started)
        _second_life(network, stage, updated)


class Stage:
    """Runs the steps one after the other and notes what came of them."""

    def __init__(self, summary: Summary, *, quiet: bool) -> None:
        self.summary = summary
        self.quiet = quiet

    def note(self, what: str, result: str, started: float) -> None:
        """Note a step that began at `started`, of `time.perf_counter`."""
        self.summary.add(what, result, time.perf_counter() - started)
        if not self.quiet:
            say(f"{what}: {result}")

    def step(self, what: str, action: Callable[[], str]) -> None:
        """Do a step."""
        started = time.perf_counter()
        self.note(what, action(), started)


def _first_life(network: RunningNetwork, stage: Stage, proof: Path) -> Answer:
    stage.step("import the example table", lambda: _import(network))
    credential = from_ready(network.credential("sm2", "88.118.7"))
    with Client(network.recursive, credential=credential) as client:
        stage.step("resolve through every tier", lambda: _trace(client, stage))
        stage.step("resolve again", lambda: _again(client))
        stage.step("resolve a product code", lambda: _product(client))
        stage.step("register", lambda: _register(client))
        stage.step("update", lambda: _update(client))
        stage.step("prove", lambda: _prove(network, proof))
        stage.step("register and delete another", lambda: _delete(client))
        updated = client.resolve(_NEW, public_only=False)
    stage.step("count", lambda: _count(network))
    return updated


def _second_life(network: RunningNetwork, stage: Stage, updated: Answer) -> None:
    def check() -> str:
        with Client(network.recursive) as client:
            found = client.resolve(_NEW)
            _expect(found.values == updated.values, f"{_NEW} is as it was left")
            _expect_gone(client, f"{_NEW}-B")
        return "what was registered and updated is there, what was deleted is not"

    stage.step("check", check)
    stage.step("count again", lambda: _count(network))


def _import(network: RunningNetwork) -> str:
    """Run `idis import` on a copy of the table, which leaves no state beside ours."""
    copy = Path(network.ready["data"]) / "products.csv"
    copy.write_bytes(example_table().read_bytes())
    report = _idis(network.ready_file, "import", copy)
    return f"{report['registered']} registered, {report['per_second']}/s"


def _idis(ready_file: Path, *arguments: str | Path) -> dict[str, Any]:
    """Run a command as a person would, and give its JSON."""
    command = [sys.executable, "-m", "resolver.cli", *map(str, arguments), "--json"]
    environment = {
        **os.environ,
        "IDIS_READY_FILE": str(ready_file),
        "XDG_STATE_HOME": str(ready_file.parent),
    }
    done = subprocess.run(  # noqa: S603 (our own program)
        command, env=environment, capture_output=True, check=False, timeout=120
    )
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace")
        raise DemoError(f"idis {arguments[0]}: {said}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def example_table() -> Path:
    """Give the example table: in the wheel, or in the repository beside us."""
    package = Path(resolver.__file__).parent
    installed = package / "data" / "products.csv"
    return installed if installed.exists() else _in_repository(package)


def _in_repository(package: Path) -> Path:
    return package.parent / "examples" / "products.csv"


def _trace(client: Client, stage: Stage) -> str:
    answer = client.trace(PRODUCT)
    if not stage.quiet:
        show(hops_table(answer.hops))
    tiers = [hop.role for hop in answer.hops]
    _expect(answer.first("URL") is not None, f"{PRODUCT} has a URL")
    _expect(tiers == list(_TIERS), f"tiers are {tiers}")
    return f"{answer.first('URL')}, by way of {len(tiers)} tiers"


def _again(client: Client) -> str:
    answer = client.resolve(PRODUCT)
    _expect(not answer.authoritative, "the second answer comes from the cache")
    return f"from the recursive node's cache, good for {answer.ttl_seconds} s"


def _product(client: Client) -> str:
    product = client.resolve_product(_CODE)
    _expect(product.identifier == PRODUCT, "the code of a product leads to its record")
    return f"{_CODE} is {product.identifier}"


def _register(client: Client) -> str:
    client.register(_NEW, {"URL": "https://example.com/demo", "NAME": "演示产品"})
    return f"{_NEW}, durable, signed with SM2"


def _update(client: Client) -> str:
    client.update(_NEW, {"URL": "https://example.com/demo/2"})
    url = client.resolve(_NEW, public_only=False).first("URL")
    _expect(url == "https://example.com/demo/2", f"the URL is {url}")
    return f"URL is {url} now"


def _prove(network: RunningNetwork, proof: Path) -> str:
    """Run `idis proof`, which verifies what it gives."""
    arguments = ("proof", _NEW, "--history", "--out", proof)
    told = _idis(network.ready_file, *arguments)["proven"]
    _expect(told["is_anchored"], f"{_NEW} is anchored")
    last = told["anchors"]["chains"][-1]
    return (
        f"version {told['version']} in {told['origin']}, on the chain {last['chain']} "
        f"in block {last['seq']}, {told['size_octets']} octets"
    )


def _verify(directory: Path, network: RunningNetwork) -> str:
    """Run `idis verify` while nothing runs, with two logs' keys and the chains."""
    keys = [network.node(prefix)["log"]["key"] for prefix in ("88.118.7", "88")]
    chains = directory / _CHAINS
    chains.write_text(json.dumps({"chains": network.ready["chains"]}))
    named = ("--key", keys[0], "--key", keys[1], "--chain", chains)
    told = _idis(directory / "none", "verify", directory / _PROOF, *named)
    url = next(value["data"] for value in told["values"] if value["type"] == "URL")
    _expect(url == "https://example.com/demo/2", f"the proven URL is {url}")
    _expect(len(told["history"]) == 1, "the registration is in the history")
    reached = [found["chain"] for found in told["anchors"]["chains"]]
    _expect(reached == ["hanyang", "wuhan"], f"it leads to the chains {reached}")
    return f"the URL is {url}, registered once, changed once, up to the main chain"


def _recheck(data: Path) -> str:
    """Run `idis verify --data` on all that is stored."""
    told = _idis(data / "none", "verify", "--data", data)
    return f"{told['entries']:,} entries of {len(told['nodes'])} logs, {told['records']:,} records"


def _delete(client: Client) -> str:
    client.register(f"{_NEW}-B", {"URL": "https://example.com/demo/b"})
    client.delete(f"{_NEW}-B")
    _expect_gone(client, f"{_NEW}-B")
    return f"{_NEW}-B is not found any more"


def _expect_gone(client: Client, identifier: str) -> None:
    try:
        client.resolve(identifier)
    except NotFoundError:
        return
    raise DemoError(f"{identifier} should not be found")


def _count(network: RunningNetwork) -> str:
    """Compare the counts of all levels."""
    reports = {
        node["role"]: fetch(f"{node['http']}/api/v1/statistics")
        for node in network.ready["nodes"]
        if node["role"] == "top"
    }
    top = reports["top"]
    below = sum(child["total"]["identifiers"] for child in top["children"])
    total = top["total"]["identifiers"]
    _expect(total == below + top["identifiers"], "the levels agree")
    return f"{total:,} identifiers, {top['total']['registrations']:,} registrations"


def _expect(right: bool, what: str) -> None:
    if not right:
        raise DemoError(f"this should hold and does not: {what}")
