"""The commands for product codes, on a network that is up."""

import csv
import json
from pathlib import Path

import pytest

from resolver import cli
from resolver.client import Client
from resolver.commands import code_conversion
from tests.e2e.code_network import code_network
from tests.nano import closed_port

GTIN, ITEM = "9521000100015", "(01)09521000100015(21)SN0042"
ITEM_IDENTIFIER = "88.100.1/SN0042"
EXAMPLE = Path(__file__).parents[2] / "examples" / "erp.csv"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Run one network for all of them."""
    base = tmp_path_factory.mktemp("codes")
    with code_network(base) as running:
        yield running


@pytest.fixture
def idis(network, capsys):
    def run(*arguments):
        capsys.readouterr()
        try:
            code = cli.main([str(one) for one in arguments])
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize(
    ("code", "options", "identifier"),
    [
        (GTIN, ("--symbol", "ean13"), "88.100.1/MODEL/SMF-652D"),
        (ITEM, ("--symbol", "datamatrix"), ITEM_IDENTIFIER),
        (ITEM, ("--link",), ITEM_IDENTIFIER),
        (ITEM_IDENTIFIER, (), ITEM_IDENTIFIER),
        ("2.999.100.1.1", ("--symbol", "code128"), "88.100.1/MODEL/SMF-652D"),
    ],
)
def test_a_printed_label_is_scanned_and_resolved(
    idis, tmp_path, code, options, identifier
):
    file = tmp_path / "label.png"
    assert idis("label", code, "--out", file, *options)[0] == 0

    done, out, err = idis("scan", file, "--json")

    assert done == 0, err
    (symbol,) = json.loads(out)["symbols"]
    assert symbol["record"]["identifier"] == identifier
    assert symbol["product"]["path"]


def test_a_link_on_a_label_opens_at_the_resolver_that_runs(idis, tmp_path, network):
    file = tmp_path / "label.png"
    code, out, _ = idis("label", ITEM, "--out", file, "--link", "--json")

    ready = json.loads(network.ready_file.read_text())
    top = next(node for node in ready["nodes"] if node["role"] == "top")
    assert code == 0
    assert json.loads(out)["content"] == f"{top['http']}/01/09521000100015/21/SN0042"


def test_scanning_without_resolving_asks_nobody(idis, tmp_path):
    file = tmp_path / "label.png"
    idis("label", ITEM, "--out", file)

    code, out, _ = idis(
        "scan", file, "--no-resolve", "--server", f"127.0.0.1:{closed_port()}"
    )

    assert code == 0
    assert "check digit right" in out


def test_a_symbol_that_means_nothing_is_an_answer(idis, tmp_path):
    file = tmp_path / "label.png"
    idis("label", "(01)06901234567892", "--out", file)

    code, out, err = idis("scan", file)

    assert code == 1
    assert "(01)06901234567892" in out
    assert "not resolved" in err


def test_a_picture_without_symbol_and_one_that_is_none(idis, tmp_path):
    fake = tmp_path / "fake.png"
    fake.write_bytes(b"hello")

    assert idis("scan", fake)[0] == 2
    assert "not a picture" in idis("scan", fake)[2]
    assert idis("label", GTIN, "--out", tmp_path / "a.gif")[0] == 2


def test_decode_shows_all_readings_and_the_right_check_digit(idis):
    code, out, _ = idis("codes", "decode", GTIN, "9521000100014", "--json")

    right, wrong = json.loads(out)
    assert code == 1
    assert [reading["form"] for reading in right["readings"]][:2] == ["gtin-13", "gln"]
    first = wrong["rejections"][0]
    assert (first["position"], first["expected"]) == (12, "5")


def test_a_table_of_codes_gets_records_and_reasons(idis, tmp_path):
    erp, out = tmp_path / "erp.csv", tmp_path / "resolved.csv"
    lines = [
        GTIN,
        "9521000100014",
        ITEM,
        "110010001",
        "",
        "\uff19521000100015",
        "2.999.1.2.3",
    ]
    erp.write_text(
        "row,sku\n" + "".join(f"{n},{code}\n" for n, code in enumerate(lines))
    )

    code, shown, _ = idis(
        "codes",
        "convert",
        erp,
        "--column",
        "sku",
        "--out",
        out,
        "--type",
        "MODEL",
        "--json",
    )

    with out.open() as opened:
        found = list(csv.DictReader(opened))
    report = json.loads(shown)
    assert code == 1
    assert (report["resolved"], report["failed"]) == (4, 3)
    assert report["reasons"] == {"no code of any scheme": 2, "nothing registered": 1}
    assert [row["sku"] for row in found] == lines
    assert found[0]["idis_identifier"] == "88.100.1/MODEL/SMF-652D"
    assert (
        "check digit 4 is wrong at character 13; expected 5" in found[1]["idis_error"]
    )
    assert (found[2]["idis_identifier"], found[2]["idis_MODEL"]) == (
        ITEM_IDENTIFIER,
        "SMF-652D",
    )
    assert found[2]["idis_level"] == "01/09521000100015/21/SN0042"
    assert found[3]["idis_scheme"] == "ecode"
    assert found[5]["idis_code"] == "(01)09521000100015"


def test_the_example_table_shows_every_scheme_and_two_rows_that_fail(idis, tmp_path):
    out = tmp_path / "resolved.csv"

    code, shown, _ = idis(
        *("codes", "convert", EXAMPLE, "--column", "sku", "--out", out),
        *("--company", "88.100.1", "--json"),
    )

    with out.open() as opened:
        failed = [row["article"] for row in csv.DictReader(opened) if row["idis_error"]]
    assert code == 1
    assert failed == ["a wrong check digit", "nobody's"]
    schemes = {"gs1", "oid", "ecode", "vaa", "handle", "company"}
    assert set(json.loads(shown)["schemes"]) == schemes


def test_an_item_that_nobody_registered_is_told_to_be_its_class_only(idis):
    code, shown, _ = idis("resolve", f"(01)0{GTIN}(21)NEW")

    assert code == 0
    assert "nothing is registered for 21/NEW itself" in shown
    assert "itself" not in idis("resolve", ITEM)[1]


def test_an_enterprises_own_codes_come_by_its_rules(idis, tmp_path):
    erp, out = tmp_path / "erp.jsonl", tmp_path / "resolved.jsonl"
    erp.write_text('{"sku":"XUGUANG-FIBRE-0042"}\n')

    code, _, err = idis(
        "codes",
        "convert",
        erp,
        "--column",
        "sku",
        "--out",
        out,
        "--company",
        "88.100.1",
    )

    assert code == 0, err
    assert json.loads(out.read_text())["idis"]["identifier"] == ITEM_IDENTIFIER


def test_a_conversion_that_was_cut_off_goes_on_where_it_stopped(
    idis, tmp_path, monkeypatch
):
    erp, out = tmp_path / "erp.csv", tmp_path / "resolved.csv"
    whole = tmp_path / "whole.csv"
    erp.write_text("sku\n" + f"{GTIN}\n{ITEM}\n" * 50)
    command = ("codes", "convert", erp, "--column", "sku", "--json", "--out")
    resolve_many = Client.resolve_many

    def cut_off(self, lines, **options):
        for number, result in enumerate(resolve_many(self, lines, **options)):
            if number == 33:
                raise KeyboardInterrupt
            yield result

    with monkeypatch.context() as patch:
        patch.setattr(code_conversion.Client, "resolve_many", cut_off)
        assert idis(*command, out)[0] == 130
    assert len(out.read_text().splitlines()) == 34
    code, shown, _ = idis(*command, out)
    idis(*command, whole)

    assert code == 0
    assert (json.loads(shown)["skipped"], json.loads(shown)["resolved"]) == (33, 67)
    assert out.read_text() == whole.read_text()
    assert not out.with_name("resolved.csv.idis-convert").exists()


def test_a_conversion_that_reaches_nobody_says_so(idis, tmp_path):
    erp = tmp_path / "erp.csv"
    erp.write_text(f"sku\n{GTIN}\n")
    server = f"127.0.0.1:{closed_port()}"

    code, _, err = idis(
        "codes",
        "convert",
        erp,
        "--column",
        "sku",
        "--out",
        tmp_path / "o.csv",
        "--server",
        server,
    )

    assert code == 3
    assert "idis up" in err


def test_an_alias_makes_a_code_resolve_and_is_not_replaced_by_accident(idis):
    code = "(01)09521000100015(21)NEW-1"

    assert idis("codes", "alias", code, "88.100.1/SN0001")[0] == 0
    refused, _, why = idis("codes", "alias", code, ITEM_IDENTIFIER)
    again, out, _ = idis("codes", "alias", code, "88.100.1/SN0001", "--json")
    replaced = idis("codes", "alias", code, ITEM_IDENTIFIER, "--overwrite")[0]
    _, resolved, _ = idis("resolve", code, "--fresh", "--json")

    assert (refused, again, replaced) == (1, 0, 0)
    assert "--overwrite" in why
    assert json.loads(out)["did"] == "there already"
    assert json.loads(resolved)["identifier"] == ITEM_IDENTIFIER


def test_an_alias_keeps_the_links_of_the_record_it_changes(idis):
    name = "88.GS1.95210001/01/09521000100015/10/LOT0001"

    def kinds() -> list[str]:
        _, out, _ = idis("resolve", name, "--fresh", "--json")
        return sorted(value["type"] for value in json.loads(out)["values"])

    before = kinds()
    idis(
        "codes",
        "alias",
        "(01)09521000100015(10)LOT0001",
        "88.100.1/SN0001",
        "--overwrite",
    )

    assert kinds() == before
    assert len(before) > 1


@pytest.mark.parametrize(
    ("code", "identifier", "exit_code", "reason"),
    [
        ("(01)06901234567892", "88.100.1/SN0001", 1, "88.GS1.6901234"),
        ("88.100.1/SN0001", "88.100.1/SN0001", 2, "identifier of the tree already"),
        (ITEM, "88.100.1/NOPE", 1, "88.100.1/NOPE"),
        ("9521000100014", "88.100.1/SN0001", 2, "check digit"),
    ],
)
def test_an_alias_that_cannot_be_says_why(idis, code, identifier, exit_code, reason):
    done, _, err = idis("codes", "alias", code, identifier)

    assert done == exit_code, err
    assert reason in err


def test_another_reading_can_be_meant(idis):
    works = "9521000199903"

    code, out, err = idis(
        "codes", "alias", works, "0.NA/88.100.1", "--form", "gln", "--json"
    )

    assert code == 0, err
    assert json.loads(out)["record"] == "88.GS1.95210001/414/9521000199903"
    assert idis("codes", "alias", works, "0.NA/88.100.1", "--form", "sscc")[0] == 2
