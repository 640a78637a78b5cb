"""What the pages and the examples show of the chain works as it stands there."""

import json
import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from resolver.running import run_network

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/chain.md")
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
SNIPPETS = [
    (page, text)
    for page in PAGES
    for text in PYTHON.findall((ROOT / page).read_text())
    if "chain_anchor.bif" in text
]
QUESTIONS = [
    (page, line)
    for page in PAGES
    for text in CONSOLE.findall((ROOT / page).read_text())
    for line in text.splitlines()
    if line.startswith("curl ") and ":2700" in line
]


@pytest.fixture(scope="module")
def network():
    arguments = ("--secondaries", "1", "--port-base", "0", "--fast-path", "off")
    with run_network(*arguments) as network:
        yield network


def run(program):
    return subprocess.run(
        program, capture_output=True, text=True, timeout=60, check=False
    )


def here(text, network):
    """Put the addresses of this network into a text."""
    main, below = (network.chain(name)["http"] for name in ("wuhan", "hanyang"))
    text = text.replace("http://127.0.0.1:27002", main)
    return text.replace("http://127.0.0.1:27003", below)


@pytest.mark.parametrize(("page", "text"), SNIPPETS)
def test_a_snippet_runs(network, page, text):
    program = [sys.executable, "-c", here(text, network)]
    done = run(program)
    assert done.returncode == 0, f"{page}: {done.stderr}"
    assert done.stdout


@pytest.mark.parametrize(("page", "line"), QUESTIONS)
def test_a_question_is_answered(network, page, line):
    words = shlex.split(here(line, network), comments=True)
    url = next(word for word in words if word.startswith("http"))
    body = words[words.index("-d") + 1].encode() if "-d" in words else None
    method = "POST" if body or "-X" in words else "GET"
    request = urllib.request.Request(url, body, method=method)
    with urllib.request.urlopen(request) as answer:
        found = json.load(answer)
    assert found.get("error_code", 0) == 0, f"{page}: {line}: {found}"


def test_the_example_of_a_contract_leaves_nothing_behind(network):
    url = network.chain("wuhan")["http"]
    program = [sys.executable, str(ROOT / "examples" / "chain_contract.py"), url]
    for _ in range(2):
        done = run(program)
        assert done.returncode == 0, done.stderr
        said = done.stdout.splitlines()
        assert said[0].startswith("block ")
        assert said[2] == "told of: written 88.118.7/SN0001"
        assert "already written down" in said[4]
        assert said[-1] == "undone"


def test_a_chain_is_found_by_its_name(network):
    assert network.chain("hanyang")["chain_code"] == "hany"
    with pytest.raises(LookupError, match="nowhere"):
        network.chain("nowhere")


def test_the_pages_have_what_is_tested_here():
    assert {page for page, _ in SNIPPETS} == set(PAGES)
    assert len(QUESTIONS) > 5
