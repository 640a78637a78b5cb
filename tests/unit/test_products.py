"""The table of example products, and the generator that made it."""

import csv
from itertools import chain
from pathlib import Path

import pytest

from bench.products import (
    COLUMNS,
    MAX_ROWS,
    main,
    rows,
    write_products,
)
from bench.suffixes import vehicle_check
from resolver.seeded import seeded_identifiers
from resolver.topology import builtin_topology

CHECKED_IN = Path(__file__).parents[2] / "examples" / "products.csv"
ENTERPRISES = {each.prefix: each for each in builtin_topology().enterprises}


def table():
    with CHECKED_IN.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


ROWS = table()


def test_the_checked_in_table_is_what_the_generator_makes(tmp_path):
    path = tmp_path / "products.csv"
    assert main(["--rows", "1000", "--out", str(path)]) == 0
    assert path.read_bytes() == CHECKED_IN.read_bytes()


def test_the_table_has_a_header_and_1000_full_rows():
    assert len(ROWS) == 1000
    assert all(tuple(row) == COLUMNS for row in ROWS)
    assert COLUMNS[0] == "identifier"
    # None: a key for cells too many, a value for cells too few.
    assert all(None not in row and None not in row.values() for row in ROWS)


def test_every_identifier_lies_under_an_enterprise_of_the_default_network():
    prefixes = {row["identifier"].partition("/")[0] for row in ROWS}
    assert prefixes == set(ENTERPRISES)


def test_identifiers_are_unique_even_without_case():
    folded = [row[0].lower() for row in rows(100_000)]
    assert len(set(folded)) == len(folded)


def test_no_identifier_is_seeded_or_left_to_users():
    seeded = chain.from_iterable(map(seeded_identifiers, ENTERPRISES.values()))
    taken = {each.identifier.lower() for each in seeded}
    taken |= {f"{prefix}/sn0002".lower() for prefix in ENTERPRISES}
    assert taken.isdisjoint(row[0].lower() for row in rows(100_000))


@pytest.mark.parametrize(
    "pattern",
    [
        "/SN1",
        "/LOT2026",
        "/MODEL/",
        "/合格证-",
        "/HULL",
        "/COIL-",
        "/L00",
        "/W26K",
        "/8",
    ],
)
def test_the_suffixes_have_the_styles_of_the_industries(pattern):
    assert sum(pattern in row["identifier"] for row in ROWS) > 5


def test_cells_hold_what_csv_must_quote():
    names = [row["NAME"] for row in ROWS]
    assert any("," in name for name in names)
    assert any('"' in name for name in names)
    assert all(not name.isascii() for name in names)


@pytest.mark.parametrize("column", ["BATCH", "MADE", "GTIN"])
def test_some_cells_are_empty(column):
    assert 0 < sum(not row[column] for row in ROWS) < 1000


def test_every_row_has_an_address_of_its_maker():
    for row in ROWS:
        maker = ENTERPRISES[row["identifier"].partition("/")[0]]
        assert row["URL"].startswith(f"https://{maker.name}.example.com/")
        assert row["URL"].isascii()


def test_gtins_are_those_of_the_products():
    for row in ROWS:
        maker = ENTERPRISES[row["identifier"].partition("/")[0]]
        gtins = {product.model: product.gtin or "" for product in maker.products}
        assert row["GTIN"] == gtins[row["MODEL"]]


def test_a_larger_table_begins_with_the_smaller_one():
    assert list(rows(50)) == list(rows(2000))[:50]


def test_another_seed_gives_another_table(tmp_path):
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    write_products(first, 100, seed=1)
    write_products(second, 100, seed=2)
    assert first.read_bytes() != second.read_bytes()


def test_a_vehicle_number_has_the_check_digit_of_its_standard():
    """1M8GDM9AXKP042788 is the example that circulates with the rule."""
    assert vehicle_check("1M8GDM9A0KP042788") == "X"
    numbers = [row["identifier"].partition("/")[2] for row in ROWS]
    vehicles = [number for number in numbers if number.startswith("L00")]
    assert all(len(number) == 17 for number in vehicles)
    assert all(vehicle_check(number) == number[8] for number in vehicles)


@pytest.mark.parametrize("count", ["0", "-1", "x", str(MAX_ROWS + 1)])
def test_a_wrong_number_of_rows_is_misuse(count, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        main([f"--rows={count}", "--out", str(tmp_path / "out.csv")])
    assert caught.value.code == 2
    assert "expected 1 to" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_misuse(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path / "none" / "out.csv")])
    assert "No such file or directory" in capsys.readouterr().err
