"""The client resolves every seeded code on a network that is up; a million lines, too."""

import contextlib
import io
import itertools
import json

import psutil
import pytest

from resolver import cli
from resolver.client import AsyncClient, Client
from resolver.errors import UnreadableCodeError
from tests.e2e.code_network import code_network

GTIN, CLASS = "9521000100015", "88.100.1/MODEL/SMF-652D"
CREDENTIALS = "88.100.1"
LINES = 1_000_000
WARM_LINES = 10_000
GROWTH_MIB = 8


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    base = tmp_path_factory.mktemp("client-codes")
    with code_network(base) as running:
        yield running


@pytest.fixture(scope="module")
def codes(network):
    """Give the seeded codes of every scheme; an enterprise's own need its rules."""
    found = network.ready["codes"]
    assert {one["scheme"] for one in found} >= {"gs1", "oid", "ecode", "vaa", "company"}
    return found


@pytest.fixture
def client(network):
    with Client(network.recursive) as client:
        yield client


def owner(code):
    return code["identifier"].partition("/")[0] if code["scheme"] == "company" else ""


def test_every_seeded_code_leads_to_its_identifier(client, codes):
    for code in codes:
        product = client.resolve_product(code["code"], company=owner(code))
        assert product.identifier == code["identifier"]
        assert product.scheme == code["scheme"]
        assert product.answer.values


def test_a_stream_answers_as_each_code_alone_does(client, codes):
    lines = [code["code"] for code in codes if code["scheme"] != "company"]
    results = list(client.resolve_many(f"{line}\n" for line in lines))
    assert [r.text for r in results] == lines
    for result in results:
        alone = client.resolve_product(result.text)
        assert (result.identifier, result.code) == (alone.identifier, alone.code)
        assert result.answer.values == alone.answer.values


async def test_both_clients_give_the_same(network, client, codes):
    lines = [code["code"] for code in codes if code["scheme"] != "company"]
    async with AsyncClient(network.recursive) as other:
        found = [r async for r in other.resolve_many(lines)]
    expected = list(client.resolve_many(lines))
    same = [(r.text, r.identifier, r.scheme, r.code) for r in expected]
    assert [(r.text, r.identifier, r.scheme, r.code) for r in found] == same


def test_an_unknown_item_leads_to_its_class(client):
    product = client.resolve_product(f"(01)0{GTIN}(21)NEVER-MADE")
    assert (product.identifier, product.level) == (CLASS, f"01/0{GTIN}")


def test_a_deleted_alias_is_gone_and_a_new_one_counts_at_once(network, client):
    from resolver.commands.running import from_ready

    code = f"(01)0{GTIN}(21)E2E-1"
    name = f"88.GS1.95210001/01/0{GTIN}/21/E2E-1"
    client.login(from_ready(network.credential("secret", CREDENTIALS)))
    client.register(name, {"HS_ALIAS": "88.100.1/SN0042"})
    assert client.resolve_product(code, fresh=True).identifier == "88.100.1/SN0042"
    client.delete(name)
    assert client.resolve_product(code, fresh=True).identifier == CLASS


# ---- idis resolve CODE -------------------------------------------------------------


def idis(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(list(arguments))
    return code, out.getvalue()


def test_idis_resolve_takes_a_code_and_shows_the_way(network):
    code, shown = idis("resolve", GTIN)
    assert code == 0
    for text in ("gtin-13", "check digit right", "88.GS1.95210001/01/0", CLASS, "URL"):
        assert text in shown


def test_idis_resolve_gives_the_code_as_json(network):
    item = f"https://id.example.cn/01/0{GTIN}/21/SN0042"
    code, shown = idis("resolve", item, "--json", "--trace")
    found = json.loads(shown)
    assert code == 0
    assert found["identifier"] == "88.100.1/SN0042"
    assert found["code"] == 1
    assert found["trace"]
    product = found["product"]
    assert (product["scheme"], product["form"]) == ("gs1", "digital-link")
    assert product["code"] == f"(01)0{GTIN}(21)SN0042"
    assert product["path"][-1]["name"] == "88.100.1/SN0042"


def test_idis_resolve_proves_what_a_code_leads_to(network):
    code, shown = idis("resolve", GTIN, "--proof", "--json")
    found = json.loads(shown)
    assert code == 0
    assert found["proof"]
    assert found["product"]["level"] == f"01/0{GTIN}"


def test_idis_resolve_reads_an_enterprise_s_own_codes(network, codes):
    own = next(one for one in codes if one["scheme"] == "company")
    code, shown = idis("resolve", own["code"], "--company", owner(own))
    assert code == 0
    assert own["identifier"] in shown


@pytest.mark.parametrize(
    ("text", "code"),
    [("9521000100016", 2), ("(00)095210001999999990", 2), ("did:cn:88.100.1", 1)],
)
def test_idis_resolve_says_no_with_its_exit_code(network, text, code):
    assert idis("resolve", text)[0] == code


# ---- a million lines ---------------------------------------------------------------


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_million_lines_are_resolved_in_flat_memory(client, codes):
    good = [(c["code"], c["identifier"]) for c in codes if c["scheme"] != "company"]
    bad = [("9521000100016", None), ("nothing of the kind", None), ("", None)]
    lines, expected = itertools.tee(itertools.cycle(good + bad))
    texts = (f"{text}\n" for text, _ in itertools.islice(lines, LINES))
    process, warm, count = psutil.Process(), 0, 0
    for result, (text, identifier) in zip(
        client.resolve_many(texts), expected, strict=False
    ):
        assert result.text == text
        if identifier is None:
            assert isinstance(result.outcome, UnreadableCodeError)
        else:
            assert result.identifier == identifier
            assert result.answer.values
        count += 1
        if count == WARM_LINES:
            warm = process.memory_info().rss
    assert count == LINES
    assert (process.memory_info().rss - warm) / (1 << 20) < GROWTH_MIB
